//! Segments that the state knows, and chunks that gc moves from one to another.
use crate::base::{Ino, ObjectId};
use crate::meta::key;
use crate::meta::read;
use crate::meta::record::{ChunkRef, SegmentRecord};

use super::ApplyError;
use super::edit::Edit;

/// Adding the same segment again changes nothing: a commit that is tried again is no error.
pub(super) fn add(edit: &mut Edit<'_, '_>, id: ObjectId, record: &SegmentRecord) -> Result<(), ApplyError> {
    if read::segment(edit.txn, id)?.is_some_and(|known| known != *record) {
        return Err(ApplyError::Exists);
    }
    if read::condemned(edit.txn, &record.object_key(id))?.is_some() {
        return Err(ApplyError::Changed);
    }
    edit.txn.put(key::segment(id), record.encode());
    Ok(())
}

pub(super) fn remove(edit: &mut Edit<'_, '_>, ids: &[ObjectId]) -> Result<(), ApplyError> {
    for id in ids {
        edit.txn.remove(key::segment(*id));
    }
    Ok(())
}

/// The content stays the same, and so do version and times: no reader needs to know.
pub(super) fn relocate(
    edit: &mut Edit<'_, '_>,
    ino: Ino,
    index: u64,
    from: &ChunkRef,
    to: &ChunkRef,
) -> Result<(), ApplyError> {
    if read::chunk(edit.txn, ino, index)?.is_some_and(|chunk| chunk == *from) {
        edit.txn.put(key::chunk(ino, index), to.encode());
    }
    Ok(())
}
