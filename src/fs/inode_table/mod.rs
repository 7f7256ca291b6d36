//! The inodes the kernel knows, and only those: how often it looked them up, how many handles are open, and
//! what must be remembered about an inode beside its record.
//!
//! Lock order: a shard's lock, then that of the orphans, are leaves. They are taken inside volume transactions, so nothing here may
//! call the volume. Memory: two bytes for each of most inodes of the kernel's cache ([`shard`]).

mod known;
mod shard;

use std::collections::HashSet;

use parking_lot::Mutex;

use super::ghost::Ghost;
use super::handles::Handle;
use crate::base::{Ino, Timestamp};
use known::Known;
use shard::{Shard, page_of};

const SHARDS: usize = 16;

/// What to do after the kernel let go of an inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum After {
    /// Nothing.
    Nothing,
    /// Nobody can reach this orphan any more: reap it.
    Reap,
}

/// All of them. Shared by all threads.
#[derive(Default)]
pub struct InodeTable {
    shards: [Mutex<Shard>; SHARDS],
    /// Those of them that are orphans. Its lock is taken after a shard's.
    orphans: Mutex<HashSet<Ino>>,
}

impl InodeTable {
    fn shard(&self, ino: Ino) -> &Mutex<Shard> {
        // The upper half is the session's slot, mostly equal; the lower half counts up.
        &self.shards[(page_of(ino) % SHARDS as u64) as usize]
    }

    fn with<T>(&self, ino: Ino, f: impl FnOnce(&mut Known) -> T) -> Option<T> {
        self.shard(ino).lock().with(ino, f)
    }

    /// Counts one lookup and tells the generation to hand out. A stale inode that nobody has open gets a
    /// new one, which makes the kernel forget what it believed of it.
    pub fn looked_up(&self, ino: Ino) -> u64 {
        self.shard(ino).lock().with_new(ino, |known| {
            known.lookups += 1;
            if known.stale && known.opens == 0 {
                known.stale = false;
                known.generation = known.generation.wrapping_add(1);
            }
            u64::from(known.generation)
        })
    }

    /// The kernel dropped `lookups` lookups.
    pub fn forgotten(&self, ino: Ino, lookups: u64) -> After {
        self.release(ino, |known| known.lookups = known.lookups.saturating_sub(lookups))
    }

    /// Counts a handle. Called before the inode is looked for, so that an unlink that runs at the same time
    /// either sees the handle or takes the inode away before it is found.
    pub fn opened(&self, ino: Ino, handle: Handle) {
        self.shard(ino).lock().with_new(ino, |known| {
            known.opens += 1;
            known.writers += u32::from(handle.writable());
            known.atime_checked = false;
        });
    }

    /// A handle was closed.
    pub fn closed(&self, ino: Ino, handle: Handle) -> After {
        self.release(ino, |known| {
            known.opens = known.opens.saturating_sub(1);
            known.writers = known.writers.saturating_sub(u32::from(handle.writable()));
        })
    }

    fn release(&self, ino: Ino, change: impl FnOnce(&mut Known)) -> After {
        let mut shard = self.shard(ino).lock();
        let let_go = |known: &mut Known| {
            change(known);
            known.lookups == 0 && known.opens == 0
        };
        if shard.with(ino, let_go) != Some(true) {
            return After::Nothing;
        }
        if !shard.remove(ino).is_some_and(|known| known.orphan) {
            return After::Nothing;
        }
        self.orphans.lock().remove(&ino);
        After::Reap
    }

    /// Whether any handle is open.
    pub fn is_open(&self, ino: Ino) -> bool {
        self.with(ino, |known| known.opens > 0).unwrap_or(false)
    }

    /// Whether any handle can be written through: only then can the kernel hold written pages.
    pub fn is_written(&self, ino: Ino) -> bool {
        self.with(ino, |known| known.writers > 0).unwrap_or(false)
    }

