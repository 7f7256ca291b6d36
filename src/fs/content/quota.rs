//! The quota, asked before anything is accepted: what was accepted is never refused later.
//!
//! What counts is what the records have plus what dirty data will add to them (*promised*). Promises are made
//! under the lock of one file only, so several writers at the limit are not let past it together.

use super::Content;
use crate::fs::error::FsError;
use crate::meta::read;
use crate::meta::record::Superblock;

impl Content {
    /// Bytes that dirty data will add to the volume.
    pub fn promised(&self) -> u64 {
        self.table.promised()
    }

    /// Promises room for `growth` bytes that are about to become dirty.
    ///
    /// # Errors
    /// `NoSpace` over the quota; what reading metadata can raise. Nothing is promised then.
    pub(super) fn promise(&self, growth: u64) -> Result<(), FsError> {
        if growth == 0 {
            return Ok(());
        }
        self.table.promise(growth);
        let checked = self.check_quota(0);
        if checked.is_err() {
            self.table.fulfil(growth);
        }
        checked
    }

    /// Refuses `more` bytes over the quota.
    pub(super) fn check_quota(&self, more: u64) -> Result<(), FsError> {
        let superblock = self.volume.read(|view| Ok::<_, FsError>(read::superblock(view)?))?;
        let checked = self.check_room(&superblock, more);
        if checked.is_err() {
            // Another machine may have made room that this one has not heard of.
            self.volume.note_use();
        }
        checked
    }

    /// Refuses `more` bytes on top of what `superblock` counts.
    pub(super) fn check_room(&self, superblock: &Superblock, more: u64) -> Result<(), FsError> {
        let after = superblock.allocated.saturating_add(self.promised()).saturating_add(more);
        let limit = superblock.quota_bytes;
        if limit != 0 && after > limit { Err(FsError::NoSpace) } else { Ok(()) }
    }
}
