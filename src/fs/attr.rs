//! What stat(2) shows of an inode: its record, and what is newer than the record.

use crate::base::{Ino, Timestamp};
use crate::fs::content::DirtyAttr;
use crate::meta::record::{FileKind, Inode};

/// Attributes of one inode as users see them now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attr {
    pub ino: Ino,
    pub kind: FileKind,
    /// Permission bits with set-id and sticky: 0..=0o7777.
    pub perm: u16,
    pub nlink: u32,
    pub uid: u32,
    pub gid: u32,
    pub rdev: u32,
    /// Bytes; directories: number of entries.
    pub size: u64,
    /// Space in units of 512 bytes.
    pub blocks: u64,
    pub atime: Timestamp,
    pub mtime: Timestamp,
    pub ctime: Timestamp,
    pub btime: Timestamp,
    /// Bytes that are best read and written at once: of regular files a chunk, which is also the grain of holes.
    pub io_size: u32,
}

/// The `io_size` of everything but regular files.
const PAGE: u32 = 4096;

impl Attr {
    /// The record overlaid with written data that is not recorded yet (`dirty`) and with an access that is
    /// not recorded yet (`atime`).
    pub fn new(
        ino: Ino,
        record: &Inode,
        dirty: Option<DirtyAttr>,
        atime: Option<Timestamp>,
        chunk_size: u32,
    ) -> Self {
        let mut attr = Self {
            ino,
            kind: record.kind,
            perm: record.perm,
            nlink: record.nlink,
            uid: record.uid,
            gid: record.gid,
            rdev: record.rdev,
            size: record.size,
            blocks: record.allocated.div_ceil(512),
            atime: atime.unwrap_or(record.atime),
            mtime: record.mtime,
            ctime: record.ctime,
            btime: record.btime,
            io_size: if record.kind == FileKind::Regular { chunk_size } else { PAGE },
        };
        if let Some(dirty) = dirty {
            attr.size = dirty.size;
            if let Some(time) = dirty.time {
                attr.mtime = time;
                // A chmod after the write has the later change time, and it is in the record already.
                attr.ctime = time.max(record.ctime);
            }
            attr.blocks = record.allocated.saturating_add(dirty.extra_allocated).div_ceil(512);
        }
        attr
    }

    /// What a listing shows for `.` and `..`, of which only number and kind are looked at.
    pub fn dot(ino: Ino) -> Self {
        let time = Timestamp::default();
        Self {
            ino,
            kind: FileKind::Directory,
            perm: 0,
            nlink: 0,
            uid: 0,
            gid: 0,
            rdev: 0,
            size: 0,
            blocks: 0,
            atime: time,
            mtime: time,
            ctime: time,
            btime: time,
            io_size: PAGE,
        }
    }
}

/// An inode handed to the kernel: the kernel counts one more lookup of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub attr: Attr,
    /// Changes when the kernel must not go on with what it remembers of this inode.
    pub generation: u64,
}
