//! What create, mkdir, mknod and symlink have in common: a new inode with a name.

use bytes::Bytes;

use crate::base::{Ino, Timestamp};
use crate::fs::acl::{self, Acl};
use crate::fs::attr::Entry;
use crate::fs::caller::Caller;
use crate::fs::error::FsError;
use crate::fs::filesystem::{Filesystem, inode_of};
use crate::fs::name;
use crate::meta::op::Op;
use crate::meta::read;
use crate::meta::record::{FileKind, Inode};
use crate::meta::view::View;
use crate::volume::OpTxn;

const SET_GROUP: u16 = 0o2000;

/// A file to be made.
pub(super) struct New<'a> {
    pub parent: Ino,
    pub name: &'a [u8],
    pub kind: FileKind,
    /// Permission bits asked for, before umask or inheritance.
    pub perm: u16,
    pub umask: u16,
    pub rdev: u32,
    /// Symlinks only.
    pub target: &'a [u8],
}

impl<'a> New<'a> {
    /// What overlay filesystems take for "nothing here, whatever the layers below say".
    pub fn whiteout(parent: Ino, name: &'a [u8]) -> Self {
        Self { parent, name, kind: FileKind::CharDevice, perm: 0, umask: 0, rdev: 0, target: b"" }
    }
}

/// What a new file inherits from its directory.
struct Heritage {
    perm: u16,
    gid: u32,
    xattrs: Vec<(Bytes, Bytes)>,
}

impl Filesystem {
    /// Makes the file under the number `ino`, owned by the caller, and counts a lookup.
    ///
    /// # Errors
    /// `Exists`, `NameTooLong`, `NoSpace` over the quota, `Stale` or `NotDirectory` for a bad parent.
    pub(super) fn make(&self, caller: &Caller, ino: Ino, new: &New<'_>) -> Result<Entry, FsError> {
        name::check(new.name)?;
        let time = self.volume.now();
        let inode = self.with_room(|| self.change(|txn| create(txn, caller, ino, new, time)))?;
        Ok(self.entry(ino, &inode))
    }
}

/// Makes the file within a transaction; gives back its record.
pub(super) fn create(
    txn: &mut OpTxn<'_>,
    caller: &Caller,
    ino: Ino,
    new: &New<'_>,
    time: Timestamp,
) -> Result<Inode, FsError> {
    let parent = inode_of(txn, new.parent)?;
    let Heritage { perm, gid, xattrs } = inherit(txn, &parent, caller, new)?;
    txn.apply(Op::Create {
        parent: new.parent,
        name: Bytes::copy_from_slice(new.name),
        ino,
        kind: new.kind,
        perm,
        uid: caller.uid,
        gid,
        rdev: new.rdev,
        target: Bytes::copy_from_slice(new.target),
        xattrs,
        time,
    })?;
    inode_of(txn, ino)
}

/// Group, permission bits and access control lists of a new file: a set-group-id directory hands on its
/// group (and the bit to subdirectories); a default list takes the place of the umask.
fn inherit(view: &impl View, parent: &Inode, caller: &Caller, new: &New<'_>) -> Result<Heritage, FsError> {
    let mut perm = new.perm & 0o7777;
    let mut gid = caller.gid;
    if parent.perm & SET_GROUP != 0 {
        gid = parent.gid;
        if new.kind == FileKind::Directory {
            perm |= SET_GROUP;
        }
    }
    if new.kind == FileKind::Symlink {
        return Ok(Heritage { perm: 0o777, gid, xattrs: Vec::new() });
    }
    let Some(default) = default_acl(view, parent, new.parent)? else {
        return Ok(Heritage { perm: perm & !(new.umask & 0o777), gid, xattrs: Vec::new() });
    };
    let mut xattrs = Vec::new();
    let (access, perm) = default.inherited(perm);
    if let Some(access) = access {
        xattrs.push((Bytes::from_static(acl::ACCESS), access.to_xattr().into()));
    }
    if new.kind == FileKind::Directory {
        xattrs.push((Bytes::from_static(acl::DEFAULT), default.to_xattr().into()));
    }
    Ok(Heritage { perm, gid, xattrs })
}

fn default_acl(view: &impl View, parent: &Inode, ino: Ino) -> Result<Option<Acl>, FsError> {
    if !parent.has_xattrs {
        return Ok(None);
    }
    match read::xattr(view, ino, acl::DEFAULT)? {
        Some(value) => Acl::from_xattr(&value),
        None => Ok(None),
    }
}
