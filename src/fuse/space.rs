//! Showing how much space a file takes that is written and stays open.
//!
//! With write-back caching the kernel believes what it was told of `st_blocks` until the file is closed (`fuse_flush` in
//! fs/fuse/file.c): of a log that is kept open du(1) would never see more than it had at first. So where its written pages
//! have become chunks, and when fsync returns, the kernel is made to ask again.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::base::Ino;

/// Files of which cached pages arrived since they were closed last, or since the kernel was made to ask again. Bounded by
/// those with dirty data.
#[derive(Clone, Default)]
pub struct Space(Arc<Mutex<HashSet<Ino>>>);

impl Space {
    /// Cached pages of `ino` have arrived.
    pub fn grew(&self, ino: Ino) {
        self.0.lock().insert(ino);
    }

    /// Whether the kernel believes something old of `ino`.
    pub fn is_old(&self, ino: Ino) -> bool {
        self.0.lock().contains(&ino)
    }

    /// The same, and from now on it does not.
    pub fn take(&self, ino: Ino) -> bool {
        self.0.lock().remove(&ino)
    }
}
