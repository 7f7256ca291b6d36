//! Settings of the volume and gc's notes.
use crate::base::{Seq, Timestamp};
use crate::meta::key;
use crate::meta::read;
use crate::meta::record::Condemned;

use super::ApplyError;
use super::edit::Edit;

/// An object that was condemned before keeps its time: its grace period goes on.
pub(super) fn condemn(
    edit: &mut Edit<'_, '_>,
    objects: &[String],
    time: Timestamp,
) -> Result<(), ApplyError> {
    for object in objects {
        if read::condemned(edit.txn, object)?.is_none() {
            edit.txn.put(key::condemned(object), Condemned { since: time }.encode());
        }
    }
    Ok(())
}

pub(super) fn pardon(edit: &mut Edit<'_, '_>, objects: &[String]) -> Result<(), ApplyError> {
    for object in objects {
        edit.txn.remove(key::condemned(object));
    }
    Ok(())
}

/// Entries that may be gone cannot come back (M3): a lower boundary lost a race.
pub(super) fn publish_boundary(
    edit: &mut Edit<'_, '_>,
    boundary: Seq,
    time: Timestamp,
) -> Result<(), ApplyError> {
    let superblock = edit.superblock_mut()?;
    if boundary < superblock.gc_boundary {
        return Err(ApplyError::Changed);
    }
    superblock.gc_boundary = boundary;
    superblock.gc_published = time;
    Ok(())
}

pub(super) fn set_quota(edit: &mut Edit<'_, '_>, bytes: u64, inodes: u64) -> Result<(), ApplyError> {
    let superblock = edit.superblock_mut()?;
    superblock.quota_bytes = bytes;
    superblock.quota_inodes = inodes;
    Ok(())
}
