//! The contents of files: dirty chunks, reads through the caches, and every call that changes bytes.
//!
//! Written bytes live here as *dirty chunks* until they are settled: given a place in a segment (or
//! made inline) and turned into `Op::Write`. Settling happens when much is dirty (oldest first), before
//! operations that need the records to be true, and for everything at each cut (`DirtySource::drain`),
//! so that a commit holds exactly the acknowledged operations (M2).
//!
//! Invariants:
//! - a file's dirty chunks override its records; bytes past a chunk's length are zeros;
//! - what a file's state says of size and times is right while it has any dirty chunk;
//! - every change happens under a volume permit *and* the file's lock; bucket I/O happens under neither;
//! - memory is bounded: writers settle chunks of the oldest files themselves once `dirty_limit` is reached (M7).
//!
//! Lock order: permit → file table → file state → volume state. The table's lock is never held while a
//! file's is awaited.

mod base;
mod copy;
mod cut;
mod dirty;
mod fallocate;
mod quota;
mod read;
mod read_ahead;
mod seek;
mod settle;
mod table;
mod truncate;
mod write;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;

use crate::base::{Ino, Timestamp};
use crate::object::Buffers;
use crate::volume::Volume;

pub use dirty::DirtyAttr;
use dirty::FileState;

/// Largest file, in bytes: 16 TiB.
pub const MAX_FILE: u64 = 1 << 44;

/// Bytes of chunk buffers that are kept for the next chunks: about what is dirty, waits and is cached while files are
/// written (M7).
const CHUNKS_KEPT: usize = 64 << 20;

/// The contents of all open and dirty files of a mounted volume.
pub struct Content {
    /// For work in the background, which ends with the contents.
    me: Weak<Content>,
    volume: Arc<Volume>,
    chunk_size: u64,
    /// Dirty bytes above which writers settle the oldest chunks.
    dirty_limit: u64,
    /// The turn to settle because too much is dirty, in the order of coming. Taken before a permit, with no other lock: its
    /// holder may wait until the bucket has taken something, as do those behind.
    settling: Mutex<()>,
    /// A commit is about to be cut, and little should be dirty.
    easing: AtomicBool,
    /// The kernel says when a file was modified.
    kernel_times: AtomicBool,
    table: table::Table,
    /// Is told of files whose dirty data has become operations.
    settled: OnceLock<Box<dyn Fn(Ino) + Send + Sync>>,
    /// For chunks that are written whole, or nearly.
    buffers: Buffers,
    read_ahead: read_ahead::ReadAhead,
}

impl Content {
    /// `dirty_limit` is in bytes, those that are about to be written included.
    pub fn new(volume: Arc<Volume>, dirty_limit: u64) -> Arc<Content> {
        let chunk_size = u64::from(volume.chunk_size());
        let read_ahead = read_ahead::ReadAhead::default();
        let buffers = Buffers::new(chunk_size as usize).keeping(CHUNKS_KEPT, volume.runtime().clone());
        Arc::new_cyclic(|me| Content {
            me: Weak::clone(me),
            volume,
            chunk_size,
            dirty_limit,
            settling: Mutex::default(),
            easing: AtomicBool::new(false),
            kernel_times: AtomicBool::new(false),
            table: table::Table::default(),
            settled: OnceLock::new(),
            buffers,
            read_ahead,
        })
    }

    /// Size, times and space of a file with dirty data; None: the record is right. The change time to
    /// show is the later of this one and the record's.
    pub fn dirty_attr(&self, ino: Ino) -> Option<DirtyAttr> {
        self.table.existing(ino).and_then(|file| file.state.lock().attr())
    }

    /// Files with written data that no operation holds yet (some may have just become clean).
    pub fn dirty_files(&self) -> u64 {
        self.table.len() as u64
    }

    /// The inode is gone for good (reaped): its dirty data has no reader any more.
    pub fn discard(&self, ino: Ino) {
        self.read_ahead.forget(ino);
        if let Some(file) = self.table.existing(ino) {
            let freed = file.state.lock().clear();
            self.table.freed(freed);
        }
        self.table.sweep(ino);
    }

    /// From now on changes of content leave the times alone: with write-back caching the kernel keeps them
    /// and sends them when it has sent the data.
    pub fn leave_times_to_kernel(&self) {
        self.kernel_times.store(true, Ordering::Relaxed);
    }

    /// Calls `heard` with each file whose dirty data has become operations: under locks, so it must not wait. Only the first
    /// listener counts.
    pub fn set_settled(&self, heard: impl Fn(Ino) + Send + Sync + 'static) {
        self.settled.get_or_init(|| Box::new(heard));
    }

    /// The time of a change of content; None: it stays as recorded.
    fn time(&self) -> Option<Timestamp> {
        (!self.kernel_times.load(Ordering::Relaxed)).then(|| self.volume.now())
    }
}
