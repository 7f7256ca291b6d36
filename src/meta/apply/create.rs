//! create, mkdir, mknod, symlink, and files without a name.
use crate::base::{Ino, Timestamp};
use crate::meta::key;
use crate::meta::op::Op;
use crate::meta::read;
use crate::meta::record::{FileKind, Inode, Orphan, Xattr};

use super::ApplyError;
use super::edit::{Edit, add};

pub(super) fn create(edit: &mut Edit<'_, '_>, op: &Op) -> Result<(), ApplyError> {
    let Op::Create { parent, name, ino, kind, xattrs, time, .. } = op else { return Ok(()) };
    if edit.entry(*parent, name)?.is_some() {
        return Err(ApplyError::Exists);
    }
    if read::inode(edit.txn, *ino)?.is_some() {
        return Err(ApplyError::Invalid("an inode number that is taken"));
    }
    edit.insert_inode(*ino, new_inode(op)?);
    count_inode(edit)?;
    for (name, value) in xattrs {
        edit.txn.put(key::xattr(*ino, name), Xattr { value: value.clone() }.encode());
    }
    if name.is_empty() { keep_unnamed(edit, *ino) } else { name_it(edit, *parent, name, *ino, *kind, *time) }
}

fn new_inode(op: &Op) -> Result<Inode, ApplyError> {
    let Op::Create { parent, name, kind, perm, uid, gid, rdev, target, xattrs, time, .. } = op else {
        return Err(ApplyError::Invalid("an op that is no Create"));
    };
    let is_device = matches!(kind, FileKind::CharDevice | FileKind::BlockDevice);
    Ok(Inode {
        kind: *kind,
        perm: *perm,
        uid: *uid,
        gid: *gid,
        nlink: match kind {
            FileKind::Directory => 2,
            _ => u32::from(!name.is_empty()),
        },
        size: target.len() as u64,
        allocated: 0,
        rdev: if is_device { *rdev } else { 0 },
        atime: *time,
        mtime: *time,
        ctime: *time,
        btime: *time,
        parent: *parent,
        version: 0,
        has_xattrs: !xattrs.is_empty(),
        target: target.clone(),
    })
}

fn count_inode(edit: &mut Edit<'_, '_>) -> Result<(), ApplyError> {
    let enforce = edit.context.enforce_quota;
    let superblock = edit.superblock_mut()?;
    add(&mut superblock.inodes, 1, "the volume's inodes")?;
    let over = superblock.quota_inodes != 0 && superblock.inodes > superblock.quota_inodes;
    if enforce && over { Err(ApplyError::Quota) } else { Ok(()) }
}

fn keep_unnamed(edit: &mut Edit<'_, '_>, ino: Ino) -> Result<(), ApplyError> {
    let slot = edit.context.slot;
    if slot == 0 {
        return Err(ApplyError::Invalid("a file without a name and without a session"));
    }
    edit.txn.put(key::orphan(ino), Orphan { slot }.encode());
    Ok(())
}

fn name_it(
    edit: &mut Edit<'_, '_>,
    parent: Ino,
    name: &[u8],
    ino: Ino,
    kind: FileKind,
    time: Timestamp,
) -> Result<(), ApplyError> {
    edit.put_entry(parent, name, ino, kind);
    edit.entry_added(parent, kind, time)
}
