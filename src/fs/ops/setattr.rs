//! chmod(2), chown(2), truncate(2), utimensat(2), and the times the kernel flushes.

use bytes::Bytes;

use crate::base::{Ino, Timestamp};
use crate::fs::acl::{self, Acl};
use crate::fs::attr::Attr;
use crate::fs::caller::Caller;
use crate::fs::error::FsError;
use crate::fs::filesystem::{Filesystem, inode_of};
use crate::fs::ghost::Ghost;
use crate::fs::set_id::without_set_id;
use crate::meta::op::Op;
use crate::meta::read;
use crate::meta::record::{FileKind, Inode};
use crate::volume::OpTxn;

/// A time to set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetTime {
    Now,
    At(Timestamp),
}

impl SetTime {
    fn moment(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Now => now,
            Self::At(time) => time,
        }
    }
}

/// What one request changes. With write-back caching the kernel sends the change time along.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changes {
    /// 0..=0o7777; the kernel has checked that the caller may set these bits.
    pub perm: Option<u16>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub size: Option<u64>,
    pub atime: Option<SetTime>,
    pub mtime: Option<SetTime>,
    pub ctime: Option<Timestamp>,
}

impl Changes {
    /// Nothing but times the kernel keeps for itself anyway.
    fn only_kernel_times(&self) -> bool {
        let others = self.perm.is_some() || self.uid.is_some() || self.gid.is_some() || self.size.is_some();
        !others && self.atime.is_none()
    }

    /// The kernel asks for set-id bits to go: it sends no attribute at all (but maybe the change time)
    /// before a write that takes them, and for a chown(2) that changes neither owner nor group, whoever calls it.
    fn only_drops_set_id(&self) -> bool {
        self.only_kernel_times() && self.mtime.is_none()
    }
}

impl Filesystem {
    /// Changes attributes and shows the new ones. A change of size comes first; when the rest fails then, the
    /// size has changed.
    ///
    /// # Errors
    /// `Stale`; for sizes `IsDirectory`, `Invalid`, `TooBig` and `NoSpace`.
    pub fn setattr(&self, caller: &Caller, ino: Ino, changes: Changes) -> Result<Attr, FsError> {
        if let Some(size) = changes.size {
            self.truncate(caller, ino, size)?;
        }
        let rest = Changes { size: None, ..changes };
        if changes.size.is_some() && rest == Changes::default() {
            return self.getattr(ino);
        }
        if changes.atime.is_some() {
            self.inodes.clear_atime(ino);
        }
        let set = self.set_recorded(caller, ino, rest).map(|inode| {
            self.inodes.changed(ino);
            self.attr(ino, &inode)
        });
        // The record went with the last name: what is remembered of it changes.
        let (now, chunk_size) = (self.volume.now(), self.volume.chunk_size());
        self.or_ghost(set, ino, |ghost| {
            set_ghost(ghost, rest, now)?;
            Ok(Attr::new(ino, &ghost.inode, None, None, chunk_size))
        })
    }

    fn truncate(&self, caller: &Caller, ino: Ino, size: u64) -> Result<(), FsError> {
        let inode = self.volume.read(|view| inode_of(view, ino))?;
        match inode.kind {
            FileKind::Regular => self.content.truncate(ino, size, self.perm_after_write(caller, &inode)),
            FileKind::Directory => Err(FsError::IsDirectory),
            FileKind::Symlink
            | FileKind::Fifo
            | FileKind::Socket
            | FileKind::CharDevice
            | FileKind::BlockDevice => Err(FsError::Invalid("only regular files have a size to set")),
        }
    }

    /// Everything but the size, in one transaction.
    fn set_recorded(&self, caller: &Caller, ino: Ino, changes: Changes) -> Result<Inode, FsError> {
        let now = self.volume.now();
        let permit = self.volume.enter()?;
        // Written data carries a modification time of its own until it is recorded: an explicit one must win.
        if changes.mtime.is_some() && self.content.dirty_attr(ino).is_some_and(|dirty| dirty.time.is_some()) {
            self.content.settle(ino, &permit)?;
        }
        self.volume.transact(&permit, |txn| {
            let inode = inode_of(txn, ino)?;
            if inode.nlink == 0 && changes.only_kernel_times() && !changes.only_drops_set_id() {
                return Ok(inode); // nobody will see these times but through the kernel, which has them
            }
            self.apply_changes(txn, caller, ino, &inode, changes, now)?;
            inode_of(txn, ino)
        })
    }

