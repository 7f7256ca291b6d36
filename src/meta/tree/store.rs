//! Where nodes come from: the trait, and the store that keeps them in memory.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::byte_lru::ByteLru;
use super::node::Node;
use super::node_ref::{MAX_HEIGHT, NodeRef, PackRef};
use super::pack::{self, HeldPack};
use crate::base::ObjectId;
use crate::meta::view::ReadError;
use crate::vault::Vault;

/// Where nodes come from. The store answers from memory or says `Missing`; the checkpoint's and gc's
/// implementation fetches (blocking) and then answers.
pub trait NodeSource: Send + Sync {
    /// The node under `node`, authenticated and hashed.
    fn node(&self, node: &NodeRef) -> Result<Arc<Node>, ReadError>;

    /// Whether [`Self::node`] would answer at once. Only a hint for prefetching.
    fn holds(&self, _node: &NodeRef) -> bool {
        false
    }
}

/// Decoded nodes over sealed packs, each in a least-recently-used cache bounded by bytes. Shared by all
/// threads.
///
/// *Limits.* The bytes stay within both limits, but the 16 most recent nodes (one whole path) and the most
/// recent pack stay even if they alone exceed them. So the loop "ask, be told `Missing`, insert, ask again"
/// ends for one reader whatever the limits are: the pack is still there when it is asked for, and every
/// round adds a node of the path. With several readers the same holds as long as the limits have room for a
/// pack and a path of each.
///
/// *Locks.* One for each cache, never both at once, and held for a look-up or an insertion only: nothing
/// is decrypted, hashed or decoded under a lock. Two threads that miss the same node both decode it.
pub struct NodeStore {
    vault: Vault,
    nodes: Mutex<ByteLru<NodeRef, Arc<Node>>>,
    packs: Mutex<ByteLru<ObjectId, Arc<HeldPack>>>,
}

impl NodeStore {
    /// An empty store for `node_bytes` of decoded nodes and `pack_bytes` of sealed packs.
    pub fn new(vault: Vault, node_bytes: usize, pack_bytes: usize) -> Self {
        let nodes = Mutex::new(ByteLru::new(node_bytes, usize::from(MAX_HEIGHT)));
        let packs = Mutex::new(ByteLru::new(pack_bytes, 1));
        Self { vault, nodes, packs }
    }

    /// Gives the store a pack that `ReadError::Missing` asked for, sealed as in the bucket. Checks its length
    /// and its header; the nodes are checked when they are asked for. Inserting a pack again is harmless.
    ///
    /// # Errors
    /// `Corrupt` when this is not that pack; the store does not keep it.
    pub fn insert_pack(&self, pack: PackRef, sealed: Bytes) -> Result<(), ReadError> {
        let bytes = sealed.len();
        let held = Arc::new(HeldPack::new(&self.vault, pack, sealed)?);
        self.packs.lock().insert(pack.id, held, bytes);
        Ok(())
    }

    /// Whether all of a pack is as it was sealed, from its header to its end.
    ///
    /// # Errors
    /// `Corrupt` when it is not. Single nodes may still be readable: [`Self::insert_pack`] does not ask for this.
    pub fn verify_pack(&self, pack: PackRef, sealed: &[u8]) -> Result<(), ReadError> {
        pack::verify(&self.vault, pack, sealed)
    }

    /// Forgets everything, as happens when other nodes come.
    #[cfg(test)]
    pub fn forget(&self) {
        *self.nodes.lock() = ByteLru::new(1 << 20, usize::from(MAX_HEIGHT));
        *self.packs.lock() = ByteLru::new(1 << 20, 1);
    }

    /// Bytes held now: decoded nodes and sealed packs.
    pub fn memory(&self) -> usize {
        let nodes = self.nodes.lock().bytes();
        nodes + self.packs.lock().bytes()
    }
}

impl NodeSource for NodeStore {
    fn node(&self, reference: &NodeRef) -> Result<Arc<Node>, ReadError> {
        if let Some(node) = self.nodes.lock().get(reference) {
            return Ok(node);
        }
        let held = self.packs.lock().get(&reference.pack.id);
        let node = match held.ok_or(ReadError::Missing(reference.pack))?.open(reference) {
            Ok(node) => Arc::new(node),
            Err(error) => {
                // Not kept: the next one who asks gets what the bucket has then.
                self.packs.lock().remove(&reference.pack.id);
                return Err(error);
            }
        };
        self.nodes.lock().insert(*reference, Arc::clone(&node), node.memory());
        Ok(node)
    }

    fn holds(&self, reference: &NodeRef) -> bool {
        if self.nodes.lock().contains(reference) {
            return true;
        }
        self.packs.lock().contains(&reference.pack.id)
    }
}
