//! A mounted volume as a set of file operations.
//!
//! Every operation is one transaction on the volume (or one call into [`Content`] for bytes), so it is
//! visible whole or not at all, and durable with the next commit. Operations are methods of
//! [`Filesystem`], one file each in `ops/`. All of them may be called from any thread; those that change
//! something may wait while too much is on its way to the bucket.
//!
//! Lock order: permit → content's locks → the volume's state → the inode table.

use std::sync::Arc;

use super::access_rule::{AccessRule, AccessTimes};
use super::attr::{Attr, Entry};
use super::chores::Chores;
use super::content::Content;
use super::error::FsError;
use super::ghost::Ghost;
use super::inode_table::{After, InodeTable};
use crate::base::Ino;
use crate::meta::read;
use crate::meta::record::Inode;
use crate::meta::view::View;
use crate::volume::{OpTxn, Volume};

/// How a volume is mounted, as far as file operations can tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FsOptions {
    /// The kernel caches writes: it owns size and times of regular files it knows.
    pub writeback: bool,
    pub access_times: AccessTimes,
    /// Listing a directory does not change its access time (`nodiratime`).
    pub nodiratime: bool,
}

/// A mounted volume.
pub struct Filesystem {
    pub(super) volume: Arc<Volume>,
    pub(super) content: Arc<Content>,
    pub(super) inodes: Arc<InodeTable>,
    pub(super) chores: Chores,
    pub(super) writeback: bool,
    pub(super) access_rule: AccessRule,
}

impl Filesystem {
    /// Starts serving `volume`, whose file contents are in `content`, and has the volume ask `content` for
    /// what is dirty at each commit.
    ///
    /// # Errors
    /// When the thread for background work cannot be started.
    pub fn new(
        volume: Arc<Volume>,
        content: Arc<Content>,
        options: FsOptions,
    ) -> Result<Arc<Self>, std::io::Error> {
        volume.set_dirty_source(content.clone());
        if options.writeback {
            content.leave_times_to_kernel();
        }
        let inodes = Arc::new(InodeTable::default());
        let chores = Chores::start(volume.clone(), content.clone(), inodes.clone())?;
        let FsOptions { writeback, access_times, nodiratime } = options;
        let access_rule = AccessRule::new(access_times, nodiratime);
        Ok(Arc::new(Self { volume, content, inodes, chores, writeback, access_rule }))
    }

    /// Finishes background work (reaping, access times). Called once after the last request, before the
    /// volume is closed.
    pub fn shutdown(&self) {
        self.chores.stop();
    }

    /// Does the work of one system call; once more from the start when an object that it needs is gone. gc may have deleted
    /// it since this machine last looked at the log, which it does now, or moved its chunk to another segment between
    /// lookup and fetch. Called without permits and locks.
    ///
    /// # Errors
    /// What `work` says. It has changed nothing when that is an object that is gone.
    pub fn attempt<T>(&self, work: impl Fn(&Self) -> Result<T, FsError>) -> Result<T, FsError> {
        match work(self) {
            Err(error) if error.is_gone() => {
                self.volume.look_for_newer();
                work(self)
            }
            outcome => outcome,
        }
    }

    /// The volume behind it.
    pub fn volume(&self) -> &Arc<Volume> {
        &self.volume
    }

    /// Whether the kernel caches writes.
    pub fn writeback(&self) -> bool {
        self.writeback
    }

    /// Changes which reads change access times, from the next one on.
    pub fn set_access_times(&self, rule: AccessTimes, nodiratime: bool) {
        self.access_rule.set(rule, nodiratime);
    }

    /// The contents of its files.
    pub fn content(&self) -> &Arc<Content> {
        &self.content
    }

    /// The inodes the kernel knows.
    pub fn inodes(&self) -> &Arc<InodeTable> {
        &self.inodes
    }

    /// The kernel dropped `lookups` lookups of `ino`.
    pub fn forget(&self, ino: Ino, lookups: u64) {
        if ino != Ino::ROOT && self.inodes.forgotten(ino, lookups) == After::Reap {
            self.chores.reap(ino);
        }
    }

    /// Runs one transaction and waits first while too much is pending.
    pub(super) fn change<T>(
        &self,
        f: impl FnMut(&mut OpTxn<'_>) -> Result<T, FsError>,
    ) -> Result<T, FsError> {
        let permit = self.volume.enter()?;
        self.volume.transact(&permit, f)
    }

    /// Runs `work`; where that finds no space, files without a name that nobody has open are reaped first, and it
    /// runs once more. Called without permits and locks.
    pub(super) fn with_room<T>(&self, mut work: impl FnMut() -> Result<T, FsError>) -> Result<T, FsError> {
        match work() {
            Err(FsError::NoSpace) => {
                self.chores.reap_now(self.inodes.unused_orphans())?;
                work()
            }
            other => other,
        }
    }

    /// Where `done` says that the record is gone, `act` is done to what is left of it for those who still refer to it.
    pub(super) fn or_ghost<T>(
        &self,
        done: Result<T, FsError>,
        ino: Ino,
        act: impl FnOnce(&mut Ghost) -> Result<T, FsError>,
    ) -> Result<T, FsError> {
        match done {
            Err(FsError::Stale(_)) => self.inodes.with_ghost(ino, act).unwrap_or(Err(FsError::Stale(ino))),
            done => done,
        }
    }

    /// What users see of an inode whose record is `record`.
    pub(super) fn attr(&self, ino: Ino, record: &Inode) -> Attr {
        let (dirty, atime) = (self.content.dirty_attr(ino), self.inodes.atime(ino));
        Attr::new(ino, record, dirty, atime, self.volume.chunk_size())
    }

    /// The same, with one lookup counted: only for replies by which the kernel learns of the inode.
    pub(super) fn entry(&self, ino: Ino, record: &Inode) -> Entry {
        let generation = self.inodes.looked_up(ino);
        Entry { attr: self.attr(ino, record), generation }
    }
}

/// The record of an inode the kernel named.
///
/// # Errors
/// `Stale` when there is none any more.
pub(super) fn inode_of(view: &(impl View + ?Sized), ino: Ino) -> Result<Inode, FsError> {
    read::inode(view, ino)?.ok_or(FsError::Stale(ino))
}
