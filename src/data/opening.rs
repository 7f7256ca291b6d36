//! Opening one frame, wherever its bytes came from.

use bytes::Bytes;

use super::error::DataError;
use crate::base::ObjectId;
use crate::meta::record::SegmentRecord;
use crate::vault::Opener;

/// Sealed bytes up to which frames are opened on the async threads: below it, moving the work costs more
/// than doing it.
pub(super) const INLINE_BYTES: u64 = 256 * 1024;

/// Verifies and opens a frame; the plain bytes own their memory.
///
/// # Errors
/// `Tampered` when it is not the frame that the record means.
pub(super) fn open_frame(
    opener: &Opener,
    segment: ObjectId,
    record: &SegmentRecord,
    number: u32,
    frame: &[u8],
) -> Result<Bytes, DataError> {
    let last = number as usize + 1 == record.frames.len();
    match opener.open(number, last, frame) {
        Ok(plain) => Ok(Bytes::from(plain)),
        Err(error) => Err(DataError::vault(segment, number, error)),
    }
}
