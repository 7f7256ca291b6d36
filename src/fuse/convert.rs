//! Between the words of fs/ and those of the FUSE library.

use std::time::{SystemTime, UNIX_EPOCH};

use fuser::{Errno, FileAttr, FileType, INodeNo, TimeOrNow};

use crate::base::{Ino, Timestamp};
use crate::fs::{self, Attr, Caller, FileKind, FsError, SetTime};

/// The number of an error; the reason of an EIO is logged on the way.
pub fn errno(error: &FsError) -> Errno {
    Errno::from_i32(fs::errno(error))
}

/// Who sent a request.
pub fn caller(request: &fuser::Request) -> Caller {
    Caller { uid: request.uid(), gid: request.gid(), pid: request.pid() }
}

/// An inode number, the same on both sides.
pub fn ino(ino: INodeNo) -> Ino {
    Ino(ino.0)
}

/// Kind of a file.
pub fn kind(kind: FileKind) -> FileType {
    match kind {
        FileKind::Regular => FileType::RegularFile,
        FileKind::Directory => FileType::Directory,
        FileKind::Symlink => FileType::Symlink,
        FileKind::Fifo => FileType::NamedPipe,
        FileKind::Socket => FileType::Socket,
        FileKind::CharDevice => FileType::CharDevice,
        FileKind::BlockDevice => FileType::BlockDevice,
    }
}

/// Attributes for a reply.
pub fn attr(attr: &Attr) -> FileAttr {
    FileAttr {
        ino: INodeNo(attr.ino.0),
        size: attr.size,
        blocks: attr.blocks,
        atime: attr.atime.to_system(),
        mtime: attr.mtime.to_system(),
        ctime: attr.ctime.to_system(),
        crtime: attr.btime.to_system(),
        kind: kind(attr.kind),
        perm: attr.perm,
        nlink: attr.nlink,
        uid: attr.uid,
        gid: attr.gid,
        rdev: attr.rdev,
        blksize: attr.io_size,
        flags: 0,
    }
}

/// The attributes of "no such entry": inode 0 makes the kernel remember that there is none.
pub fn nothing() -> FileAttr {
    FileAttr {
        ino: INodeNo(0),
        size: 0,
        blocks: 0,
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind: FileType::RegularFile,
        perm: 0,
        nlink: 0,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 0,
        flags: 0,
    }
}

/// A time to set.
pub fn set_time(time: TimeOrNow) -> SetTime {
    match time {
        TimeOrNow::Now => SetTime::Now,
        TimeOrNow::SpecificTime(time) => SetTime::At(timestamp(time)),
    }
}

/// A time from the kernel. Before 1970 the kernel sends seconds rounded down and nanoseconds counted up
/// from there (-1.25 s is -2 and 750,000,000); version 0.18 of the library subtracts both from 1970, which
/// is undone here. The mount tests set such a time and would notice if the library changed.
pub fn timestamp(time: SystemTime) -> Timestamp {
    match time.duration_since(UNIX_EPOCH) {
        Ok(_) => Timestamp::from_system(time),
        Err(before) => {
            let before = before.duration();
            Timestamp { secs: 0i64.saturating_sub_unsigned(before.as_secs()), nanos: before.subsec_nanos() }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_before_1970_are_read_as_the_kernel_meant_them() {
        // What the library makes of (-2 s, 750,000,000 ns).
        let time = UNIX_EPOCH - Duration::new(2, 750_000_000);
        assert_eq!(timestamp(time), Timestamp { secs: -2, nanos: 750_000_000 });
        let time = UNIX_EPOCH - Duration::new(2, 0);
        assert_eq!(timestamp(time), Timestamp { secs: -2, nanos: 0 });
        let time = UNIX_EPOCH + Duration::new(2, 750_000_000);
        assert_eq!(timestamp(time), Timestamp { secs: 2, nanos: 750_000_000 });
    }

    #[test]
    fn an_unknown_name_has_inode_zero() {
        assert_eq!(nothing().ino, INodeNo(0));
    }
}
