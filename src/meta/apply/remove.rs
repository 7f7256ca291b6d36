//! unlink and rmdir, and what becomes of an inode that has lost a name.
use crate::base::{Ino, Timestamp};
use crate::meta::key;
use crate::meta::op::{INSTANT_REAP, LastLink};
use crate::meta::record::{FileKind, Orphan};

use super::edit::{Edit, drop_link};
use super::{ApplyError, reap};

pub(super) fn unlink(
    edit: &mut Edit<'_, '_>,
    parent: Ino,
    name: &[u8],
    ino: Ino,
    last: LastLink,
    time: Timestamp,
) -> Result<(), ApplyError> {
    let dentry = edit.expected_entry(parent, name, ino)?;
    if dentry.kind == FileKind::Directory {
        return Err(ApplyError::IsDirectory);
    }
    edit.txn.remove(key::dentry(parent, name));
    edit.entry_removed(parent, dentry.kind, time)?;
    lose_name(edit, ino, last, time)
}

pub(super) fn rmdir(
    edit: &mut Edit<'_, '_>,
    parent: Ino,
    name: &[u8],
    ino: Ino,
    time: Timestamp,
) -> Result<(), ApplyError> {
    let dentry = edit.expected_entry(parent, name, ino)?;
    require_empty_directory(edit, ino)?;
    edit.txn.remove(key::dentry(parent, name));
    edit.entry_removed(parent, dentry.kind, time)?;
    lose_directory(edit, ino, time)
}

pub(super) fn require_empty_directory(edit: &mut Edit<'_, '_>, ino: Ino) -> Result<(), ApplyError> {
    if edit.directory(ino)?.size == 0 { Ok(()) } else { Err(ApplyError::NotEmpty) }
}

/// A file has lost one of its names, which its directory has counted already.
pub(super) fn lose_name(
    edit: &mut Edit<'_, '_>,
    ino: Ino,
    last: LastLink,
    time: Timestamp,
) -> Result<(), ApplyError> {
    let inode = edit.inode_mut(ino)?;
    drop_link(inode)?;
    inode.ctime = time;
    if inode.nlink == 0 { release(edit, ino, last) } else { Ok(()) }
}

/// An empty directory has lost its name, which its parent has counted already.
pub(super) fn lose_directory(edit: &mut Edit<'_, '_>, ino: Ino, time: Timestamp) -> Result<(), ApplyError> {
    let inode = edit.inode_mut(ino)?;
    inode.nlink = 0;
    inode.ctime = time;
    release(edit, ino, LastLink::Reap)
}

/// The inode has no name any more.
fn release(edit: &mut Edit<'_, '_>, ino: Ino, last: LastLink) -> Result<(), ApplyError> {
    let slot = match last {
        LastLink::Keep(slot) => slot,
        LastLink::Reap => {
            let parts = reap::parts(edit, ino, INSTANT_REAP)?;
            if parts.complete {
                return reap::take_all(edit, ino, parts);
            }
            0
        }
    };
    edit.txn.put(key::orphan(ino), Orphan { slot }.encode());
    Ok(())
}
