//! The tree against a model, against damage, and against its own bounds.

mod damage;
mod frozen;
mod model;
mod reading;
mod shape;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;

use super::fold::fold_sorted;
use super::level::MIN;
use super::levels::Packs;
use super::{Node, NodeRef, NodeSource, NodeStore, PackRef, SealedPack, TreeRoot, TreeView, walk};
use crate::base::random::SeededRandom;
use crate::base::{Epoch, ObjectId, Random, VolumeId};
use crate::meta::view::{ReadError, View};
use crate::vault::Vault;

pub type Records = BTreeMap<Vec<u8>, Bytes>;
pub type Changes = BTreeMap<Vec<u8>, Option<Bytes>>;

/// A vault whose key is no secret.
pub fn vault() -> Vault {
    Vault::from_epoch_keys(VolumeId([1; 16]), Epoch(1), &[(Epoch(1), [2; 32])]).unwrap()
}

/// Packs as a bucket would hold them, and folds into it.
pub struct Bucket {
    pub vault: Vault,
    pub random: SeededRandom,
    pub packs: Mutex<HashMap<ObjectId, Bytes>>,
    /// Scans whose leaves are written again with each change.
    pub hot: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Bucket {
    pub fn new(seed: u64) -> Self {
        Self { vault: vault(), random: SeededRandom::new(seed), packs: Mutex::default(), hot: Vec::new() }
    }

    pub fn fold(&self, root: TreeRoot, changes: &Changes) -> TreeRoot {
        self.fold_vacating(root, changes, &HashSet::new())
    }

    pub fn fold_vacating(&self, root: TreeRoot, changes: &Changes, vacate: &HashSet<ObjectId>) -> TreeRoot {
        self.try_fold(&self.fetching(1 << 20, 4 << 20), root, changes, vacate).unwrap()
    }

    pub fn try_fold(
        &self,
        nodes: &dyn NodeSource,
        root: TreeRoot,
        changes: &Changes,
        vacate: &HashSet<ObjectId>,
    ) -> Result<TreeRoot, ReadError> {
        let mut emit = |pack: SealedPack| {
            assert!(pack.sealed.len() < 2 << 20);
            self.packs.lock().insert(pack.pack.id, pack.sealed);
            Ok(())
        };
        let packs = Packs::new(&self.vault, &self.random, &self.hot, &mut emit);
        let sorted = changes.iter().map(|(key, value)| (key.as_slice(), value.as_ref()));
        fold_sorted(nodes, root, sorted, vacate, packs)
    }

    /// A source that fetches what its small store lacks.
    pub fn fetching(&self, node_bytes: usize, pack_bytes: usize) -> Fetching<'_> {
        let store = NodeStore::new(self.vault.clone(), node_bytes, pack_bytes);
        Fetching { bucket: self, store, fetched: AtomicUsize::new(0), nodes: AtomicUsize::new(0) }
    }

    pub fn give(&self, store: &NodeStore, pack: PackRef) -> Result<(), ReadError> {
        store.insert_pack(pack, self.packs.lock()[&pack.id].clone())
    }

    /// Drops packs that no node of the tree lives in; gc in miniature.
    pub fn collect(&self, root: TreeRoot) {
        let reachable = self.reachable(root);
        self.packs.lock().retain(|id, _| reachable.contains(id));
    }

    pub fn reachable(&self, root: TreeRoot) -> HashSet<ObjectId> {
        nodes_of(&self.fetching(1 << 20, 4 << 20), root).iter().map(|(node, _)| node.pack.id).collect()
    }

    pub fn records(&self, root: TreeRoot) -> Records {
        records(&self.fetching(1 << 20, 4 << 20), root).unwrap()
    }
}

/// Fetches packs when they are missing, and counts.
pub struct Fetching<'a> {
    pub bucket: &'a Bucket,
    pub store: NodeStore,
    pub fetched: AtomicUsize,
    /// How often a node was asked for.
    pub nodes: AtomicUsize,
}

impl NodeSource for Fetching<'_> {
    fn node(&self, node: &NodeRef) -> Result<Arc<Node>, ReadError> {
        self.nodes.fetch_add(1, Ordering::SeqCst);
        match self.store.node(node) {
            Err(ReadError::Missing(pack)) => {
                self.fetched.fetch_add(1, Ordering::SeqCst);
                self.bucket.give(&self.store, pack)?;
                self.store.node(node)
            }
            answer => answer,
        }
    }

    fn holds(&self, node: &NodeRef) -> bool {
        self.store.holds(node)
    }
}

/// All records by one scan.
pub fn records(nodes: &dyn NodeSource, root: TreeRoot) -> Result<Records, ReadError> {
    let mut records = Records::new();
    TreeView { root, nodes }.scan(&[], &[0xff; 1025], &mut |key, value| {
        records.insert(key.to_vec(), value.clone());
        ControlFlow::Continue(())
    })?;
    Ok(records)
}

pub fn nodes_of(nodes: &dyn NodeSource, root: TreeRoot) -> Vec<(NodeRef, usize)> {
    let mut found = Vec::new();
    walk(nodes, root, &mut |reference, node| {
        found.push((*reference, weight(node)));
        Ok(())
    })
    .unwrap();
    found
}

/// The weight that the rules about sizes go by.
pub fn weight(node: &Node) -> usize {
    let values: usize = match node.level() {
        0 => node.records().map(|(_, value)| value.len()).sum(),
        _ => node.len() * NodeRef::LEN,
    };
    (0..node.len()).map(|index| 8 + node.key(index).len()).sum::<usize>() + values
}

/// Checks that no node but the root is light. (Trees with very large records may have light last leaves.)
pub fn assert_well_filled(nodes: &dyn NodeSource, root: TreeRoot) {
    for (reference, weight) in nodes_of(nodes, root) {
        assert!(Some(reference) == root.node || weight >= MIN, "a node of weight {weight}");
    }
}

pub fn put(changes: &mut Changes, key: impl Into<Vec<u8>>, value: impl Into<Bytes>) {
    changes.insert(key.into(), Some(value.into()));
}

/// `count` records with keys like those of inodes and values of `len` bytes.
pub fn numbered(range: std::ops::Range<u64>, len: usize) -> Changes {
    let value = |number: u64| Bytes::from(number.to_le_bytes().repeat(len.div_ceil(8))).slice(..len);
    range.map(|number| (key(number), Some(value(number)))).collect()
}

pub fn key(number: u64) -> Vec<u8> {
    let mut key = vec![1];
    key.extend(number.to_be_bytes());
    key
}

/// Applies changes to the model.
pub fn apply(model: &mut Records, changes: &Changes) {
    for (key, value) in changes {
        match value {
            Some(value) => model.insert(key.clone(), value.clone()),
            None => model.remove(key),
        };
    }
}

/// A number below `bound`.
pub fn below(random: &dyn Random, bound: u64) -> u64 {
    random.next_u64() % bound
}
