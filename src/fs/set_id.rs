//! When set-user-id and set-group-id bits go (inode(7); the kernel's setattr_should_drop_suidgid).

use crate::meta::record::{FileKind, Inode};

const SET_USER: u16 = 0o4000;
const SET_GROUP: u16 = 0o2000;
const GROUP_EXECUTE: u16 = 0o010;

/// The permission bits after a write, truncation or change of owner that takes the set-id bits away;
/// `None` when they stay as they are. Set-group-id without group-execute once meant mandatory locking: only
/// callers outside the group (`member` false) lose it. Directories keep theirs: there the bit means
/// inheritance.
pub fn without_set_id(inode: &Inode, member: impl FnOnce() -> bool) -> Option<u16> {
    if inode.kind == FileKind::Directory || inode.perm & (SET_USER | SET_GROUP) == 0 {
        return None;
    }
    let mut perm = inode.perm & !SET_USER;
    if perm & SET_GROUP != 0 && (perm & GROUP_EXECUTE != 0 || !member()) {
        perm &= !SET_GROUP;
    }
    (perm != inode.perm).then_some(perm)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Ino, Timestamp};

    fn inode(kind: FileKind, perm: u16) -> Inode {
        let time = Timestamp::default();
        Inode {
            kind,
            perm,
            uid: 1,
            gid: 1,
            nlink: 1,
            size: 0,
            allocated: 0,
            rdev: 0,
            atime: time,
            mtime: time,
            ctime: time,
            btime: time,
            parent: Ino::ROOT,
            version: 0,
            has_xattrs: false,
            target: bytes::Bytes::new(),
        }
    }

    #[test]
    fn executables_lose_both_bits() {
        assert_eq!(without_set_id(&inode(FileKind::Regular, 0o6755), || true), Some(0o755));
        assert_eq!(without_set_id(&inode(FileKind::Regular, 0o755), || true), None);
    }

    #[test]
    fn set_group_id_without_execute_goes_only_for_outsiders() {
        assert_eq!(without_set_id(&inode(FileKind::Regular, 0o2644), || true), None);
        assert_eq!(without_set_id(&inode(FileKind::Regular, 0o2644), || false), Some(0o644));
    }

    #[test]
    fn directories_keep_their_bits() {
        assert_eq!(without_set_id(&inode(FileKind::Directory, 0o6755), || false), None);
    }
}
