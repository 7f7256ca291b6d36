//! The metadata tree: building, folding, looking up and scanning, with real sealing.

use std::collections::{HashMap, HashSet};
use std::hint::black_box;
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use hushfs::base::random::SeededRandom;
use hushfs::base::{Epoch, ObjectId, Random, VolumeId};
use hushfs::meta::overlay::Overlay;
use hushfs::meta::tree::{Node, NodeRef, NodeSource, NodeStore, SealedPack, TreeRoot, TreeView, fold};
use hushfs::meta::view::{ReadError, View};
use hushfs::vault::Vault;

/// Records in the tree that the benchmarks start from.
const RECORDS: u64 = 100_000;
/// Changes of one checkpoint.
const CHANGES: u64 = 10_000;

/// A tree whose packs are all at hand.
struct Volume {
    vault: Vault,
    random: SeededRandom,
    packs: HashMap<ObjectId, Bytes>,
    root: TreeRoot,
}

impl Volume {
    fn empty() -> Self {
        let vault = Vault::from_epoch_keys(VolumeId([1; 16]), Epoch(1), &[(Epoch(1), [2; 32])]).unwrap();
        Self { vault, random: SeededRandom::new(1), packs: HashMap::new(), root: TreeRoot::EMPTY }
    }

    fn full() -> Self {
        let mut volume = Self::empty();
        let (root, packs) = volume.fold(&changes(0..RECORDS, 1), &volume.source());
        volume.root = root;
        volume.packs = packs.into_iter().map(|pack| (pack.pack.id, pack.sealed)).collect();
        volume
    }

    fn fold(&self, changes: &Overlay, source: &Source<'_>) -> (TreeRoot, Vec<SealedPack>) {
        let mut packs = Vec::new();
        let mut emit = |pack| {
            packs.push(pack);
            Ok(())
        };
        let root =
            fold(source, self.root, changes, &HashSet::new(), &self.vault, &self.random, &mut emit).unwrap();
        (root, packs)
    }

    /// A cold store with room for everything.
    fn source(&self) -> Source<'_> {
        Source { store: NodeStore::new(self.vault.clone(), 1 << 30, 1 << 30), packs: &self.packs }
    }
}

/// Hands over a missing pack at once, so that only the tree's own work is measured.
struct Source<'a> {
    store: NodeStore,
    packs: &'a HashMap<ObjectId, Bytes>,
}

impl NodeSource for Source<'_> {
    fn node(&self, node: &NodeRef) -> Result<Arc<Node>, ReadError> {
        match self.store.node(node) {
            Err(ReadError::Missing(pack)) => {
                self.store.insert_pack(pack, self.packs[&pack.id].clone())?;
                self.store.node(node)
            }
            answer => answer,
        }
    }
}

fn key(number: u64) -> Vec<u8> {
    [&[1], number.to_be_bytes().as_slice()].concat()
}

/// Every `step`th of the records, about as large and as repetitive as inodes.
fn changes(numbers: std::ops::Range<u64>, step: usize) -> Overlay {
    let mut overlay = Overlay::default();
    let random = SeededRandom::new(numbers.end ^ step as u64);
    for number in numbers.step_by(step) {
        let mut value = vec![0; 100];
        random.fill(&mut value[40..64]);
        overlay.set(key(number), Some(Bytes::from(value)));
    }
    overlay
}

fn writing(c: &mut Criterion) {
    let mut group = c.benchmark_group("tree fold");
    group.sample_size(10);
    group.throughput(Throughput::Elements(RECORDS));
    let (empty, all) = (Volume::empty(), changes(0..RECORDS, 1));
    group.bench_function("build at once", |b| b.iter(|| empty.fold(&all, &empty.source())));

    let volume = Volume::full();
    let warm = volume.source();
    let scattered = changes(0..RECORDS, (RECORDS / CHANGES) as usize);
    let appended = changes(RECORDS..RECORDS + CHANGES, 1);
    group.throughput(Throughput::Elements(CHANGES));
    group.bench_function("scattered changes", |b| b.iter(|| volume.fold(&scattered, &warm)));
    group.bench_function("appended records", |b| b.iter(|| volume.fold(&appended, &warm)));
    group.finish();
}

fn reading(c: &mut Criterion) {
    let volume = Volume::full();
    let warm = volume.source();
    let scan = |nodes: &Source<'_>| {
        let mut count = 0;
        let view = TreeView { root: volume.root, nodes };
        view.scan(&[], &[0xff], &mut |_, value| {
            count += black_box(value).len();
            ControlFlow::Continue(())
        })
        .unwrap();
        count
    };
    let mut group = c.benchmark_group("tree read");
    group.sample_size(20);
    group.throughput(Throughput::Elements(RECORDS));
    group.bench_function("scan from sealed packs", |b| {
        b.iter_batched_ref(|| volume.source(), |cold| scan(cold), BatchSize::LargeInput);
    });
    group.bench_function("scan from memory", |b| b.iter(|| scan(&warm)));
    group.throughput(Throughput::Elements(1));
    group.bench_function("get from memory", |b| {
        let view = TreeView { root: volume.root, nodes: &warm };
        let mut number = 0;
        b.iter(|| {
            number = (number + 7919) % RECORDS;
            view.get(&key(number)).unwrap()
        });
    });
    group.finish();
}

criterion_group!(benches, writing, reading);
criterion_main!(benches);
