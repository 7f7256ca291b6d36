//! Operations: every change of metadata, with its times, ids and names inside. Encoded in log entries.
use bytes::Bytes;
use super::record::{ChunkRef, FileKind, SegmentRecord};
use crate::base::{Ino, MachineId, ObjectId, Seq, SessionId, Timestamp};

/// What becomes of an inode whose last dentry goes.
/// `Keep(slot)`: it stays as an orphan because this session has it open. `Reap`: its records go at once when it has
/// at most `INSTANT_REAP` chunks, else it becomes an orphan of slot 0 that `Op::Reap` takes away in steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastLink { Keep(u32), Reap }
pub const INSTANT_REAP: usize = 1024;
/// Chunks that one `Op::Reap` removes at most.
pub const REAP_STEP: usize = 16384;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// create, mkdir, mknod, symlink. `xattrs` are set with it (inherited ACLs). Parent's mtime/ctime become `time`.
    /// Unnamed when `name` is empty: the inode starts as an orphan of `slot` (O_TMPFILE).
    Create { parent: Ino, name: Bytes, ino: Ino, kind: FileKind, perm: u16, uid: u32, gid: u32, rdev: u32, target: Bytes, xattrs: Vec<(Bytes, Bytes)>, time: Timestamp },
    Link { ino: Ino, parent: Ino, name: Bytes, time: Timestamp },
    /// `ino` is what the caller saw there: another one is a conflict.
    Unlink { parent: Ino, name: Bytes, ino: Ino, last: LastLink, time: Timestamp },
    Rmdir { parent: Ino, name: Bytes, ino: Ino, time: Timestamp },
    /// `replaced` is what the caller saw at the destination. With `exchange` both must exist and swap places.
    Rename { from: Ino, name: Bytes, ino: Ino, to: Ino, new_name: Bytes, replaced: Option<Ino>, exchange: bool, last: LastLink, time: Timestamp },
    SetAttr { ino: Ino, perm: Option<u16>, uid: Option<u32>, gid: Option<u32>, atime: Option<Timestamp>, mtime: Option<Timestamp>, ctime: Timestamp },
    /// Content: the size becomes `size`, chunks are replaced (None: a hole). `version` is the inode's version that the caller built on.
    /// Chunks past the new size go, the one at its end is cut. At most 65536 existing chunks may lie past the size (callers truncate giants in steps).
    Write { ino: Ino, version: u64, size: u64, chunks: Vec<(u64, Option<ChunkRef>)>, perm: Option<u16>, mtime: Option<Timestamp>, ctime: Timestamp },
    /// `count` chunk references of `source` (holes too) from chunk `from` replace those of `ino` at `to`; may be the same inode when the ranges do not overlap. Size as in Write.
    Clone { source: Ino, from: u64, ino: Ino, to: u64, count: u64, version: u64, size: u64, mtime: Timestamp, ctime: Timestamp },
    /// Chunks `from..from+count` disappear and those behind move down (FALLOC_FL_COLLAPSE_RANGE), chunk aligned.
    Collapse { ino: Ino, from: u64, count: u64, version: u64, size: u64, mtime: Timestamp, ctime: Timestamp },
    SetXattr { ino: Ino, name: Bytes, value: Bytes, /// None: either; Some(true): must not exist; Some(false): must exist.
        create: Option<bool>, /// ACLs change the permission bits with them.
        perm: Option<u16>, ctime: Timestamp },
    RemoveXattr { ino: Ino, name: Bytes, perm: Option<u16>, ctime: Timestamp },
    /// Takes up to REAP_STEP chunks from an orphan, and the inode with the last of them.
    Reap { ino: Ino },
    AddSegment { id: ObjectId, record: SegmentRecord },
    RemoveSegments { ids: Vec<ObjectId> },
    /// gc moved a chunk: done only where the reference is still `from` (not an error otherwise).
    Relocate { ino: Ino, index: u64, from: ChunkRef, to: ChunkRef },
    OpenSession { slot: u32, id: SessionId, machine: MachineId, host: String, time: Timestamp },
    /// Its orphans become slot 0's.
    CloseSession { slot: u32 },
    Condemn { objects: Vec<String>, time: Timestamp },
    Pardon { objects: Vec<String> },
    PublishBoundary { boundary: Seq, time: Timestamp },
    SetQuota { bytes: u64, inodes: u64 },
}
impl Op {
    pub fn encode(&self, _w: &mut crate::base::Writer) { todo!() }
    pub fn decode(_r: &mut crate::base::Reader<'_>) -> Result<Op, crate::base::DecodeError> { todo!() }
}
