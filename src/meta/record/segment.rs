//! The segment record: everything but the key that is needed to read frames of a segment.
use super::Record;
use crate::base::{DecodeError, Epoch, ObjectId, Reader, Writer};
use crate::vault::{FRAME_OVERHEAD, HEADER_LEN, MAX_CHUNK};

/// Most frames in a segment.
pub const MAX_FRAMES: usize = 4096;
const MAX_FRAME: u32 = (FRAME_OVERHEAD + MAX_CHUNK) as u32;

/// Where a segment lies: `data/<epoch>/<2 hex>/<id>`.
pub fn segment_key(epoch: Epoch, id: ObjectId) -> String {
    let hex = id.to_hex();
    format!("data/{epoch}/{}/{hex}", &hex[..2])
}

/// How to read a segment without asking for its header first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentRecord {
    pub epoch: Epoch,
    pub header: [u8; HEADER_LEN],
    /// Length of each frame in bytes, in order; the first starts at HEADER_LEN. 1..=4096 frames.
    pub frames: Vec<u32>,
}

impl SegmentRecord {
    /// As [`segment_key`].
    pub fn object_key(&self, id: ObjectId) -> String {
        segment_key(self.epoch, id)
    }

    /// Byte range of frame `number` in the object; `None` when there is no such frame.
    pub fn frame(&self, number: u32) -> Option<std::ops::Range<u64>> {
        let number = usize::try_from(number).ok()?;
        let len = u64::from(*self.frames.get(number)?);
        let start = HEADER_LEN as u64 + sum(&self.frames[..number]);
        Some(start..start + len)
    }

    /// Length of the whole object in bytes.
    pub fn object_len(&self) -> u64 {
        HEADER_LEN as u64 + sum(&self.frames)
    }

    /// The first bound that the record breaks.
    pub(in crate::meta) fn check(&self) -> Result<(), &'static str> {
        if !(1..=MAX_FRAMES).contains(&self.frames.len()) {
            return Err("the number of frames");
        }
        if self.frames.iter().any(|&len| !(FRAME_OVERHEAD as u32..=MAX_FRAME).contains(&len)) {
            return Err("the length of a frame");
        }
        Ok(())
    }
}

/// At most 4096 frames of 32 bits each: far from overflow.
fn sum(frames: &[u32]) -> u64 {
    frames.iter().map(|&len| u64::from(len)).sum()
}

impl Record for SegmentRecord {
    fn write(&self, w: &mut Writer) {
        w.u32(self.epoch.0).raw(&self.header).u32(self.frames.len() as u32);
        for &len in &self.frames {
            w.u32(len);
        }
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let epoch = Epoch(r.u32("epoch")?);
        let header = r.array("segment header")?;
        let count = r.u32("frame count")? as usize;
        if count > MAX_FRAMES {
            return Err(DecodeError::TooLong("list of frames"));
        }
        let frames = (0..count).map(|_| r.u32("frame length")).collect::<Result<_, _>>()?;
        let record = Self { epoch, header, frames };
        record.check().map_err(DecodeError::Invalid)?;
        Ok(record)
    }
}
