//! Layers of changes on top of a view, and transactions.
//!
//! Invariants: a layer answers for every key it holds, with a value or with "removed"; newer layers win.
//! A scan merges lazily: its cost is that of the records visited (and of removed ones between them),
//! whatever the layers hold beyond.
use std::collections::BTreeMap;
use std::collections::btree_map;
use std::iter::Peekable;
use std::ops::{Bound, ControlFlow};

use bytes::Bytes;

use super::view::{ReadError, View, Visit};

/// Memory of one change besides its key and value, about: map slot, vector and buffer headers.
const CHANGE_OVERHEAD: usize = 64;

/// A sorted set of changes: a new value, or None for "removed".
#[derive(Default, Clone, Debug, PartialEq, Eq)]
pub struct Overlay {
    pub(super) changes: BTreeMap<Vec<u8>, Option<Bytes>>,
    pub(super) bytes: usize,
}

impl Overlay {
    /// Memory the changes take, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Number of changes.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// True when nothing was changed.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The change of `key`, if this layer has one.
    pub fn change(&self, key: &[u8]) -> Option<&Option<Bytes>> {
        self.changes.get(key)
    }

    /// Records that `key` has this value now (None: removed).
    pub fn set(&mut self, key: Vec<u8>, value: Option<Bytes>) {
        let value_len = value.as_ref().map_or(0, Bytes::len);
        match self.changes.entry(key) {
            btree_map::Entry::Vacant(entry) => {
                self.bytes += entry.key().len() + value_len + CHANGE_OVERHEAD;
                entry.insert(value);
            }
            btree_map::Entry::Occupied(mut entry) => {
                let old = entry.insert(value);
                self.bytes += value_len;
                self.bytes -= old.map_or(0, |old| old.len());
            }
        }
    }

    /// Puts the changes of `newer` over these.
    pub fn absorb(&mut self, newer: Overlay) {
        if self.is_empty() {
            *self = newer;
            return;
        }
        for (key, value) in newer.changes {
            self.set(key, value);
        }
    }

    /// All changes in ascending order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Option<&Bytes>)> {
        self.changes.iter().map(|(k, v)| (k.as_slice(), v.as_ref()))
    }
}

/// A view made of a base and layers over it, newest first.
pub struct Layered<'a> {
    pub base: &'a dyn View,
    pub layers: Vec<&'a Overlay>,
}

impl View for Layered<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, ReadError> {
        match self.layers.iter().find_map(|layer| layer.change(key)) {
            Some(change) => Ok(change.clone()),
            None => self.base.get(key),
        }
    }

    fn scan(&self, start: &[u8], end: &[u8], visit: &mut Visit<'_>) -> Result<(), ReadError> {
        merge(self.base, &self.layers, start, end, visit)
    }
}

/// Changes in the making: reads see them, nobody else does until `finish`.
pub struct Txn<'a> {
    pub(super) base: &'a dyn View,
    pub(super) changes: Overlay,
}

impl<'a> Txn<'a> {
    /// Starts without changes.
    pub fn new(base: &'a dyn View) -> Self {
        Self { base, changes: Overlay::default() }
    }

    /// Sets a record.
    pub fn put(&mut self, key: Vec<u8>, value: impl Into<Bytes>) {
        self.changes.set(key, Some(value.into()));
    }

    /// Removes a record, whether it exists or not.
    pub fn remove(&mut self, key: Vec<u8>) {
        self.changes.set(key, None);
    }

    /// Takes over what an attempt on top of this made.
    pub fn absorb(&mut self, changes: Overlay) {
        self.changes.absorb(changes);
    }

    /// The changes, to be put over the base.
    pub fn finish(self) -> Overlay {
        self.changes
    }
}

impl View for Txn<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, ReadError> {
        match self.changes.change(key) {
            Some(change) => Ok(change.clone()),
            None => self.base.get(key),
        }
    }

    fn scan(&self, start: &[u8], end: &[u8], visit: &mut Visit<'_>) -> Result<(), ReadError> {
        merge(self.base, &[&self.changes], start, end, visit)
    }
}

/// Walks base and layers side by side. The base calls back with its records one after the other; before each
/// of them come the layers' changes with smaller keys.
fn merge(
    base: &dyn View,
    layers: &[&Overlay],
    start: &[u8],
    end: &[u8],
    visit: &mut Visit<'_>,
) -> Result<(), ReadError> {
    if start >= end {
        return Ok(());
    }
    let mut changes = Changes::between(layers, start, end);
    let mut flow = ControlFlow::Continue(());
    base.scan(start, end, &mut |key, value| {
        flow = changes.visit_before(Some(key), visit);
        if flow.is_continue() {
            flow = match changes.take(key) {
                Some(Some(value)) => visit(key, value),
                Some(None) => ControlFlow::Continue(()),
                None => visit(key, value),
            };
        }
        flow
    })?;
    if flow.is_continue() {
        // Whether the visitor breaks here or not, the scan is over.
        let _ = changes.visit_before(None, visit);
    }
    Ok(())
}

/// What is left of the layers' changes, newest layer first.
struct Changes<'l> {
    layers: Vec<Peekable<btree_map::Range<'l, Vec<u8>, Option<Bytes>>>>,
}

impl<'l> Changes<'l> {
    /// `start` is below `end`: a map panics over an empty range.
    fn between(layers: &[&'l Overlay], start: &[u8], end: &[u8]) -> Self {
        let range = (Bound::Included(start), Bound::Excluded(end));
        Self { layers: layers.iter().map(|layer| layer.changes.range::<[u8], _>(range).peekable()).collect() }
    }

    /// Visits the values with keys below `limit` (None: all that are left).
    fn visit_before(&mut self, limit: Option<&[u8]>, visit: &mut Visit<'_>) -> ControlFlow<()> {
        while let Some(key) = self.smallest() {
            if limit.is_some_and(|limit| key >= limit) {
                break;
            }
            if let Some(Some(value)) = self.take(key) {
                visit(key, value)?;
            }
        }
        ControlFlow::Continue(())
    }

    fn smallest(&mut self) -> Option<&'l [u8]> {
        self.layers.iter_mut().filter_map(|layer| layer.peek().map(|(key, _)| key.as_slice())).min()
    }

    /// Takes `key` off all layers where it is next; the newest one's change counts.
    fn take(&mut self, key: &[u8]) -> Option<&'l Option<Bytes>> {
        let mut newest = None;
        for layer in &mut self.layers {
            if let Some((_, change)) = layer.next_if(|(next, _)| next.as_slice() == key) {
                newest = newest.or(Some(change));
            }
        }
        newest
    }
}

#[cfg(test)]
mod tests;
