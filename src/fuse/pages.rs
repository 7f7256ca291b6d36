//! Making the kernel write back what it caches of a file, or ask again for its attributes.
//!
//! There is no request for that, but taking cached pages back writes the dirty ones first. These are the only
//! notifications that are sent while a request waits for them, by the thread that serves the request. That is
//! safe: the kernel's side holds locks of single pages and waits for write requests, which other threads
//! serve (see `lanes`: some are always free to); it does not take the inode's lock, which the
//! waiting request holds. Forgetting attributes waits for nothing.

use std::sync::{Arc, OnceLock};

use fuser::{INodeNo, Notifier};

use crate::base::Ino;

/// The kernel's page cache, once the mount is connected.
#[derive(Clone, Default)]
pub struct Pages {
    notifier: Arc<OnceLock<Notifier>>,
}

impl Pages {
    /// Tells how to reach the kernel. Called once, before the first request.
    pub fn connect(&self, notifier: Notifier) {
        if self.notifier.set(notifier).is_err() {
            log::error!("a mount was connected twice");
        }
    }

    /// Has the kernel ask for the attributes of `ino` again; waits for nothing.
    pub fn forget_attributes(&self, ino: Ino) {
        let Some(notifier) = self.notifier.get() else { return };
        // A negative offset leaves the pages alone (fuse_reverse_inval_inode in fs/fuse/inode.c).
        if let Err(error) = notifier.inval_inode(INodeNo(ino.0), -1, 0) {
            log::debug!("the kernel did not forget the attributes of inode {ino}: {error}");
        }
    }

    /// Has the kernel drop the pages of `len` bytes (1 at least) of `ino` from `offset` on; those that were written arrive
    /// first. One whose reading is under way is waited for.
    pub fn drop_range(&self, ino: Ino, offset: u64, len: u64) {
        let Some(notifier) = self.notifier.get() else { return };
        // Offsets of files fit: they end at 16 TiB.
        if let Err(error) = notifier.inval_inode(INodeNo(ino.0), offset as i64, len as i64) {
            log::warn!("the kernel did not drop pages of inode {ino}: {error}");
        }
    }

    /// Has the kernel send all written pages of `ino` and drop them; they have arrived when this returns.
    pub fn write_back(&self, ino: Ino) {
        let Some(notifier) = self.notifier.get() else { return };
        if let Err(error) = notifier.inval_inode(INodeNo(ino.0), 0, 0) {
            log::warn!("the kernel did not write back inode {ino}: {error}");
        }
    }
}
