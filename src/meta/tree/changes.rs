//! The changes of a fold that change something.
//!
//! Layers of a log's tail contain removals of records that no checkpoint has ever seen (files that came and
//! went between two), and values that are what they were. They are dropped here, so that the fold reads
//! "there is a change" as "this leaf must be written again".

use std::sync::Arc;

use bytes::Bytes;

use super::node::{MAX_KEY, MAX_VALUE, Node};
use super::node_ref::TreeRoot;
use super::place::Place;
use super::store::NodeSource;
use crate::meta::view::ReadError;

/// A key's new value; None removes it.
#[derive(Clone, Copy)]
pub(super) struct Change<'c> {
    pub key: &'c [u8],
    pub value: Option<&'c Bytes>,
}

/// The effective ones of sorted changes, with one to look ahead at. Holds one leaf.
pub(super) struct Changes<'c, 'n, I> {
    nodes: &'n dyn NodeSource,
    root: TreeRoot,
    rest: I,
    next: Option<Change<'c>>,
    leaf: Option<Leaf>,
}

/// The leaf that was looked at last, and where its range of keys ends.
struct Leaf {
    node: Arc<Node>,
    upper: Option<Bytes>,
}

impl<'c, 'n, I: Iterator<Item = (&'c [u8], Option<&'c Bytes>)>> Changes<'c, 'n, I> {
    /// The effective changes to the tree under `root`; `rest` must ascend strictly.
    pub fn new(nodes: &'n dyn NodeSource, root: TreeRoot, rest: I) -> Self {
        Self { nodes, root, rest, next: None, leaf: None }
    }

    /// The next change whose key is below `upper`; it stays the next one.
    pub fn peek(&mut self, upper: Option<&[u8]>) -> Result<Option<Change<'c>>, ReadError> {
        while self.next.is_none() {
            let Some((key, value)) = self.rest.next() else { return Ok(None) };
            check_bounds(key, value)?;
            if self.current(key)?.as_ref() != value {
                self.next = Some(Change { key, value });
            }
        }
        Ok(self.next.filter(|change| upper.is_none_or(|upper| change.key < upper)))
    }

    /// Goes on to the change after the one that was looked at.
    pub fn advance(&mut self) {
        self.next = None;
    }

    /// What the tree has under `key` now.
    fn current(&mut self, key: &[u8]) -> Result<Option<Bytes>, ReadError> {
        let beyond = |leaf: &Leaf| leaf.upper.as_deref().is_some_and(|upper| key >= upper);
        if self.leaf.as_ref().is_none_or(beyond) {
            let Some(root) = Place::root(&self.root)? else { return Ok(None) };
            self.leaf = Some(leaf_of(self.nodes, &root, key)?);
        }
        Ok(self.leaf.as_ref().and_then(|leaf| leaf.node.find(key)))
    }
}

fn leaf_of(nodes: &dyn NodeSource, place: &Place<'_>, key: &[u8]) -> Result<Leaf, ReadError> {
    let node = place.load(nodes)?;
    if node.level() == 0 {
        return Ok(Leaf { node, upper: place.upper.map(Bytes::copy_from_slice) });
    }
    leaf_of(nodes, &Place::child(&node, node.child_of(key), place.upper), key)
}

fn check_bounds(key: &[u8], value: Option<&Bytes>) -> Result<(), ReadError> {
    if key.is_empty() || key.len() > MAX_KEY {
        return Err(ReadError::Corrupt(format!("a record's key cannot have {} bytes", key.len())));
    }
    match value {
        Some(value) if value.len() > MAX_VALUE => {
            Err(ReadError::Corrupt(format!("a record of kind {} cannot have {} bytes", key[0], value.len())))
        }
        _ => Ok(()),
    }
}
