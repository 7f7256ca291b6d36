//! Setting and removing extended attributes.
use std::ops::ControlFlow;

use crate::base::{Ino, Timestamp};
use crate::meta::key;
use crate::meta::op::Op;
use crate::meta::read;
use crate::meta::record::Xattr;
use crate::meta::view::View;

use super::ApplyError;
use super::edit::Edit;

pub(super) fn set(edit: &mut Edit<'_, '_>, op: &Op) -> Result<(), ApplyError> {
    let Op::SetXattr { ino, name, value, create, perm, ctime } = op else { return Ok(()) };
    // Most inodes have none: no need to look.
    let exists = edit.inode(*ino)?.has_xattrs && read::xattr(edit.txn, *ino, name)?.is_some();
    match (exists, create) {
        (true, Some(true)) => return Err(ApplyError::XattrExists),
        (false, Some(false)) => return Err(ApplyError::NoXattr),
        _ => {}
    }
    edit.txn.put(key::xattr(*ino, name), Xattr { value: value.clone() }.encode());
    let inode = edit.inode_mut(*ino)?;
    inode.has_xattrs = true;
    inode.perm = perm.unwrap_or(inode.perm);
    inode.ctime = *ctime;
    Ok(())
}

pub(super) fn remove(
    edit: &mut Edit<'_, '_>,
    ino: Ino,
    name: &[u8],
    perm: Option<u16>,
    ctime: Timestamp,
) -> Result<(), ApplyError> {
    edit.inode(ino)?;
    if read::xattr(edit.txn, ino, name)?.is_none() {
        return Err(ApplyError::NoXattr);
    }
    edit.txn.remove(key::xattr(ino, name));
    let (start, end) = key::xattrs(ino);
    let mut more = false;
    edit.txn.scan(&start, &end, &mut |_, _| {
        more = true;
        ControlFlow::Break(())
    })?;
    let inode = edit.inode_mut(ino)?;
    inode.has_xattrs = more;
    inode.perm = perm.unwrap_or(inode.perm);
    inode.ctime = ctime;
    Ok(())
}
