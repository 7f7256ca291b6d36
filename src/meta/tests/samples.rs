//! One op and one record of each kind, with every field different from its neighbours.
use bytes::Bytes;

use crate::base::{Epoch, Ino, MachineId, ObjectId, Seq, SessionId, Timestamp};
use crate::meta::op::{LastLink, Op};
use crate::meta::record::{
    ChunkRef, Condemned, Dentry, FileKind, Inode, Orphan, SegmentRecord, Session, Superblock, Xattr,
};
use crate::vault::HEADER_LEN;

fn at(secs: i64) -> Timestamp {
    Timestamp { secs, nanos: 999_999_999 }
}

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

fn inline() -> ChunkRef {
    ChunkRef::Inline(bytes("hello"))
}

fn stored() -> ChunkRef {
    ChunkRef::Segment { segment: ObjectId([0xab; 16]), number: 3, len: 65536 }
}

fn segment() -> SegmentRecord {
    SegmentRecord { epoch: Epoch(2), header: [0x11; HEADER_LEN], frames: vec![24, 65560, 100] }
}

/// Each kind of op under a name for the fixture.
pub fn ops() -> Vec<(&'static str, Op)> {
    namespace_ops().into_iter().chain(file_ops()).chain(upkeep_ops()).collect()
}

fn namespace_ops() -> Vec<(&'static str, Op)> {
    let create = Op::Create {
        parent: Ino(1),
        name: bytes("link"),
        ino: Ino(0x1_0000_0002),
        kind: FileKind::Symlink,
        perm: 0o777,
        uid: 1000,
        gid: 100,
        rdev: 0x0801,
        target: bytes("/etc"),
        xattrs: vec![(bytes("user.a"), bytes("v"))],
        time: at(-1),
    };
    let rename = Op::Rename {
        from: Ino(5),
        name: bytes("old"),
        ino: Ino(6),
        to: Ino(7),
        new_name: bytes("new"),
        replaced: Some(Ino(8)),
        exchange: true,
        last: LastLink::Keep(9),
        time: at(4),
    };
    vec![
        ("create", create),
        ("link", Op::Link { ino: Ino(2), parent: Ino(3), name: bytes("n"), time: at(1) }),
        (
            "unlink",
            Op::Unlink { parent: Ino(2), name: bytes("n"), ino: Ino(3), last: LastLink::Reap, time: at(2) },
        ),
        ("rmdir", Op::Rmdir { parent: Ino(2), name: bytes("d"), ino: Ino(3), time: at(3) }),
        ("rename", rename),
    ]
}

fn file_ops() -> Vec<(&'static str, Op)> {
    let (mtime, ctime) = (at(6), at(7));
    let set_attr = Op::SetAttr {
        ino: Ino(2),
        perm: Some(0o4755),
        uid: Some(3),
        gid: None,
        atime: Some(at(5)),
        mtime: None,
        ctime,
    };
    let chunks = vec![(0, Some(inline())), (1, None), (2, Some(stored()))];
    let write =
        Op::Write { ino: Ino(2), version: 3, size: 196_608, chunks, perm: None, mtime: Some(mtime), ctime };
    let clone = Op::Clone {
        source: Ino(2),
        from: 3,
        ino: Ino(4),
        to: 5,
        count: 6,
        version: 7,
        size: 8,
        mtime,
        ctime,
    };
    let collapse = Op::Collapse { ino: Ino(2), from: 3, count: 4, version: 5, size: 6, mtime, ctime };
    let set_xattr = Op::SetXattr {
        ino: Ino(2),
        name: bytes("user.x"),
        value: bytes("value"),
        create: Some(false),
        perm: Some(0o640),
        ctime,
    };
    vec![
        ("set_attr", set_attr),
        ("write", write),
        ("clone", clone),
        ("collapse", collapse),
        ("set_xattr", set_xattr),
        ("remove_xattr", Op::RemoveXattr { ino: Ino(2), name: bytes("user.x"), perm: None, ctime }),
    ]
}

