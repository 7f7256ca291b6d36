//! Folding sorted changes into the tree, copy on write.
//!
//! One pass over the old tree in key order. Subtrees without a change are kept by reference and not even
//! read; the records of the others stream through one list of pending entries per level, from which nodes
//! are cut ([`super::level`]), sealed, and entered one level higher. So the memory is one path of old nodes,
//! one path of pending ones and the packs in the making.
//!
//! Before a subtree is kept, everything pending below and beside it must become nodes. Where that would
//! make a light node, the subtree is read instead and its first entries join the light one (merge with the
//! right neighbour); at the end of the tree the left neighbour is taken back (`borrow_left`).
//!
//! The records of the result depend on the records of the old tree and the changes alone; pack ids and
//! sealing are random. A fold that fails has changed nothing: packs that were emitted before are garbage.

use std::collections::HashSet;

use bytes::Bytes;

use super::changes::{Change, Changes};
use super::hot;
use super::level::{Entry, Item};
use super::levels::{Levels, Packs};
use super::node::Node;
use super::node_ref::{NodeRef, TreeRoot};
use super::pack::SealedPack;
use super::place::Place;
use super::store::NodeSource;
use super::view::TreeView;
use crate::base::{ObjectId, Random};
use crate::meta::overlay::{Layered, Overlay};
use crate::meta::view::ReadError;
use crate::vault::Vault;

/// Folds `changes` into the tree under `old`. Finished packs (about 1 MiB sealed, filled in key order so that
/// neighbours travel together) are handed to `emit` as they fill, the last one before it returns. A fold
/// that fills more than one pack puts inner nodes into packs of their own, so that finding anything in a
/// large tree takes few fetches.
///
/// Leaves that every mount reads ([`hot`]), with their ancestors, are written again with each change, so that a mount finds
/// them in the newest packs and not in one of its own each; of a fold that fills more than one pack they lie with the inner
/// nodes.
///
/// Nodes of packs in `vacate` are copied even if unchanged, with their ancestors: afterwards nothing in these
/// packs is reachable (gc empties sparse packs so). Without any effective change the root stays as it is.
///
/// # Errors
/// Those of `nodes` and of `emit`; `Corrupt` also for a key or value beyond its bound. `Missing` means that
/// everything has to be repeated, so `nodes` should fetch by itself.
pub fn fold(
    nodes: &dyn NodeSource,
    old: TreeRoot,
    changes: &Overlay,
    vacate: &HashSet<ObjectId>,
    vault: &Vault,
    random: &dyn Random,
    emit: &mut dyn FnMut(SealedPack) -> Result<(), ReadError>,
) -> Result<TreeRoot, ReadError> {
    let tree = TreeView { root: old, nodes };
    let hot = &hot::scans(&Layered { base: &tree, layers: vec![changes] })?;
    fold_sorted(nodes, old, changes.iter(), vacate, Packs::new(vault, random, hot, emit))
}

/// [`fold`] for changes from anywhere, in strictly ascending order of their keys.
pub(super) fn fold_sorted<'c>(
    nodes: &dyn NodeSource,
    old: TreeRoot,
    changes: impl Iterator<Item = (&'c [u8], Option<&'c Bytes>)>,
    vacate: &HashSet<ObjectId>,
    packs: Packs<'_>,
) -> Result<TreeRoot, ReadError> {
    let changes = Changes::new(nodes, old, changes);
    let mut fold = Fold { nodes, changes, vacate, levels: Levels::new(packs) };
    match Place::root(&old)? {
        Some(root) if fold.is_settled(&root)? => return Ok(old),
        Some(root) => fold.rewrite(&root)?,
        None => fold.insert_below(None)?,
    }
    fold.finish()
}

/// A fold under way.
struct Fold<'c, 'n, 'p, I> {
    nodes: &'n dyn NodeSource,
    changes: Changes<'c, 'n, I>,
    vacate: &'n HashSet<ObjectId>,
    levels: Levels<'p>,
}

impl<'c, I: Iterator<Item = (&'c [u8], Option<&'c Bytes>)>> Fold<'c, '_, '_, I> {
    /// Brings a subtree into the new tree: by reference if nothing speaks against it.
    fn subtree(&mut self, place: &Place<'_>) -> Result<(), ReadError> {
        match place.first {
            Some(first) if self.levels.can_close(place.level) && self.can_stay(place)? => {
                self.levels.close(place.level)?;
                self.levels.push(place.level + 1, child(Bytes::copy_from_slice(first), place.node))
            }
            _ => self.rewrite(place),
        }
    }