    /// The kernel is about to read pages of it for its cache.
    pub fn cached(&self, ino: Ino) {
        self.with(ino, |known| known.cached = true);
    }

    /// Whether the kernel can have pages in its cache that it read (of those that were written see `is_written`).
    pub fn is_cached(&self, ino: Ino) -> bool {
        self.with(ino, |known| known.cached).unwrap_or(false)
    }

    /// Whether the kernel knows it. The root it knows without ever looking it up.
    pub fn is_known(&self, ino: Ino) -> bool {
        ino == Ino::ROOT || self.shard(ino).lock().contains(ino)
    }

    /// Everything the kernel knows.
    pub fn all_known(&self) -> Vec<Ino> {
        let mut known = vec![Ino::ROOT];
        for shard in &self.shards {
            known.extend(shard.lock().inodes().filter(|ino| *ino != Ino::ROOT));
        }
        known
    }

    /// The last name went, the record stays until nobody can reach it.
    pub fn orphaned(&self, ino: Ino) {
        self.with(ino, |known| {
            known.orphan = true;
            self.orphans.lock().insert(ino);
        });
    }

    /// Orphans that nobody has open: the kernel is about to forget them, or somebody refers to them without a
    /// handle.
    pub fn unused_orphans(&self) -> Vec<Ino> {
        let orphans: Vec<Ino> = self.orphans.lock().iter().copied().collect();
        orphans.into_iter().filter(|ino| !self.is_open(*ino)).collect()
    }

    /// The record is gone; `left` is for those who still hold a reference (a working directory, a
    /// handle opened with O_PATH).
    pub fn vanished(&self, ino: Ino, left: Ghost) {
        self.with(ino, |known| known.extra.get_or_insert_default().ghost = Some(left));
    }

    /// Reads or changes what is left of an inode whose record is gone; `None` when nothing is.
    pub fn with_ghost<T>(&self, ino: Ino, act: impl FnOnce(&mut Ghost) -> T) -> Option<T> {
        self.with(ino, |known| Some(act(known.extra.as_mut()?.ghost.as_mut()?))).flatten()
    }

    /// Somebody else changed the file.
    pub fn mark_stale(&self, ino: Ino) {
        self.with(ino, |known| {
            known.stale = true;
            known.atime_checked = false;
        });
    }

    /// Whether the kernel must look the file up again before it goes on with it. Open files are not sent
    /// away: their handles would break.
    pub fn is_stale(&self, ino: Ino) -> bool {
        self.with(ino, |known| known.stale && known.opens == 0).unwrap_or(false)
    }

    /// True once after each change: whether the access time is old enough to be updated should be looked at.
    pub fn should_check_atime(&self, ino: Ino) -> bool {
        self.with(ino, |known| !std::mem::replace(&mut known.atime_checked, true)).unwrap_or(false)
    }

    /// The inode changed: its access time may need an update at the next read.
    pub fn changed(&self, ino: Ino) {
        self.with(ino, |known| known.atime_checked = false);
    }

    /// Remembers an access until it is recorded.
    pub fn set_atime(&self, ino: Ino, atime: Timestamp) {
        self.with(ino, |known| known.extra.get_or_insert_default().atime = Some(atime));
    }

    /// The access that is not recorded yet.
    pub fn atime(&self, ino: Ino) -> Option<Timestamp> {
        self.with(ino, |known| known.extra.as_ref()?.atime).flatten()
    }

