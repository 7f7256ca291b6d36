//! The copy-on-write B+tree of sealed nodes.
use std::collections::HashSet;
use std::sync::Arc;
use bytes::Bytes;
use super::overlay::Overlay;
use super::view::{ReadError, View, Visit};
use crate::base::{DecodeError, Epoch, ObjectId, Random, Reader, Writer};
use crate::vault::Vault;

/// Names a pack: the object `tree/<id>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PackRef { pub epoch: Epoch, pub id: ObjectId }
impl PackRef { /// `tree/<32 hex>`
    pub fn object_key(&self) -> String { format!("tree/{}", self.id) } }

/// Names a node: pack, frame number, place, length and SHA-256 of its plaintext; 64 bytes on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NodeRef { pub pack: PackRef, pub number: u32, pub offset: u32, pub len: u32, pub hash: [u8; 32] }
impl NodeRef {
    pub const LEN: usize = 64;
    pub fn encode(&self, _w: &mut Writer) { todo!() }
    pub fn decode(_r: &mut Reader<'_>) -> Result<Self, DecodeError> { todo!() }
}

/// A whole state: the root node (None: no record at all) and the tree's height.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeRoot { pub node: Option<NodeRef>, pub height: u8 }

/// A decoded node. (Owner defines.)
pub struct Node { }

/// Where nodes come from. The store's implementation answers from memory or says Missing; the checkpoint's
/// and gc's implementation fetches (blocking) and then answers.
pub trait NodeSource: Send + Sync { fn node(&self, node: &NodeRef) -> Result<Arc<Node>, ReadError>; }

/// Decoded nodes (LRU by bytes) over sealed packs held in memory (LRU by bytes). Shared, internally locked.
pub struct NodeStore { }
impl NodeStore {
    /// Limits in bytes.
    pub fn new(_vault: Vault, _node_bytes: usize, _pack_bytes: usize) -> Self { todo!() }
    /// Gives the store a pack that `ReadError::Missing` asked for (sealed, as in the bucket). Checks its header.
    pub fn insert_pack(&self, _pack: PackRef, _sealed: Bytes) -> Result<(), ReadError> { todo!() }
    pub fn memory(&self) -> usize { todo!() }
}
impl NodeSource for NodeStore { fn node(&self, _node: &NodeRef) -> Result<Arc<Node>, ReadError> { todo!() } }

/// The tree as a view.
pub struct TreeView<'a> { pub root: TreeRoot, pub nodes: &'a dyn NodeSource }
impl View for TreeView<'_> {
    fn get(&self, _key: &[u8]) -> Result<Option<Bytes>, ReadError> { todo!() }
    fn scan(&self, _start: &[u8], _end: &[u8], _visit: &mut Visit<'_>) -> Result<(), ReadError> { todo!() }
}

/// A sealed pack ready to upload.
pub struct SealedPack { pub pack: PackRef, pub sealed: Bytes }

/// Folds `changes` into the tree under `old`, copy on write. Finished packs (about 1 MiB sealed, filled in key
/// order so that neighbours travel together) are handed to `emit` as they fill, the last one before it returns.
/// Nodes of packs in `vacate` are copied even if unchanged (gc empties sparse packs so).
pub fn fold(_nodes: &dyn NodeSource, _old: TreeRoot, _changes: &Overlay, _vacate: &HashSet<ObjectId>, _vault: &Vault, _random: &dyn Random,
    _emit: &mut dyn FnMut(SealedPack) -> Result<(), ReadError>) -> Result<TreeRoot, ReadError> { todo!() }

/// Visits every node reachable from `root` (parents first): for gc's marking and fsck.
pub fn walk(_nodes: &dyn NodeSource, _root: TreeRoot, _visit: &mut dyn FnMut(&NodeRef, &Node) -> Result<(), ReadError>) -> Result<(), ReadError> { todo!() }
