//! The inode record: what stat(2) tells about a file.
use bytes::Bytes;

use super::{MAX_TARGET, Record, byte_string, flag, put_time, time};
use crate::base::{DecodeError, Ino, Reader, Timestamp, Writer};

/// Kind of a file, as in the upper bits of st_mode. The values are the ones on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum FileKind {
    Regular = 1,
    Directory = 2,
    Symlink = 3,
    Fifo = 4,
    Socket = 5,
    CharDevice = 6,
    BlockDevice = 7,
}

impl FileKind {
    pub(in crate::meta) fn write(self, w: &mut Writer) {
        w.u8(self as u8);
    }

    pub(in crate::meta) fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match r.u8("file kind")? {
            1 => Self::Regular,
            2 => Self::Directory,
            3 => Self::Symlink,
            4 => Self::Fifo,
            5 => Self::Socket,
            6 => Self::CharDevice,
            7 => Self::BlockDevice,
            _ => return Err(DecodeError::Invalid("file kind")),
        })
    }
}

/// Attributes of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inode {
    pub kind: FileKind,
    /// Permission bits with set-id and sticky: 0..=0o7777.
    pub perm: u16,
    pub uid: u32,
    pub gid: u32,
    /// Dentries that name it; directories: 2 + sub-directories; 0 for orphans.
    pub nlink: u32,
    /// Bytes; directories: number of entries; symlinks: length of the target.
    pub size: u64,
    /// Bytes of chunks that are not holes.
    pub allocated: u64,
    /// Device number; 0 for anything but devices.
    pub rdev: u32,
    pub atime: Timestamp,
    pub mtime: Timestamp,
    pub ctime: Timestamp,
    /// When it was created.
    pub btime: Timestamp,
    /// Directories: where `..` leads (a directory has one parent). Files: the parent it was created in or
    /// moved to last (a hint for conflicts).
    pub parent: Ino,
    /// Counts changes of content (and of the size), so that a lost race about one file is noticed.
    pub version: u64,
    /// Whether any xattr exists, so that asking for one costs nothing for most files.
    pub has_xattrs: bool,
    /// Symlinks only: 1..=[`MAX_TARGET`] bytes.
    pub target: Bytes,
}

impl Record for Inode {
    fn write(&self, w: &mut Writer) {
        self.kind.write(w);
        w.u16(self.perm).u32(self.uid).u32(self.gid).u32(self.nlink);
        w.u64(self.size).u64(self.allocated).u32(self.rdev);
        for moment in [self.atime, self.mtime, self.ctime, self.btime] {
            put_time(w, moment);
        }
        w.u64(self.parent.0).u64(self.version).u8(u8::from(self.has_xattrs)).bytes(&self.target);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let inode = Self {
            kind: FileKind::read(r)?,
            perm: r.u16("perm")?,
            uid: r.u32("uid")?,
            gid: r.u32("gid")?,
            nlink: r.u32("nlink")?,
            size: r.u64("size")?,
            allocated: r.u64("allocated")?,
            rdev: r.u32("rdev")?,
            atime: time(r, "atime")?,
            mtime: time(r, "mtime")?,
            ctime: time(r, "ctime")?,
            btime: time(r, "btime")?,
            parent: Ino(r.u64("parent")?),
            version: r.u64("content version")?,
            has_xattrs: flag(r, "xattr flag")?,
            target: byte_string(r, MAX_TARGET, "symlink target")?,
        };
        if inode.perm > 0o7777 {
            return Err(DecodeError::Invalid("perm"));
        }
        if (inode.kind == FileKind::Symlink) == inode.target.is_empty() {
            return Err(DecodeError::Invalid("symlink target"));
        }
        Ok(inode)
    }
}
