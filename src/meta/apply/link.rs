//! Another name for a file.
use crate::base::{Ino, Timestamp};
use crate::meta::key;
use crate::meta::record::FileKind;

use super::ApplyError;
use super::edit::{Edit, add_link};

/// An orphan of the writing session (O_TMPFILE) becomes a file by its first name.
pub(super) fn link(
    edit: &mut Edit<'_, '_>,
    ino: Ino,
    parent: Ino,
    name: &[u8],
    time: Timestamp,
) -> Result<(), ApplyError> {
    let kind = edit.inode(ino)?.kind;
    if kind == FileKind::Directory {
        return Err(ApplyError::IsDirectory);
    }
    if edit.entry(parent, name)?.is_some() {
        return Err(ApplyError::Exists);
    }
    let inode = edit.inode_mut(ino)?;
    let unnamed = inode.nlink == 0;
    add_link(inode)?;
    inode.ctime = time;
    if unnamed {
        inode.parent = parent;
        edit.txn.remove(key::orphan(ino));
    }
    edit.put_entry(parent, name, ino, kind);
    edit.entry_added(parent, kind, time)
}
