//! Commit and replay on a bucket in memory: what hushfs itself costs, without a network.

use std::hint::black_box;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use hushfs::base::{Epoch, Ino, MachineId, OsRandom, SystemClock, VolumeId};
use hushfs::meta::op::Op;
use hushfs::meta::record::{ChunkRef, FileKind};
use hushfs::object::MemoryBucket;
use hushfs::vault::Vault;
use hushfs::volume::{Environment, Volume, VolumeError, VolumeOptions, Witness, WitnessStore};

const CHUNK: u32 = 65536;

/// Remembers nothing.
struct NoWitness;

impl WitnessStore for NoWitness {
    fn load(&self) -> Result<Option<Witness>, io::Error> {
        Ok(None)
    }

    fn save(&self, _witness: Witness) -> Result<(), io::Error> {
        Ok(())
    }

    fn saw_header(&self, _generation: u64) -> Result<(), io::Error> {
        Ok(())
    }
}

fn environment(runtime: &tokio::runtime::Runtime) -> Environment {
    let vault = Vault::from_epoch_keys(VolumeId([7; 16]), Epoch(1), &[(Epoch(1), [3; 32])]).unwrap();
    Environment {
        bucket: Arc::new(MemoryBucket::new()),
        vault,
        clock: Arc::new(SystemClock),
        random: Arc::new(OsRandom),
        runtime: runtime.handle().clone(),
        witness: Arc::new(NoWitness),
        machine: MachineId([1; 16]),
        host: "bench".into(),
    }
}

fn options() -> VolumeOptions {
    VolumeOptions {
        read_only: false,
        commit_interval: Duration::from_secs(3600),
        cache_dir: None,
        cache_size: 0,
        memory: 64 << 20,
        chunk_size: CHUNK,
        label: String::new(),
    }
}

/// Creates a file with `bytes` in the log, in one transaction.
fn put(volume: &Volume, number: u64, bytes: &Bytes) {
    let ino = volume.next_ino();
    let time = volume.now();
    let create = Op::Create {
        parent: Ino::ROOT,
        name: Bytes::from(format!("file {number}")),
        ino,
        kind: FileKind::Regular,
        perm: 0o644,
        uid: 0,
        gid: 0,
        rdev: 0,
        target: Bytes::new(),
        xattrs: Vec::new(),
        time,
    };
    let write = Op::Write {
        ino,
        version: 0,
        size: bytes.len() as u64,
        chunks: vec![(0, Some(ChunkRef::Inline(bytes.clone())))],
        perm: None,
        mtime: Some(time),
        ctime: time,
    };
    let permit = volume.enter().unwrap();
    volume
        .transact::<_, VolumeError>(&permit, |txn| {
            txn.apply(create.clone())?;
            Ok(txn.apply(write.clone())?)
        })
        .unwrap();
}

fn commit(c: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let env = environment(&runtime);
    runtime.block_on(Volume::create(&env, CHUNK, 0, 0)).unwrap();
    let volume = runtime.block_on(Volume::open(env, options())).unwrap();
    let bytes = Bytes::from(vec![b'x'; 1000]);
    let mut number = 0;
    for files in [1u64, 100] {
        c.bench_function(&format!("commit of {files} small files"), |b| {
            b.iter(|| {
                for _ in 0..files {
                    number += 1;
                    put(&volume, number, &bytes);
                }
                volume.sync().unwrap();
            });
        });
    }
    runtime.block_on(volume.close()).unwrap();
}

fn replay(c: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let env = environment(&runtime);
    runtime.block_on(Volume::create(&env, CHUNK, 0, 0)).unwrap();
    let volume = runtime.block_on(Volume::open(env.clone(), options())).unwrap();
    let bytes = Bytes::from(vec![b'x'; 100]);
    for number in 0..5000 {
        put(&volume, number, &bytes);
        if number % 100 == 0 {
            volume.sync().unwrap();
        }
    }
    volume.sync().unwrap();
    let reader = VolumeOptions { read_only: true, ..options() };
    c.bench_function("mount and replay of 5000 files in 51 entries", |b| {
        b.iter_batched(
            || (env.clone(), reader.clone()),
            |(env, reader)| black_box(runtime.block_on(Volume::open(env, reader)).unwrap()),
            BatchSize::PerIteration,
        );
    });
    runtime.block_on(volume.close()).unwrap();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = commit, replay
}
criterion_main!(benches);
