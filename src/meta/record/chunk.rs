//! The chunk record: where the content of one chunk of a file is.
use bytes::Bytes;

use super::{MAX_INLINE, Record, byte_string, object_id};
use crate::base::{DecodeError, ObjectId, Reader, Writer};
use crate::vault::MAX_CHUNK;

const INLINE: u8 = 1;
const SEGMENT: u8 = 2;

/// Content of one chunk of a file. Bytes past `len` within the chunk are zeros; no record at all is a hole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChunkRef {
    /// 1..=MAX_INLINE bytes.
    Inline(Bytes),
    /// Frame `number` of a segment; `len` (1..=chunk size) of its plain bytes count.
    Segment { segment: ObjectId, number: u32, len: u32 },
}

impl ChunkRef {
    /// Bytes of content, not counting the zeros behind it.
    #[allow(clippy::len_without_is_empty, reason = "a chunk without content is a hole and has no reference")]
    pub fn len(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::Segment { len, .. } => u64::from(*len),
        }
    }

    /// The reference when only the first `limit` bytes count; `None` when nothing is left.
    pub fn cut(self, limit: u64) -> Option<Self> {
        if limit == 0 {
            return None;
        }
        if limit >= self.len() {
            return Some(self);
        }
        Some(match self {
            // A copy, not a slice: a slice would keep all of the old content in memory.
            Self::Inline(bytes) => Self::Inline(Bytes::copy_from_slice(&bytes[..limit as usize])),
            Self::Segment { segment, number, .. } => Self::Segment { segment, number, len: limit as u32 },
        })
    }
}

impl Record for ChunkRef {
    fn write(&self, w: &mut Writer) {
        match self {
            Self::Inline(bytes) => {
                w.u8(INLINE).bytes(bytes);
            }
            Self::Segment { segment, number, len } => {
                w.u8(SEGMENT).raw(&segment.0).u32(*number).u32(*len);
            }
        }
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let chunk = match r.u8("chunk kind")? {
            INLINE => Self::Inline(byte_string(r, MAX_INLINE, "inline chunk")?),
            SEGMENT => Self::Segment {
                segment: object_id(r, "segment id")?,
                number: r.u32("frame number")?,
                len: r.u32("chunk length")?,
            },
            _ => return Err(DecodeError::Invalid("chunk kind")),
        };
        match chunk.len() {
            0 => Err(DecodeError::Invalid("chunk length")),
            len if len > MAX_CHUNK as u64 => Err(DecodeError::TooLong("chunk")),
            _ => Ok(chunk),
        }
    }
}