fn upkeep_ops() -> Vec<(&'static str, Op)> {
    let id = ObjectId([0xcd; 16]);
    let open_session = Op::OpenSession {
        slot: 3,
        id: SessionId([1; 8]),
        machine: MachineId([2; 16]),
        host: "laptop".into(),
        time: at(8),
    };
    let moved = ChunkRef::Segment { segment: id, number: 0, len: 5 };
    vec![
        ("reap", Op::Reap { ino: Ino(2) }),
        ("add_segment", Op::AddSegment { id, record: segment() }),
        ("remove_segments", Op::RemoveSegments { ids: vec![id] }),
        ("relocate", Op::Relocate { ino: Ino(2), index: 3, from: inline(), to: moved }),
        ("open_session", open_session),
        ("close_session", Op::CloseSession { slot: 3 }),
        ("condemn", Op::Condemn { objects: vec!["tree/aa".into(), "data/bb".into()], time: at(9) }),
        ("pardon", Op::Pardon { objects: vec!["tree/aa".into()] }),
        ("publish_boundary", Op::PublishBoundary { boundary: Seq(10), time: at(11) }),
        ("set_quota", Op::SetQuota { bytes: 12, inodes: 13 }),
    ]
}

/// A record with its type forgotten: its bytes, and how to decode and encode such bytes again.
pub struct Sample {
    pub name: &'static str,
    pub encoded: Vec<u8>,
    /// `None`: refused.
    pub again: fn(&[u8]) -> Option<Vec<u8>>,
}

macro_rules! sample {
    ($name:literal, $type:ty, $value:expr) => {{
        let value: $type = $value;
        let encoded = value.encode();
        assert_eq!(<$type>::decode(&encoded).as_ref(), Ok(&value), "{} does not come back", $name);
        Sample {
            name: $name,
            encoded,
            again: |bytes| <$type>::decode(bytes).ok().map(|value| value.encode()),
        }
    }};
}

/// Each kind of record.
pub fn records() -> Vec<Sample> {
    vec![
        sample!("superblock", Superblock, superblock()),
        sample!("inode", Inode, inode(FileKind::Regular, "")),
        sample!("inode_of_a_symlink", Inode, inode(FileKind::Symlink, "/etc")),
        sample!("dentry", Dentry, Dentry { ino: Ino(0x1_0000_0002), kind: FileKind::Directory }),
        sample!("chunk_inline", ChunkRef, inline()),
        sample!("chunk_in_a_segment", ChunkRef, stored()),
        sample!("xattr", Xattr, Xattr { value: bytes("value") }),
        sample!("orphan", Orphan, Orphan { slot: 4 }),
        sample!("segment", SegmentRecord, segment()),
        sample!("session", Session, session()),
        sample!("condemned", Condemned, Condemned { since: at(5) }),
    ]
}

fn superblock() -> Superblock {
    Superblock {
        inodes: 1,
        allocated: 2,
        quota_bytes: 3,
        quota_inodes: 4,
        gc_boundary: Seq(5),
        gc_published: at(6),
        chunk_size: 65536,
    }
}

fn inode(kind: FileKind, target: &'static str) -> Inode {
    Inode {
        kind,
        perm: 0o4755,
        uid: 1,
        gid: 2,
        nlink: 3,
        size: 4,
        allocated: 5,
        rdev: 6,
        atime: at(7),
        mtime: at(8),
        ctime: at(9),
        btime: at(-10),
        parent: Ino(11),
        version: 12,
        has_xattrs: true,
        target: bytes(target),
    }
}

fn session() -> Session {
    Session {
        id: SessionId([1; 8]),
        machine: MachineId([2; 16]),
        host: "laptop".into(),
        started: at(3),
        last_seen: at(4),
        last: Seq(5),
        last_hash: [6; 32],
        commits: 7,
    }
}
