//! What becomes of an inode that loses a name.
//!
//! A file that is open stays as an orphan of this session: reads and writes go on, and the last to let go of
//! it has it reaped. A file that nobody has open goes at once, so that its space is free when unlink(2)
//! returns; its last attributes stay in memory for those who still hold a reference without a handle.

use crate::base::{Ino, Timestamp};
use crate::fs::error::FsError;
use crate::fs::filesystem::Filesystem;
use crate::meta::op::LastLink;
use crate::meta::read;
use crate::meta::record::{FileKind, Inode};
use crate::meta::view::View;

/// An inode about to lose a name: decided within the transaction, acted on after it.
pub(super) struct Parting {
    ino: Ino,
    /// As it was before.
    inode: Inode,
    last: LastLink,
    /// Records are left that are to be reaped step by step.
    leftover: bool,
}

impl Parting {
    /// Sees whether the inode is open. Called within the transaction: a handle opened later does not find
    /// the inode.
    pub fn decide(fs: &Filesystem, ino: Ino, inode: Inode) -> Self {
        let keep = fs.inodes.is_open(ino) && inode.kind != FileKind::Directory;
        let last = if keep { LastLink::Keep(fs.volume.slot()) } else { LastLink::Reap };
        Self { ino, inode, last, leftover: false }
    }

    /// What the operation says of it.
    pub fn last(&self) -> LastLink {
        self.last
    }

    /// Notes, still within the transaction and after the operation, whether records are left.
    pub fn applied(mut self, view: &impl View) -> Result<Self, FsError> {
        self.leftover = self.was_last() && read::inode(view, self.ino)?.is_some();
        Ok(self)
    }

    fn was_last(&self) -> bool {
        self.inode.kind == FileKind::Directory || self.inode.nlink <= 1
    }
}

impl Filesystem {
    /// After the transaction, and while its permit is still held, so that no commit looks for the content
    /// of a file without a record.
    pub(super) fn parted(&self, parting: Parting, time: Timestamp) {
        if !parting.was_last() {
            return;
        }
        let Parting { ino, mut inode, last, leftover } = parting;
        match last {
            LastLink::Keep(_) => self.inodes.orphaned(ino),
            LastLink::Reap => {
                self.content.discard(ino);
                if leftover {
                    self.chores.reap(ino);
                }
                inode.nlink = 0;
                inode.ctime = time;
                self.inodes.vanished(ino, inode);
            }
        }
    }
}
