//! Operations: every change of metadata, with its times, ids and names inside. Encoded in log entries.
//!
//! Invariants: an op holds all that `apply` needs, so replay asks nobody (M4); one encoding per op (what
//! decodes, re-encodes to the same bytes). Failure: [`Op::check`] names the first bound that an op breaks;
//! decoding refuses such an op, and so does `apply`, so that none is ever committed.
use bytes::Bytes;

use super::record::{ChunkRef, FileKind, SegmentRecord};
use crate::base::{Ino, MachineId, ObjectId, Seq, SessionId, Timestamp};

mod check;
mod decode;
mod encode;

pub use check::{MAX_CREATE_XATTRS, MAX_OP_CHUNKS, MAX_OP_OBJECTS};

/// What becomes of an inode whose last dentry goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastLink {
    /// It stays as an orphan because the session of this slot (not 0) has it open.
    Keep(u32),
    /// Its records go at once when it has at most `INSTANT_REAP` of them, else it becomes an orphan of slot 0
    /// that `Op::Reap` takes away in steps.
    Reap,
}

/// Chunks and xattrs that leave together with the last name at most.
pub const INSTANT_REAP: usize = 1024;
/// Chunks and xattrs that one `Op::Reap` removes at most.
pub const REAP_STEP: usize = 16384;

/// One change of metadata. Names are 1..=255 bytes without `/` and NUL, and neither `.` nor `..`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// create, mkdir, mknod, symlink. `xattrs` are set with it (inherited ACLs). Parent's mtime/ctime become
    /// `time`. Unnamed when `name` is empty: the inode (a regular file) starts as an orphan of the writing
    /// session (O_TMPFILE) and the parent does not change. `rdev` counts for devices only.
    Create {
        parent: Ino,
        name: Bytes,
        ino: Ino,
        kind: FileKind,
        perm: u16,
        uid: u32,
        gid: u32,
        rdev: u32,
        target: Bytes,
        xattrs: Vec<(Bytes, Bytes)>,
        time: Timestamp,
    },
    /// Another name for an inode that is no directory; an orphan of the writing session becomes a file again.
    Link {
        ino: Ino,
        parent: Ino,
        name: Bytes,
        time: Timestamp,
    },
    /// `ino` is what the caller saw there: another one is a conflict.
    Unlink {
        parent: Ino,
        name: Bytes,
        ino: Ino,
        last: LastLink,
        time: Timestamp,
    },
    /// `ino` as in Unlink.
    Rmdir {
        parent: Ino,
        name: Bytes,
        ino: Ino,
        time: Timestamp,
    },
    /// `replaced` is what the caller saw at the destination. With `exchange` both must exist and swap places.
    /// When both names lead to the same inode, nothing happens (rename(2)). `last` is for the replaced inode.
    Rename {
        from: Ino,
        name: Bytes,
        ino: Ino,
        to: Ino,
        new_name: Bytes,
        replaced: Option<Ino>,
        exchange: bool,
        last: LastLink,
        time: Timestamp,
    },
    SetAttr {
        ino: Ino,
        perm: Option<u16>,
        uid: Option<u32>,
        gid: Option<u32>,
        atime: Option<Timestamp>,
        mtime: Option<Timestamp>,
        ctime: Timestamp,
    },
    /// Content: the size becomes `size`, chunks (ascending by index) are replaced (None: a hole). `version` is
    /// the inode's version that the caller built on; it counts up by one. Chunks past the new size go, the one
    /// at its end is cut. At most [`MAX_OP_CHUNKS`] existing chunks may lie past the size (callers truncate
    /// giants in steps).
    Write {
        ino: Ino,
        version: u64,
        size: u64,
        chunks: Vec<(u64, Option<ChunkRef>)>,
        perm: Option<u16>,
        mtime: Option<Timestamp>,
        ctime: Timestamp,
    },
    /// `count` (1..=[`MAX_OP_CHUNKS`]) chunk references of `source` (holes too) from chunk `from` replace those
    /// of `ino` at `to`; may be the same inode when the ranges do not overlap. Version and size as in Write.
    Clone {
        source: Ino,
        from: u64,
        ino: Ino,
        to: u64,
        count: u64,
        version: u64,
        size: u64,
        mtime: Timestamp,
        ctime: Timestamp,
    },
    /// Chunks `from..from+count` disappear and those behind (at most [`MAX_OP_CHUNKS`] from `from` on) move
    /// down (FALLOC_FL_COLLAPSE_RANGE). The range ends before the end of the file; `size` is what remains.
    Collapse {
        ino: Ino,
        from: u64,
        count: u64,
        version: u64,
        size: u64,
        mtime: Timestamp,
        ctime: Timestamp,
    },
    SetXattr {
        ino: Ino,
        name: Bytes,
        value: Bytes,
        /// None: either; Some(true): must not exist; Some(false): must exist.
        create: Option<bool>,
        /// ACLs change the permission bits with them.
        perm: Option<u16>,
        ctime: Timestamp,
    },
    RemoveXattr {
        ino: Ino,
        name: Bytes,
        perm: Option<u16>,
        ctime: Timestamp,
    },
    /// Takes up to REAP_STEP chunks and xattrs from an orphan, and the inode with the last of them. The orphan
    /// is the writing session's own, or nobody's.
    Reap {
        ino: Ino,
    },
    /// A segment is in the bucket. Refused (`Changed`) when gc has condemned the object: upload it again.
    AddSegment {
        id: ObjectId,
        record: SegmentRecord,
    },
    /// Records that are gone already are not missed.
    RemoveSegments {
        ids: Vec<ObjectId>,
    },
    /// gc moved a chunk: done only where the reference is still `from` (not an error otherwise). Both have the
    /// same length.
    Relocate {
        ino: Ino,
        index: u64,
        from: ChunkRef,
        to: ChunkRef,
    },
    /// A session begins in a slot that it drew at random (1..2^31). Another one there was first: `Changed`.
    OpenSession {
        slot: u32,
        id: SessionId,
        machine: MachineId,
        host: String,
        time: Timestamp,
    },
    /// The session's record goes. Its orphans become slot 0's.
    CloseSession {
        slot: u32,
    },
    /// Unreachable objects; the grace period of those condemned before goes on.
    Condemn {
        objects: Vec<String>,
        time: Timestamp,
    },
    /// Takes the mark off, because the object is gone or reachable after all.
    Pardon {
        objects: Vec<String>,
    },
    /// Log entries up to `boundary` may be deleted from now on; it never goes back.
    PublishBoundary {
        boundary: Seq,
        time: Timestamp,
    },
    /// 0 = no limit.
    SetQuota {
        bytes: u64,
        inodes: u64,
    },
}
