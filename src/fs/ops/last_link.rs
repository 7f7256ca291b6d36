//! What becomes of an inode that loses a name.
//!
//! A file that the kernel knows stays as an orphan of this session, open or not: another process may have just
//! walked to it, and what it goes on to do (open, chmod, setxattr) must find a file, as on any disk. The kernel
//! forgets a file without a name as soon as nobody refers to it, and then it is reaped; what only waits for that
//! does not count as used space. A directory goes at once: nobody can use it without a name. Its last attributes
//! stay in memory for those whose working directory it is.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::base::{Ino, Timestamp};
use crate::fs::error::FsError;
use crate::fs::filesystem::Filesystem;
use crate::fs::ghost::{Ghost, xattrs_of};
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
    /// Of a directory that the kernel knows.
    xattrs: BTreeMap<Bytes, Bytes>,
    /// Records are left that are to be reaped step by step.
    leftover: bool,
}

impl Parting {
    /// Sees whether the kernel knows the inode, as it is before it loses the name. Called within the transaction:
    /// the kernel looks up no name while it removes it.
    pub fn decide(fs: &Filesystem, view: &impl View, ino: Ino, inode: Inode) -> Result<Self, FsError> {
        let known = fs.inodes.is_known(ino);
        let (last, xattrs) = match inode.kind {
            FileKind::Directory if known => (LastLink::Reap, xattrs_of(view, ino, &inode)?),
            FileKind::Directory => (LastLink::Reap, BTreeMap::new()),
            _ if known => (LastLink::Keep(fs.volume.slot()), BTreeMap::new()),
            _ => (LastLink::Reap, BTreeMap::new()),
        };
        Ok(Self { ino, inode, last, xattrs, leftover: false })
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
        let Parting { ino, mut inode, last, xattrs, leftover } = parting;
        match last {
            LastLink::Keep(_) => self.inodes.orphaned(ino),
            LastLink::Reap => {
                self.content.discard(ino);
                if leftover {
                    self.chores.reap(ino);
                }
                inode.nlink = 0;
                inode.ctime = time;
                self.inodes.vanished(ino, Ghost::new(inode, xattrs));
            }
        }
    }
}
