//! Reading the frames of one object, in any order, from any thread.

use std::sync::Arc;

use crate::base::ObjectId;
use crate::crypto::{Cipher, NonceBase, SealingKeys, TAG_LEN};

use super::compression;
use super::error::VaultError;
use super::frame::{FRAME_HEADER_LEN, FrameHeader};
use super::header::ObjectHeader;
use super::kind::ObjectKind;

/// Opens frames of one object in any order. Clones share the keys.
#[derive(Clone)]
pub struct Opener {
    inner: Arc<Inner>,
}

struct Inner {
    kind: ObjectKind,
    object: ObjectId,
    cipher: Cipher,
    nonces: NonceBase,
}

impl Opener {
    pub(super) fn new(header: &ObjectHeader, keys: SealingKeys) -> Self {
        let inner =
            Inner { kind: header.kind, object: header.object, cipher: keys.cipher, nonces: keys.nonces };
        Self { inner: Arc::new(inner) }
    }

    /// Opens chunk `number`. `frame` is exactly one frame, as long as [`Sealer::seal`] said; `last` must
    /// be what it was sealed with.
    ///
    /// # Errors
    /// `Tampered`, with nothing of the plaintext released.
    ///
    /// [`Sealer::seal`]: super::Sealer::seal
    pub fn open(&self, number: u32, last: bool, frame: &[u8]) -> Result<Vec<u8>, VaultError> {
        let header = self.frame_header(number, frame)?;
        if header.frame_len() != frame.len() {
            return Err(self.wrong(number, "has another length than it claims"));
        }
        if header.last != last {
            return Err(self.wrong(number, "is not at the end, or not the last, as its reference says"));
        }
        self.open_frame(number, header, &frame[FRAME_HEADER_LEN..])
    }

    /// Opens the frame at the start of `rest`, which must be the last one if and only if nothing
    /// follows it; returns the plaintext (at most `room` bytes) and what follows.
    pub(super) fn open_next<'a>(
        &self,
        number: u32,
        rest: &'a [u8],
        room: usize,
    ) -> Result<(Vec<u8>, &'a [u8]), VaultError> {
        let header = self.frame_header(number, rest)?;
        let Some((frame, rest)) = rest.split_at_checked(header.frame_len()) else {
            return Err(self.wrong(number, "is cut short"));
        };
        if header.plain_len as usize > room {
            return Err(self.wrong(number, "makes the object longer than its kind may be"));
        }
        match (header.last, rest.is_empty()) {
            (true, false) => return Err(self.wrong(number, "is the last one, but bytes follow it")),
            (false, true) => return Err(self.wrong(number, "is not the last one, but nothing follows it")),
            (true, true) | (false, false) => {}
        }
        Ok((self.open_frame(number, header, &frame[FRAME_HEADER_LEN..])?, rest))
    }

    fn frame_header(&self, number: u32, frame: &[u8]) -> Result<FrameHeader, VaultError> {
        let bytes = frame.first_chunk().ok_or_else(|| self.wrong(number, "is cut short"))?;
        FrameHeader::decode(bytes).map_err(|reason| self.wrong(number, reason))
    }

    /// `body` is the stored bytes and the tag.
    fn open_frame(&self, number: u32, header: FrameHeader, body: &[u8]) -> Result<Vec<u8>, VaultError> {
        let inner = &*self.inner;
        let (stored, tag) =
            body.split_last_chunk::<TAG_LEN>().ok_or_else(|| self.wrong(number, "is cut short"))?;
        let mut buffer = stored.to_vec();
        inner
            .cipher
            .open(&inner.nonces.at(number), &header.aad(inner.kind, number), &mut buffer, tag)
            .map_err(|error| VaultError::crypto(inner.object, error))?;
        if !header.compressed {
            return Ok(buffer);
        }
        match compression::decompress(&buffer, header.plain_len as usize) {
            Ok(Some(plain)) => Ok(plain),
            Ok(None) => Err(self.wrong(number, "decompresses to fewer bytes than it claims")),
            Err(error) => {
                log::debug!("object {}, chunk {number}: {error}", inner.object);
                Err(self.wrong(number, "does not decompress"))
            }
        }
    }

    fn wrong(&self, number: u32, reason: &'static str) -> VaultError {
        VaultError::chunk(self.inner.object, number, reason)
    }
}
