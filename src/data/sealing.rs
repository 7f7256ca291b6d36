//! Turning a finished segment into the bytes of its object, and checking such bytes.

use bytes::Bytes;

use super::error::DataError;
use super::opening::open_frame;
use super::range_plan::frame_ranges;
use crate::base::{ObjectId, Random};
use crate::meta::record::SegmentRecord;
use crate::object::Buffers;
use crate::vault::{FRAME_OVERHEAD, HEADER_LEN, ObjectKind, Opener, Vault, VaultError};

/// A segment as it goes to the bucket.
pub(super) struct SealedSegment {
    pub bytes: Bytes,
    pub record: SegmentRecord,
}

/// Seals chunks 0..n in order, the last one final. Takes milliseconds per megabyte: for blocking threads.
///
/// # Errors
/// `Bounds` when a chunk is longer than the format allows.
pub(super) fn seal_segment(
    vault: &Vault,
    random: &dyn Random,
    id: ObjectId,
    chunks: &[Bytes],
    buffers: &Buffers,
) -> Result<SealedSegment, VaultError> {
    let mut sealer = vault.sealer(ObjectKind::Segment, id, random)?;
    let epoch = sealer.epoch();
    let plain: usize = chunks.iter().map(Bytes::len).sum();
    let mut out = buffers.take(HEADER_LEN + plain + chunks.len() * FRAME_OVERHEAD);
    out.extend_from_slice(sealer.header());
    let mut frames = Vec::with_capacity(chunks.len());
    for (number, chunk) in chunks.iter().enumerate() {
        frames.push(sealer.seal(chunk, number + 1 == chunks.len(), &mut out)?);
    }
    let record = SegmentRecord { epoch, header: *sealer.header(), frames };
    Ok(SealedSegment { bytes: out.freeze(), record })
}

/// Opens every frame, so that bytes which came back wrong from a local disk never reach the bucket.
///
/// # Errors
/// `Tampered` for the first frame that is not what was sealed.
pub(super) fn verify_segment(
    opener: &Opener,
    id: ObjectId,
    record: &SegmentRecord,
    sealed: &[u8],
) -> Result<(), DataError> {
    if sealed.get(..HEADER_LEN) != Some(record.header.as_slice()) {
        return Err(DataError::tampered(id, 0, "has another header than the one it was sealed with"));
    }
    let numbers: Vec<u32> = (0..record.frames.len() as u32).collect();
    for (number, range) in numbers.iter().zip(frame_ranges(record, &numbers)) {
        let frame = sealed
            .get(range.start as usize..range.end as usize)
            .ok_or_else(|| DataError::tampered(id, *number, "lies past the end of the spooled copy"))?;
        open_frame(opener, id, record, *number, frame)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::SeededRandom;
    use crate::base::{Epoch, VolumeId};

    const ID: ObjectId = ObjectId([3; 16]);

    #[test]
    fn a_sealed_segment_verifies_and_one_with_any_damage_does_not() {
        let vault = Vault::from_epoch_keys(VolumeId([1; 16]), Epoch(1), &[(Epoch(1), [2; 32])]).unwrap();
        let chunks = [Bytes::from(vec![7; 500]), Bytes::from_static(b"x"), Bytes::from(vec![9; 100])];
        let SealedSegment { bytes, record } =
            seal_segment(&vault, &SeededRandom::new(1), ID, &chunks, &Buffers::default()).unwrap();
        assert_eq!(bytes.len() as u64, record.object_len());
        let opener = vault.opener(ObjectKind::Segment, ID, &record.header).unwrap();
        verify_segment(&opener, ID, &record, &bytes).unwrap();
        for place in 0..bytes.len() {
            let mut damaged = bytes.to_vec();
            damaged[place] ^= 1;
            assert!(verify_segment(&opener, ID, &record, &damaged).is_err(), "byte {place}");
            assert!(verify_segment(&opener, ID, &record, &bytes[..place]).is_err(), "cut at {place}");
        }
    }
}
