//! The state of a new volume.
use bytes::Bytes;

use crate::base::{Ino, Timestamp};
use crate::meta::key;
use crate::meta::overlay::Txn;
use crate::meta::record::{FileKind, Inode, Superblock};
use crate::meta::view::View;

use super::ApplyError;

/// Permission bits of the root directory.
const ROOT_PERM: u16 = 0o755;

/// The state of a new volume: the superblock and the root directory. `chunk_size` is in bytes and stays.
pub fn genesis(
    txn: &mut Txn<'_>,
    time: Timestamp,
    uid: u32,
    gid: u32,
    chunk_size: u32,
) -> Result<(), ApplyError> {
    if !Superblock::is_chunk_size(chunk_size) {
        return Err(ApplyError::Invalid("the chunk size"));
    }
    if time.nanos >= 1_000_000_000 {
        return Err(ApplyError::Invalid("a time"));
    }
    if txn.get(&key::superblock())?.is_some() {
        return Err(ApplyError::Exists);
    }
    let superblock = Superblock { inodes: 1, chunk_size, ..Superblock::default() };
    txn.put(key::superblock(), superblock.encode());
    txn.put(key::inode(Ino::ROOT), root(time, uid, gid).encode());
    Ok(())
}

fn root(time: Timestamp, uid: u32, gid: u32) -> Inode {
    Inode {
        kind: FileKind::Directory,
        perm: ROOT_PERM,
        uid,
        gid,
        nlink: 2,
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
        target: Bytes::new(),
    }
}
