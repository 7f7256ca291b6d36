//! One chunk on disk: a plain header of eight bytes, the stored bytes, the tag.
//!
//! ```text
//!  0 4  plain length
//!  4 4  stored length; bit 31: final, bit 30: compressed
//!  8    stored bytes (ciphertext), then 16 bytes of tag
//! ```
//!
//! The associated data repeat everything that is plain, and add what the place says:
//!
//! ```text
//!  0 1  kind      2 2  zero            8 4  plain length
//!  1 1  flags     4 4  chunk number
//! ```

use crate::crypto::TAG_LEN;

use super::compression;
use super::kind::ObjectKind;

/// Largest plaintext of one chunk.
pub const MAX_CHUNK: usize = 128 * 1024;

/// Bytes of a frame's own header.
pub(super) const FRAME_HEADER_LEN: usize = 8;

/// Bytes of a frame that are not the chunk's stored bytes: frame header and tag.
pub const FRAME_OVERHEAD: usize = FRAME_HEADER_LEN + TAG_LEN;

const FINAL: u32 = 1 << 31;
const COMPRESSED: u32 = 1 << 30;
const AAD_LEN: usize = 12;
const AAD_FINAL: u8 = 1;
const AAD_COMPRESSED: u8 = 2;

/// A frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameHeader {
    /// At most [`MAX_CHUNK`].
    pub plain_len: u32,
    /// Equal to `plain_len`, or smaller if compressed.
    pub stored_len: u32,
    pub compressed: bool,
    pub last: bool,
}

impl FrameHeader {
    /// The bytes on disk.
    pub fn encode(self) -> [u8; FRAME_HEADER_LEN] {
        let flags = if self.last { FINAL } else { 0 } | if self.compressed { COMPRESSED } else { 0 };
        let mut bytes = [0; FRAME_HEADER_LEN];
        bytes[..4].copy_from_slice(&self.plain_len.to_le_bytes());
        bytes[4..].copy_from_slice(&(self.stored_len | flags).to_le_bytes());
        bytes
    }

    /// Reads a header and checks it against what the sealer can have written.
    ///
    /// # Errors
    /// The name of the check that failed.
    pub fn decode(untrusted: &[u8; FRAME_HEADER_LEN]) -> Result<Self, &'static str> {
        let word = |at: usize| {
            u32::from_le_bytes([untrusted[at], untrusted[at + 1], untrusted[at + 2], untrusted[at + 3]])
        };
        let header = Self {
            plain_len: word(0),
            stored_len: word(4) & !(FINAL | COMPRESSED),
            compressed: word(4) & COMPRESSED != 0,
            last: word(4) & FINAL != 0,
        };
        if header.plain_len as usize > MAX_CHUNK {
            return Err("claims to be longer than a chunk can be");
        }
        let possible = if header.compressed {
            compression::pays(header.plain_len as usize, header.stored_len as usize)
        } else {
            header.stored_len == header.plain_len
        };
        if possible { Ok(header) } else { Err("claims lengths that do not fit each other") }
    }

    /// Length of the whole frame in bytes.
    pub fn frame_len(self) -> usize {
        self.stored_len as usize + FRAME_OVERHEAD
    }

    /// What the tag covers besides the stored bytes.
    pub fn aad(self, kind: ObjectKind, number: u32) -> [u8; AAD_LEN] {
        let mut aad = [0; AAD_LEN];
        aad[0] = kind.to_byte();
        aad[1] = if self.last { AAD_FINAL } else { 0 } | if self.compressed { AAD_COMPRESSED } else { 0 };
        aad[4..8].copy_from_slice(&number.to_le_bytes());
        aad[8..].copy_from_slice(&self.plain_len.to_le_bytes());
        aad
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_no_sealer_writes_are_refused() {
        let header = |plain_len, stored_len, compressed| FrameHeader {
            plain_len,
            stored_len,
            compressed,
            last: false,
        };
        for good in [header(0, 0, false), header(131_072, 131_072, false), header(4096, 100, true)] {
            assert_eq!(FrameHeader::decode(&good.encode()), Ok(good));
        }
        for bad in [
            header(131_073, 131_073, false),
            header(u32::MAX, 16, true),
            header(16, 17, false),
            header(17, 16, false),
            header(4096, 4096, true),
            header(4096, 4000, true),
            header(0, 0, true),
            header(64, 1 << 29, true),
        ] {
            assert!(FrameHeader::decode(&bad.encode()).is_err(), "{bad:?}");
        }
    }
}
