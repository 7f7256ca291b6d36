//! The copy-on-write B+tree of sealed nodes: the volume's records as of a checkpoint.
//!
//! A node is one frame of a *pack*, the sealed object `tree/<id>`. Packs are written once and always
//! fetched whole. A [`NodeRef`] says where a node is and what its plaintext hashes to, and inner nodes
//! hold the references of their children: the reference of the root names the whole state, and a store
//! that moves, swaps, replays or forges a node is noticed by the first reader of that node.
//!
//! Invariants
//! - All leaves stand at level 0, all paths are equally long, at most [`MAX_HEIGHT`] levels.
//! - Keys ascend strictly; a child's separator is exactly its first key, and all its keys are below the
//!   separator of its right neighbour. `place` checks this on every step down.
//! - A node is at least a quarter full (`level`), but for the root and leaves beside very large records at
//!   the end of the tree.
//! - Nothing here does I/O or waits: a pack that is not in memory is `ReadError::Missing`, and the caller
//!   fetches it and repeats the call.
//!
//! Failure: bytes that break a bound or a promise are `ReadError::Corrupt`, which names the node. No
//! damage panics, and none yields a wrong record. docs/format.md, section 7, has the bytes.

mod byte_lru;
mod changes;
mod fold;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing;
mod hot;
mod level;
mod levels;
mod node;
mod node_codec;
mod node_ref;
mod pack;
mod place;
mod store;
#[cfg(test)]
mod tests;
mod view;
mod walk;

pub use fold::fold;
pub use node::{MAX_KEY, MAX_VALUE, Node};
pub use node_ref::{MAX_HEIGHT, NodeRef, PackRef, TreeRoot};
pub use pack::{MAX_PACK, MAX_PACK_PLAIN, SealedPack};
pub use store::{NodeSource, NodeStore};
pub use view::TreeView;
pub use walk::{walk, walk_refs};
