//! The worked example of docs/format.md, section 6: a new volume, one file, five bytes.
use bytes::Bytes;
use data_encoding::HEXLOWER;

use crate::base::{Epoch, Ino, ObjectId, Reader, Timestamp, Writer};
use crate::meta::apply::{Context, apply, genesis};
use crate::meta::op::Op;
use crate::meta::overlay::Txn;
use crate::meta::record::{ChunkRef, FileKind, SegmentRecord};
use crate::meta::view::EmptyView;

const EXAMPLE: &str = include_str!("../../../tests/fixtures/meta/example.hex");

fn ops() -> [Op; 2] {
    let time = Timestamp { secs: 1_700_000_000, nanos: 0 };
    let ino = Ino(5 << 32 | 1);
    let create = Op::Create {
        parent: Ino::ROOT,
        name: Bytes::from_static(b"hello.txt"),
        ino,
        kind: FileKind::Regular,
        perm: 0o644,
        uid: 1000,
        gid: 1000,
        rdev: 0,
        target: Bytes::new(),
        xattrs: Vec::new(),
        time,
    };
    let chunks = vec![(0, Some(ChunkRef::Inline(Bytes::from_static(b"hello"))))];
    let write = Op::Write { ino, version: 0, size: 5, chunks, perm: None, mtime: Some(time), ctime: time };
    [create, write]
}

#[test]
fn the_worked_example_of_the_format_is_true() {
    let mut expected = EXAMPLE.lines().filter(|line| !line.starts_with('#'));
    let mut txn = Txn::new(&EmptyView);
    genesis(&mut txn, Timestamp { secs: 1_700_000_000, nanos: 0 }, 1000, 1000, 65536).unwrap();
    for op in ops() {
        let mut w = Writer::new();
        op.encode(&mut w);
        let bytes = w.finish();
        assert_eq!(format!("op {}", HEXLOWER.encode(&bytes)), expected.next().unwrap());
        assert_eq!(Op::decode(&mut Reader::new(&bytes)).as_ref(), Ok(&op));
        apply(&mut txn, &op, Context { slot: 5, enforce_quota: false }).unwrap();
    }
    for (key, value) in txn.finish().iter() {
        let record = format!("{} {}", HEXLOWER.encode(key), HEXLOWER.encode(value.unwrap()));
        assert_eq!(record, expected.next().unwrap());
    }
    assert_eq!(expected.next(), None);
}

/// docs/format.md, section 12.
#[test]
fn files_cost_what_the_format_says() {
    let op_len = |op: &Op| {
        let mut w = Writer::new();
        op.encode(&mut w);
        w.finish().len()
    };
    let [create, write] = ops();
    let Op::Write { ino, mtime, ctime, .. } = write else { panic!("the second op writes") };
    let write = |chunk: &ChunkRef| {
        let chunks = vec![(0, Some(chunk.clone()))];
        Op::Write { ino, version: 0, size: 5000, chunks, perm: None, mtime, ctime }
    };
    let one_byte = ChunkRef::Inline(Bytes::from_static(b"x"));
    let in_segment = ChunkRef::Segment { segment: ObjectId([1; 16]), number: 0, len: 5000 };
    let record = SegmentRecord { epoch: Epoch(1), header: [0; 128], frames: vec![5024] };
    let add = Op::AddSegment { id: ObjectId([1; 16]), record: record.clone() };
    let ops = [&create, &write(&one_byte), &write(&in_segment), &add].map(op_len);
    assert_eq!(ops, [65, 70, 89, 157]);
    let chunks = [&one_byte, &in_segment].map(|chunk| 17 + chunk.encode().len());
    assert_eq!(chunks, [24, 43]);
    assert_eq!(17 + record.encode().len(), 158);
}
