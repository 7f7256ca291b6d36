//! Setting and removing access control lists: the permission bits follow, and a list that says no more than
//! they do is not kept.

use bytes::Bytes;

use crate::base::{Ino, Timestamp};
use crate::fs::acl::{self, Acl};
use crate::fs::caller::Caller;
use crate::fs::error::FsError;
use crate::fs::filesystem::{Filesystem, inode_of};
use crate::fs::ghost::Ghost;
use crate::meta::op::Op;
use crate::meta::read;
use crate::meta::record::{FileKind, Inode};
use crate::volume::OpTxn;

const SET_GROUP: u16 = 0o2000;

impl Filesystem {
    /// Sets the list that the attribute `name` stands for. An empty list removes it.
    pub(super) fn set_acl(
        &self,
        caller: &Caller,
        ino: Ino,
        name: &[u8],
        value: &[u8],
    ) -> Result<(), FsError> {
        let Some(list) = Acl::from_xattr(value)? else { return self.remove_acl(ino, name) };
        let ctime = self.volume.now();
        // /proc is asked outside of the transaction, which may run again.
        let group = self.volume.read(|view| Ok::<_, FsError>(inode_of(view, ino)?.gid));
        let member = caller.is_member(self.or_ghost(group, ino, |ghost| Ok(ghost.inode.gid))?);
        let set = self.change(|txn| {
            let inode = inode_of(txn, ino)?;
            match inode.kind {
                FileKind::Symlink => return Err(FsError::NotSupported),
                FileKind::Directory => {}
                _ if name == acl::DEFAULT => return Err(FsError::Denied),
                _ => {}
            }
            if name == acl::DEFAULT {
                return put(txn, ino, acl::DEFAULT, &list, None, ctime);
            }
            let perm = shown_as(&list, &inode, member);
            if !list.is_plain() {
                return put(txn, ino, acl::ACCESS, &list, Some(perm), ctime);
            }
            remove_if_there(txn, ino, &inode, acl::ACCESS, ctime)?;
            let (uid, gid, atime, mtime) = (None, None, None, None);
            txn.apply(Op::SetAttr { ino, perm: Some(perm), uid, gid, atime, mtime, ctime })?;
            Ok(())
        });
        self.or_ghost(set, ino, |ghost| set_of_ghost(ghost, name, &list, member, ctime))
    }

    /// Removes a list. The permission bits stay, as setfacl(1) expects.
    pub(super) fn remove_acl(&self, ino: Ino, name: &[u8]) -> Result<(), FsError> {
        let name: &'static [u8] = if name == acl::ACCESS { acl::ACCESS } else { acl::DEFAULT };
        let ctime = self.volume.now();
        let removed = self.change(|txn| {
            let inode = inode_of(txn, ino)?;
            if inode.kind == FileKind::Symlink {
                return Err(FsError::NotSupported);
            }
            remove_if_there(txn, ino, &inode, name, ctime)
        });
        self.or_ghost(removed, ino, |ghost| remove_of_ghost(ghost, name, ctime))
    }
}

/// The permission bits that go with an access list; set-group-id goes for callers outside the group.
fn shown_as(list: &Acl, inode: &Inode, member: bool) -> u16 {
    let special = if member { inode.perm & 0o7000 } else { inode.perm & 0o7000 & !SET_GROUP };
    special | list.permission_bits()
}

/// As for an inode with a record; a ghost is a directory.
fn set_of_ghost(
    ghost: &mut Ghost,
    name: &[u8],
    list: &Acl,
    member: bool,
    ctime: Timestamp,
) -> Result<(), FsError> {
    if name == acl::ACCESS {
        ghost.inode.perm = shown_as(list, &ghost.inode, member);
        if list.is_plain() {
            return remove_of_ghost(ghost, name, ctime);
        }
    }
    ghost.set_xattr(name, &list.to_xattr(), None, ctime)
}

fn remove_of_ghost(ghost: &mut Ghost, name: &[u8], ctime: Timestamp) -> Result<(), FsError> {
    match ghost.remove_xattr(name, ctime) {
        Err(FsError::NoXattr) => Ok(()),
        removed => removed,
    }
}

fn put(
    txn: &mut OpTxn<'_>,
    ino: Ino,
    name: &'static [u8],
    list: &Acl,
    perm: Option<u16>,
    ctime: Timestamp,
) -> Result<(), FsError> {
    let (name, value) = (Bytes::from_static(name), list.to_xattr().into());
    txn.apply(Op::SetXattr { ino, name, value, create: None, perm, ctime })?;
    Ok(())
}

fn remove_if_there(
    txn: &mut OpTxn<'_>,
    ino: Ino,
    inode: &Inode,
    name: &'static [u8],
    ctime: Timestamp,
) -> Result<(), FsError> {
    if inode.has_xattrs && read::xattr(txn, ino, name)?.is_some() {
        txn.apply(Op::RemoveXattr { ino, name: Bytes::from_static(name), perm: None, ctime })?;
    }
    Ok(())
}
