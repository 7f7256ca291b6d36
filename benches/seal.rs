//! Sealing and opening one chunk, per chunk size, for content that compresses and content that does not.

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hushfs::base::random::SeededRandom;
use hushfs::base::{Epoch, ObjectId, Random, VolumeId};
use hushfs::vault::{ObjectKind, Vault};

const ID: ObjectId = ObjectId([1; 16]);
const SIZES: [usize; 3] = [4 * 1024, 64 * 1024, 128 * 1024];

fn vault() -> Vault {
    match Vault::from_epoch_keys(VolumeId([2; 16]), Epoch(1), &[(Epoch(1), [3; 32])]) {
        Ok(vault) => vault,
        Err(error) => panic!("{error}"),
    }
}

fn contents(size: usize) -> [(&'static str, Vec<u8>); 2] {
    let mut noise = vec![0; size];
    SeededRandom::new(4).fill(&mut noise);
    let text = b"fn main() { println!(\"{}\", source_code_looks_like_this()); }\n".iter().copied();
    [("noise", noise), ("text", text.cycle().take(size).collect())]
}

fn seal(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("seal");
    let random = SeededRandom::new(5);
    for size in SIZES {
        group.throughput(Throughput::Bytes(size as u64));
        for (name, plain) in contents(size) {
            group.bench_with_input(BenchmarkId::new(name, size), &plain, |bencher, plain| {
                let mut sealer = vault().sealer(ObjectKind::Segment, ID, &random).expect("a sealer");
                let mut out = Vec::with_capacity(2 * size);
                bencher.iter(|| {
                    out.clear();
                    sealer.seal(black_box(plain), false, &mut out).expect("a sealed chunk")
                });
            });
        }
    }
    group.finish();
}

fn open(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("open");
    let random = SeededRandom::new(6);
    for size in SIZES {
        group.throughput(Throughput::Bytes(size as u64));
        for (name, plain) in contents(size) {
            let mut sealer = vault().sealer(ObjectKind::Segment, ID, &random).expect("a sealer");
            let mut frame = Vec::new();
            sealer.seal(&plain, true, &mut frame).expect("a sealed chunk");
            let opener = vault().opener(ObjectKind::Segment, ID, sealer.header()).expect("an opener");
            group.bench_with_input(BenchmarkId::new(name, size), &frame, |bencher, frame| {
                bencher.iter(|| opener.open(0, true, black_box(frame)).expect("an opened chunk"));
            });
        }
    }
    group.finish();
}

/// What every commit and every tree pack costs besides its bytes: one derivation and its working memory.
fn start(criterion: &mut Criterion) {
    let (vault, random) = (vault(), SeededRandom::new(7));
    criterion.bench_function("seal_object/256", |bencher| {
        bencher.iter_batched(
            || vec![9; 256],
            |plain| vault.seal_object(ObjectKind::LogEntry, ID, &plain, &random).expect("a sealed object"),
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, seal, open, start);
criterion_main!(benches);
