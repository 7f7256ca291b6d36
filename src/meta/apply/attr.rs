//! chmod, chown, utimens.
use crate::meta::op::Op;

use super::ApplyError;
use super::edit::Edit;

pub(super) fn set_attr(edit: &mut Edit<'_, '_>, op: &Op) -> Result<(), ApplyError> {
    let Op::SetAttr { ino, perm, uid, gid, atime, mtime, ctime } = op else { return Ok(()) };
    let inode = edit.inode_mut(*ino)?;
    inode.perm = perm.unwrap_or(inode.perm);
    inode.uid = uid.unwrap_or(inode.uid);
    inode.gid = gid.unwrap_or(inode.gid);
    inode.atime = atime.unwrap_or(inode.atime);
    inode.mtime = mtime.unwrap_or(inode.mtime);
    inode.ctime = *ctime;
    Ok(())
}
