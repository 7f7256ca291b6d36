//! Records: what stands under the keys. Each has `encode(&self) -> Vec<u8>` and `decode(&[u8]) -> Result<Self, DecodeError>`
//! with a version byte in front, bounded, trailing bytes refused.
use bytes::Bytes;
use crate::base::{Epoch, Ino, MachineId, ObjectId, Seq, SessionId, Timestamp};
use crate::vault::HEADER_LEN;

/// Longest chunk content that rides inside metadata, in bytes.
pub const MAX_INLINE: usize = 4096;
/// Longest name of a dentry or xattr, in bytes.
pub const MAX_NAME: usize = 255;
/// Longest xattr value, in bytes (the kernel's XATTR_SIZE_MAX).
pub const MAX_XATTR: usize = 65536;
/// Longest symlink target, in bytes.
pub const MAX_TARGET: usize = 4095;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind { Regular, Directory, Symlink, Fifo, Socket, CharDevice, BlockDevice }

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inode {
    pub kind: FileKind,
    /// Permission bits with set-id and sticky: 0..=0o7777.
    pub perm: u16,
    pub uid: u32, pub gid: u32,
    /// Dentries that name it; directories: 2 + sub-directories.
    pub nlink: u32,
    /// Bytes; directories: number of entries.
    pub size: u64,
    /// Bytes of chunks that are not holes.
    pub allocated: u64,
    pub rdev: u32,
    pub atime: Timestamp, pub mtime: Timestamp, pub ctime: Timestamp, pub btime: Timestamp,
    /// Directories: where `..` leads (a directory has one parent). Files: the parent it was created in or moved to last (a hint for conflicts).
    pub parent: Ino,
    /// Counts changes of content (and of the size), so that a lost race about one file is noticed.
    pub version: u64,
    /// Whether any xattr exists, so that asking for one costs nothing for most files.
    pub has_xattrs: bool,
    /// Symlinks only.
    pub target: Bytes,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dentry { pub ino: Ino, pub kind: FileKind }

/// Content of one chunk of a file. Bytes past `len` within the chunk are zeros; no record at all is a hole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChunkRef {
    /// 1..=MAX_INLINE bytes.
    Inline(Bytes),
    /// Frame `number` of a segment; `len` (1..=chunk size) of its plain bytes count.
    Segment { segment: ObjectId, number: u32, len: u32 },
}

/// How to read a segment without asking for its header first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentRecord {
    pub epoch: Epoch,
    pub header: [u8; HEADER_LEN],
    /// Length of each frame in bytes, in order; the first starts at HEADER_LEN. 1..=4096 frames.
    pub frames: Vec<u32>,
}
impl SegmentRecord {
    /// `data/<epoch>/<2 hex>/<id>`
    pub fn object_key(&self, _id: ObjectId) -> String { todo!() }
    /// Byte range of frame `number` in the object.
    pub fn frame(&self, _number: u32) -> Option<std::ops::Range<u64>> { todo!() }
    pub fn object_len(&self) -> u64 { todo!() }
}

/// One per session that has written (or wants to be known to gc).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session { pub id: SessionId, pub machine: MachineId, pub host: String, pub started: Timestamp, pub last_seen: Timestamp,
    /// Last commit and its hash (M6), and how many it made.
    pub last: Seq, pub last_hash: [u8; 32], pub commits: u64 }

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Superblock { pub inodes: u64, pub allocated: u64,
    /// 0 = no limit.
    pub quota_bytes: u64, pub quota_inodes: u64,
    /// Log entries up to here may be deleted by gc; published before it deletes (M3), with the time of publishing.
    pub gc_boundary: Seq, pub gc_published: Timestamp }

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan { /// Slot of the session that keeps it open; 0: nobody, it waits to be reaped.
    pub slot: u32 }

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condemned { pub since: Timestamp }