    /// The access was recorded, or an explicit time took its place.
    pub fn clear_atime(&self, ino: Ino) {
        self.with(ino, |known| {
            if let Some(extra) = &mut known.extra {
                extra.atime = None;
                if extra.ghost.is_none() {
                    known.extra = None;
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INO: Ino = Ino(1 << 32 | 7);

    fn handle() -> Handle {
        Handle::from_flags(libc::O_RDONLY)
    }

    #[test]
    fn an_orphan_is_reaped_when_the_last_handle_and_the_last_lookup_are_gone() {
        let table = InodeTable::default();
        table.looked_up(INO);
        table.opened(INO, handle());
        table.orphaned(INO);
        assert_eq!(table.forgotten(INO, 1), After::Nothing, "a handle is open");
        assert_eq!(table.closed(INO, handle()), After::Reap);
        assert!(!table.is_known(INO));

        table.looked_up(INO);
        table.opened(INO, handle());
        table.orphaned(INO);
        assert_eq!(table.closed(INO, handle()), After::Nothing, "the kernel still knows it");
        assert_eq!(table.forgotten(INO, 1), After::Reap);
    }

    #[test]
    fn an_inode_with_names_is_just_forgotten() {
        let table = InodeTable::default();
        for _ in 0..3 {
            table.looked_up(INO);
        }
        assert_eq!(table.forgotten(INO, 2), After::Nothing);
        assert!(table.is_known(INO));
        assert_eq!(table.forgotten(INO, 1), After::Nothing);
        assert!(!table.is_known(INO));
        assert_eq!(table.all_known(), [Ino::ROOT]);
    }

    #[test]
    fn a_file_changed_elsewhere_gets_a_new_generation_once_it_is_closed() {
        let table = InodeTable::default();
        assert_eq!(table.looked_up(INO), 0);
        table.opened(INO, handle());
        table.mark_stale(INO);
        assert!(!table.is_stale(INO), "an open file stays usable");
        assert_eq!(table.looked_up(INO), 0);
        assert_eq!(table.closed(INO, handle()), After::Nothing);
        assert!(table.is_stale(INO));
        assert_eq!(table.looked_up(INO), 1);
        assert!(!table.is_stale(INO));
        assert_eq!(table.looked_up(INO), 1);
    }

    #[test]
    fn only_handles_that_can_be_written_through_count_as_writers() {
        let table = InodeTable::default();
        let writer = Handle::from_flags(libc::O_WRONLY);
        table.opened(INO, handle());
        assert!(!table.is_written(INO));
        table.opened(INO, writer);
        assert!(table.is_written(INO));
        assert_eq!(table.closed(INO, writer), After::Nothing);
        assert!(!table.is_written(INO) && table.is_open(INO));
    }

    #[test]
    fn what_the_kernel_read_for_its_cache_is_remembered_until_it_forgets_the_inode() {
        let table = InodeTable::default();
        table.cached(INO);
        assert!(!table.is_cached(INO), "the kernel does not know it");
        table.looked_up(INO);
        assert!(!table.is_cached(INO));
        table.cached(INO);
        assert!(table.is_cached(INO));
        assert_eq!(table.forgotten(INO, 1), After::Nothing);
        table.looked_up(INO);
        assert!(!table.is_cached(INO));
    }

    #[test]
    fn the_access_time_is_looked_at_once_per_change() {
        let table = InodeTable::default();
        table.looked_up(INO);
        assert!(table.should_check_atime(INO));
        assert!(!table.should_check_atime(INO));
        table.changed(INO);
        assert!(table.should_check_atime(INO));
    }

    #[test]
    fn an_explicit_time_takes_the_place_of_an_access_not_recorded_yet() {
        let table = InodeTable::default();
        table.looked_up(INO);
        let time = Timestamp { secs: 5, nanos: 6 };
        table.set_atime(INO, time);
        assert_eq!(table.atime(INO), Some(time));
        table.clear_atime(INO);
        assert_eq!(table.atime(INO), None);
    }

    #[test]
    fn nothing_is_remembered_of_inodes_the_kernel_does_not_know() {
        let table = InodeTable::default();
        table.orphaned(INO);
        table.set_atime(INO, Timestamp::default());
        assert_eq!(table.atime(INO), None);
        assert_eq!(table.forgotten(INO, 1), After::Nothing);
    }
}
