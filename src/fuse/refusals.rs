//! Telling a program that writes on and on that its file grows no more.
//!
//! With write-back caching write(2) ends in the kernel's page cache, and what finds no room here later is reported by fsync and
//! close alone: a program that does neither would write into the void for ever. But before each such write the kernel
//! makes sure that it has the file's attributes (`fuse_cache_write_iter` in fs/fuse/file.c). So after a refusal it is made to
//! forget them, and the answer to its question becomes that of the write, once for each refusal: later than on a disk,
//! as with NFS. The question names the handle; stat(2) and fstat(2) never do. Reading past the end and seeking to it do, too,
//! so only handles for writing alone are told.
//!
//! Bounded by the files that are open for writing: closing one, which reports it as well, forgets it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::pages::Pages;
use crate::base::Ino;
use crate::fs::{FsError, Handle};

/// The files whose cached pages were refused for want of room, and whose writers have not heard of it.
#[derive(Clone, Default)]
pub struct Refusals(Arc<Mutex<HashSet<Ino>>>);

impl Refusals {
    /// Notes how a write of cached pages to `ino` ended.
    pub fn note(&self, ino: Ino, result: &Result<usize, FsError>, pages: &Pages) {
        if matches!(result, Err(FsError::NoSpace)) {
            self.0.lock().insert(ino);
            pages.forget_attributes(ino);
        }
    }

    /// Whether the writer behind `handle`, which names the request for attributes of `ino`, is to be told.
    pub fn take(&self, ino: Ino, handle: Option<Handle>) -> bool {
        handle.is_some_and(Handle::only_writes) && self.0.lock().remove(&ino)
    }

    /// How long the kernel may believe attributes of `ino` that it asked for on behalf of somebody else: the next write is
    /// to ask again.
    pub fn cap(&self, ino: Ino, ttl: Duration) -> Duration {
        if self.0.lock().contains(&ino) { Duration::ZERO } else { ttl }
    }

    /// Its writer hears of it in another way.
    pub fn forget(&self, ino: Ino) {
        self.0.lock().remove(&ino);
    }
}