    /// Root writes to a file with capabilities: the kernel has them removed, and sends an order without any attribute
    /// besides, which leaves the set-id bits alone. A chown(2) to nobody carries the change time where the kernel
    /// keeps the times; where it does not, the two look the same, and the bits go.
    fn only_drops_capabilities(&self, caller: &Caller, inode: &Inode, changes: Changes) -> bool {
        let kept_by_kernel = self.writeback && inode.kind == FileKind::Regular;
        caller.uid == 0 && kept_by_kernel && changes.ctime.is_none()
    }

    fn apply_changes(
        &self,
        txn: &mut OpTxn<'_>,
        caller: &Caller,
        ino: Ino,
        inode: &Inode,
        changes: Changes,
        now: Timestamp,
    ) -> Result<(), FsError> {
        let moment = |time: SetTime| time.moment(now);
        let ctime = changes.ctime.unwrap_or(now);
        if changes.only_drops_set_id()
            && (self.only_drops_capabilities(caller, inode, changes) || !may_have_written(caller, inode))
        {
            return Ok(()); // or a chown(2) to nobody, by somebody who may not touch the file
        }
        let drops = changes.uid.is_some() || changes.gid.is_some() || changes.only_drops_set_id();
        let perm = match changes.perm {
            None if drops => without_set_id(inode, || caller.is_member(inode.gid)),
            perm => perm.map(|perm| perm & 0o7777),
        };
        if let Some(perm) = changes.perm {
            keep_acl_in_step(txn, ino, inode, perm, ctime)?;
        }
        txn.apply(Op::SetAttr {
            ino,
            perm,
            uid: changes.uid,
            gid: changes.gid,
            atime: changes.atime.map(moment),
            mtime: changes.mtime.map(moment),
            ctime,
        })?;
        Ok(())
    }
}

fn set_ghost(ghost: &mut Ghost, changes: Changes, now: Timestamp) -> Result<(), FsError> {
    let moment = |time: SetTime| time.moment(now);
    if let Some(perm) = changes.perm {
        ghost.chmod(perm & 0o7777)?;
    }
    let inode = &mut ghost.inode;
    inode.uid = changes.uid.unwrap_or(inode.uid);
    inode.gid = changes.gid.unwrap_or(inode.gid);
    inode.atime = changes.atime.map_or(inode.atime, moment);
    inode.mtime = changes.mtime.map_or(inode.mtime, moment);
    inode.ctime = changes.ctime.unwrap_or(now);
    Ok(())
}

/// False for those whom permissions keep from writing, the owner and root aside. Who opened the file before they did
/// keeps the bits here, but not in the write that follows: that carries its own order (FUSE_WRITE_KILL_SUIDGID).
fn may_have_written(caller: &Caller, inode: &Inode) -> bool {
    let (group, others) = (inode.perm & 0o020 != 0, inode.perm & 0o002 != 0);
    // The group's bits are the mask of an access list, where there is one.
    let in_class = || inode.has_xattrs || caller.is_member(inode.gid);
    caller.uid == 0 || caller.uid == inode.uid || others || group && in_class()
}

/// chmod(2) shows in the access list too, where there is one.
fn keep_acl_in_step(
    txn: &mut OpTxn<'_>,
    ino: Ino,
    inode: &Inode,
    perm: u16,
    ctime: Timestamp,
) -> Result<(), FsError> {
    if !inode.has_xattrs {
        return Ok(());
    }
    let Some(value) = read::xattr(txn, ino, acl::ACCESS)? else { return Ok(()) };
    if let Some(list) = Acl::from_xattr(&value)? {
        let value = list.with_permission_bits(perm).to_xattr().into();
        let name = Bytes::from_static(acl::ACCESS);
        txn.apply(Op::SetXattr { ino, name, value, create: None, perm: None, ctime })?;
    }
    Ok(())
}
