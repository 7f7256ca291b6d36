//! How fast metadata changes: creates into an overlay, as system calls do, and replay of encoded ops, as a
//! mount does with the tail of the log.
use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

use hushfs::base::{Ino, Reader, Timestamp, Writer};
use hushfs::meta::apply::{Context, apply, genesis};
use hushfs::meta::op::Op;
use hushfs::meta::overlay::{Layered, Overlay, Txn};
use hushfs::meta::read;
use hushfs::meta::record::{ChunkRef, FileKind};
use hushfs::meta::view::EmptyView;

/// Files per run, spread over directories of a hundred.
const FILES: u64 = 10_000;
const CONTEXT: Context = Context { slot: 1, enforce_quota: true };
const TIME: Timestamp = Timestamp { secs: 1_700_000_000, nanos: 0 };

fn create(parent: u64, ino: u64, kind: FileKind) -> Op {
    Op::Create {
        parent: Ino(parent),
        name: Bytes::from(format!("file-{ino}.txt")),
        ino: Ino(ino),
        kind,
        perm: 0o644,
        uid: 1000,
        gid: 1000,
        rdev: 0,
        target: Bytes::new(),
        xattrs: Vec::new(),
        time: TIME,
    }
}

/// A directory for every hundred files.
fn creates() -> Vec<Op> {
    let ops = (0..FILES).map(|number| {
        let first = 1_000_000 + number / 100 * 100;
        match number % 100 {
            0 => create(1, first, FileKind::Directory),
            within => create(first, first + within, FileKind::Regular),
        }
    });
    ops.collect()
}

/// Each file also gets 4 KiB of content.
fn creates_and_writes() -> Vec<Op> {
    let mut ops = Vec::new();
    for op in creates() {
        let written = match &op {
            Op::Create { ino, kind: FileKind::Regular, .. } => Some(*ino),
            _ => None,
        };
        ops.push(op);
        ops.extend(written.map(|ino| Op::Write {
            ino,
            version: 0,
            size: 4096,
            chunks: vec![(0, Some(ChunkRef::Inline(Bytes::from_static(&[7; 4096]))))],
            perm: None,
            mtime: Some(TIME),
            ctime: TIME,
        }));
    }
    ops
}

fn new_volume() -> Overlay {
    let mut txn = Txn::new(&EmptyView);
    genesis(&mut txn, TIME, 0, 0, 65536).expect("an empty view takes a new volume");
    txn.finish()
}

/// One transaction per op over a committed layer, then into the pending layer.
fn apply_each(committed: &Overlay, ops: &[Op]) -> Overlay {
    let mut pending = Overlay::default();
    for op in ops {
        let view = Layered { base: &EmptyView, layers: vec![&pending, committed] };
        let mut txn = Txn::new(&view);
        apply(&mut txn, op, CONTEXT).expect("the ops fit the volume");
        let changes = txn.finish();
        pending.absorb(changes);
    }
    pending
}

/// Decodes a log entry's ops and applies them in one transaction.
fn replay(committed: &Overlay, encoded: &[u8]) -> Overlay {
    let view = Layered { base: &EmptyView, layers: vec![committed] };
    let mut txn = Txn::new(&view);
    let mut r = Reader::new(encoded);
    while !r.is_empty() {
        let op = Op::decode(&mut r).expect("the ops were encoded here");
        apply(&mut txn, &op, CONTEXT).expect("the ops fit the volume");
    }
    txn.finish()
}

fn benchmarks(c: &mut Criterion) {
    let volume = new_volume();
    let mut group = c.benchmark_group("apply");

    let ops = creates();
    group.throughput(Throughput::Elements(ops.len() as u64));
    group.bench_function("create", |b| {
        b.iter_batched(|| (), |()| apply_each(&volume, &ops), BatchSize::LargeInput)
    });

    let ops = creates_and_writes();
    let mut w = Writer::new();
    ops.iter().for_each(|op| op.encode(&mut w));
    let encoded = w.finish();
    group.throughput(Throughput::Elements(ops.len() as u64));
    group.bench_function("replay_create_and_write", |b| {
        b.iter_batched(|| (), |()| replay(&volume, &encoded), BatchSize::LargeInput);
    });
    group.finish();

    let state = apply_each(&volume, &creates());
    let view = Layered { base: &EmptyView, layers: vec![&state, &volume] };
    c.bench_function("read/lookup_and_inode", |b| {
        b.iter(|| {
            let found = read::lookup(&view, Ino(1_000_000), b"file-1000050.txt").expect("memory answers");
            read::inode(&view, found.expect("the file was created").ino)
        });
    });
}

criterion_group!(benches, benchmarks);
criterion_main!(benches);
