//! Writing one object, chunk by chunk.

use crate::base::{Epoch, ObjectId};
use crate::crypto::{Cipher, NonceSequence, SealingKeys};

use super::compression::Compressor;
use super::error::VaultError;
use super::frame::{FRAME_HEADER_LEN, FRAME_OVERHEAD, FrameHeader, MAX_CHUNK};
use super::header::{HEADER_LEN, ObjectHeader};
use super::kind::ObjectKind;

/// One object in the making: frames are numbered 0, 1, 2, … in the order of calls.
pub struct Sealer {
    kind: ObjectKind,
    object: ObjectId,
    epoch: Epoch,
    header: [u8; HEADER_LEN],
    cipher: Cipher,
    nonces: NonceSequence,
    compressor: Compressor,
    finished: bool,
}

impl Sealer {
    pub(super) fn new(header: &ObjectHeader, keys: SealingKeys) -> Self {
        Self {
            kind: header.kind,
            object: header.object,
            epoch: header.epoch,
            header: header.encode(&keys.commitment),
            cipher: keys.cipher,
            nonces: NonceSequence::new(keys.nonces),
            compressor: Compressor::default(),
            finished: false,
        }
    }

    /// The first [`HEADER_LEN`] bytes of the object.
    pub fn header(&self) -> &[u8; HEADER_LEN] {
        &self.header
    }

    /// The epoch of the object, which may not be current any more.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Compresses (if it pays), seals and appends one frame to `out`; returns the frame's length in bytes.
    /// `last` marks the final frame of the object.
    ///
    /// # Errors
    /// `Bounds` for a chunk of more than [`MAX_CHUNK`] bytes, a frame after the last one or the 2^32nd;
    /// `out` is as before then.
    pub fn seal(&mut self, plain: &[u8], last: bool, out: &mut Vec<u8>) -> Result<u32, VaultError> {
        if plain.len() > MAX_CHUNK {
            return Err(self.bounds("a chunk is longer than 128 KiB"));
        }
        if self.finished {
            return Err(self.bounds("a chunk follows the last one"));
        }
        let (number, nonce) = self.nonces.take().map_err(|error| VaultError::crypto(self.object, error))?;

        let compressed = self.compressor.compress(plain);
        let stored = compressed.unwrap_or(plain);
        let frame = FrameHeader {
            plain_len: plain.len() as u32,
            stored_len: stored.len() as u32,
            compressed: compressed.is_some(),
            last,
        };

        let start = out.len();
        out.reserve(frame.frame_len());
        out.extend_from_slice(&frame.encode());
        out.extend_from_slice(stored);
        let body = &mut out[start + FRAME_HEADER_LEN..];
        match self.cipher.seal(&nonce, &frame.aad(self.kind, number), body) {
            Ok(tag) => out.extend_from_slice(&tag),
            Err(error) => {
                out.truncate(start);
                return Err(VaultError::crypto(self.object, error));
            }
        }
        self.finished = last;
        Ok((out.len() - start) as u32)
    }

    fn bounds(&self, what: &str) -> VaultError {
        VaultError::Bounds(format!("object {}: {what}", self.object))
    }
}

// A frame's length fits the u32 that `seal` returns.
const _: () = assert!(MAX_CHUNK + FRAME_OVERHEAD < u32::MAX as usize);