    /// Whether the subtree can be kept by reference.
    fn can_stay(&mut self, place: &Place<'_>) -> Result<bool, ReadError> {
        Ok(!self.levels.is_hot(place.first, place.upper) && self.is_settled(place)?)
    }

    /// Whether nothing in the subtree changes and none of its nodes must go.
    fn is_settled(&mut self, place: &Place<'_>) -> Result<bool, ReadError> {
        Ok(self.changes.peek(place.upper)?.is_none() && !self.has_vacated(place)?)
    }

    /// Reads a node and brings what it holds into the new tree piece by piece.
    fn rewrite(&mut self, place: &Place<'_>) -> Result<(), ReadError> {
        let node = place.load(self.nodes)?;
        if node.level() == 0 {
            return self.leaf(&node, place.upper);
        }
        (0..node.len()).try_for_each(|index| self.subtree(&Place::child(&node, index, place.upper)))
    }

    /// Merges the records of an old leaf with the changes in its range.
    fn leaf(&mut self, leaf: &Node, upper: Option<&[u8]>) -> Result<(), ReadError> {
        for old in entries_of(leaf) {
            self.insert_below(Some(&old.key))?;
            match self.changes.peek(upper)? {
                Some(change) if change.key == old.key => self.apply(change)?,
                _ => self.levels.push(0, old)?,
            }
        }
        self.insert_below(upper)
    }

    /// Brings in the changes before `upper`, where the old tree has no records.
    fn insert_below(&mut self, upper: Option<&[u8]>) -> Result<(), ReadError> {
        while let Some(change) = self.changes.peek(upper)? {
            self.apply(change)?;
        }
        Ok(())
    }

    fn apply(&mut self, change: Change<'c>) -> Result<(), ReadError> {
        self.changes.advance();
        let Some(value) = change.value else { return Ok(()) };
        let key = Bytes::copy_from_slice(change.key);
        self.levels.push(0, Entry { key, fresh: true, item: Item::Record(value.clone()) })
    }

    /// Whether a node of the subtree lives in a pack that is to be vacated. Reads inner nodes only.
    fn has_vacated(&self, place: &Place<'_>) -> Result<bool, ReadError> {
        if self.vacate.is_empty() {
            return Ok(false);
        }
        if place.level == 0 || self.vacate.contains(&place.node.pack.id) {
            return Ok(self.vacate.contains(&place.node.pack.id));
        }
        let node = place.load(self.nodes)?;
        for index in 0..node.len() {
            if self.has_vacated(&Place::child(&node, index, place.upper))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Writes what is pending, level by level, until one node is left.
    fn finish(mut self) -> Result<TreeRoot, ReadError> {
        let mut level = 0;
        let root = loop {
            let top = self.levels.is_empty_above(level);
            if top && self.levels.is_empty(level) {
                break TreeRoot::EMPTY;
            }
            if top && let Some(node) = self.levels.only_child(level) {
                break TreeRoot { node: Some(node), height: level };
            }
            if !top && self.levels.is_light(level) {
                self.borrow_left(level)?;
            }
            self.levels.write_rest(level)?;
            level += 1;
        };
        self.levels.finish()?;
        Ok(root)
    }

    /// Takes the node to the left of what is pending at `level` back and puts its entries in front.
    ///
    /// The node to the left is an old one: had it been cut from the same run, the rest would not be light.
    /// Only beside very large records it can be new, and then (false) the light node stays light.
    fn borrow_left(&mut self, level: u8) -> Result<bool, ReadError> {
        let above = level + 1;
        if self.levels.is_empty(above) {
            let further = !self.levels.is_empty_above(above) && self.borrow_left(above)?;
            if !further {
                return Ok(false);
            }
        }
        let Some((first, node)) = self.levels.pop_kept(above) else { return Ok(false) };
        let upper = self.levels.first_key(level);
        let place = Place { node: &node, level, first: Some(&first), upper: upper.as_deref() };
        let left = place.load(self.nodes)?;
        self.levels.prepend(level, entries_of(&left).collect())?;
        Ok(true)
    }
}

/// The entries of an old node.
fn entries_of(node: &Node) -> impl Iterator<Item = Entry> {
    (0..node.len()).filter_map(|index| {
        let item = match node.children().get(index) {
            Some(child) => Item::Child(*child),
            None => Item::Record(node.value(index)?),
        };
        Some(Entry { key: node.shared_key(index), fresh: false, item })
    })
}

/// The entry of a node that is kept as it is.
fn child(key: Bytes, node: &NodeRef) -> Entry {
    Entry { key, fresh: false, item: Item::Child(*node) }
}
