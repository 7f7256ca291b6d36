//! Nodes in memory: what they hold and how they are searched.
//!
//! Decoding (`node_codec`) lays all keys of a node out in one buffer with a table of their ends, so that
//! a search compares borrowed slices. The values of a leaf stay where they are in its plaintext; a value
//! that is handed out is a slice of it and keeps the plaintext alive for as long as it is held.

use std::mem::size_of;
use std::ops::Range;

use bytes::Bytes;

use super::node_ref::NodeRef;

/// Longest key, in bytes; the shortest has one.
pub const MAX_KEY: usize = 1024;
/// Longest value, in bytes. With a key and what the fold lets stand beside it, a node stays below 128 KiB.
pub const MAX_VALUE: usize = 96 * 1024;

/// A decoded node: a leaf with records, or an inner node with children. Never empty.
#[derive(Debug)]
pub struct Node {
    pub(super) level: u8,
    /// All keys, one after the other.
    pub(super) keys: Bytes,
    /// Where each key ends in `keys`.
    pub(super) key_ends: Box<[u32]>,
    pub(super) body: Body,
}

/// What stands beside the keys.
#[derive(Debug)]
pub(super) enum Body {
    /// `first` is where the first value starts in `plain`, `ends` where each one ends.
    Leaf { plain: Bytes, first: u32, ends: Box<[u32]> },
    /// The children, in the order of their keys.
    Inner(Box<[NodeRef]>),
}

impl Node {
    /// Distance from the leaves, which are level 0.
    pub fn level(&self) -> u8 {
        self.level
    }

    /// Number of records or children; at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a node is never empty")]
    pub fn len(&self) -> usize {
        self.key_ends.len()
    }

    /// The key of entry `index`: of a record, or the first key below a child.
    ///
    /// # Panics
    /// When `index` is not below [`Self::len`]; so do the others that take an index.
    pub fn key(&self, index: usize) -> &[u8] {
        &self.keys[self.key_range(index)]
    }

    /// The records of a leaf in ascending order; none for an inner node.
    pub fn records(&self) -> impl Iterator<Item = (&[u8], Bytes)> {
        let count = if matches!(self.body, Body::Leaf { .. }) { self.len() } else { 0 };
        (0..count).filter_map(|index| Some((self.key(index), self.value(index)?)))
    }

    /// The children of an inner node in ascending order of their keys; none for a leaf.
    pub fn children(&self) -> &[NodeRef] {
        match &self.body {
            Body::Leaf { .. } => &[],
            Body::Inner(children) => children,
        }
    }

    /// Memory that the node takes, in bytes.
    pub fn memory(&self) -> usize {
        let body = match &self.body {
            Body::Leaf { plain, ends, .. } => plain.len() + ends.len() * size_of::<u32>(),
            Body::Inner(children) => children.len() * size_of::<NodeRef>(),
        };
        size_of::<Self>() + self.keys.len() + self.key_ends.len() * size_of::<u32>() + body
    }

    /// The value of record `index`; None in an inner node.
    pub(super) fn value(&self, index: usize) -> Option<Bytes> {
        let Body::Leaf { plain, first, ends } = &self.body else { return None };
        let start = if index == 0 { *first } else { ends[index - 1] };
        Some(plain.slice(start as usize..ends[index] as usize))
    }

    /// Key `index` as a slice that shares the node's buffer.
    pub(super) fn shared_key(&self, index: usize) -> Bytes {
        self.keys.slice(self.key_range(index))
    }

    /// The value under `key`, if this is a leaf that has it.
    pub(super) fn find(&self, key: &[u8]) -> Option<Bytes> {
        let index = self.rank(|other| other < key);
        if index < self.len() && self.key(index) == key { self.value(index) } else { None }
    }

    /// The records with `start <= key < end`.
    pub(super) fn record_span(&self, start: &[u8], end: &[u8]) -> Range<usize> {
        self.rank(|key| key < start)..self.rank(|key| key < end)
    }

    /// The child whose range of keys has `key`; the first one for keys before all children, where an
    /// insertion would go.
    pub(super) fn child_of(&self, key: &[u8]) -> usize {
        self.rank(|first| first <= key).saturating_sub(1)
    }

    /// The children that may have records with `start <= key < end`.
    pub(super) fn child_span(&self, start: &[u8], end: &[u8]) -> Range<usize> {
        self.child_of(start)..self.rank(|first| first < end)
    }

    /// How many keys, counted from the first, satisfy `before`; binary search.
    fn rank(&self, before: impl Fn(&[u8]) -> bool) -> usize {
        let mut range = 0..self.len();
        while !range.is_empty() {
            let middle = range.start + range.len() / 2;
            if before(self.key(middle)) {
                range.start = middle + 1;
            } else {
                range.end = middle;
            }
        }
        range.start
    }

    fn key_range(&self, index: usize) -> Range<usize> {
        let start = if index == 0 { 0 } else { self.key_ends[index - 1] };
        start as usize..self.key_ends[index] as usize
    }
}
