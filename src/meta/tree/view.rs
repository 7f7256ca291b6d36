//! Reading records from the tree.

use std::ops::ControlFlow;

use bytes::Bytes;

use super::node_ref::{PackRef, TreeRoot};
use super::place::Place;
use super::store::NodeSource;
use crate::meta::view::{ReadError, View, Visit};

/// The tree as a view. Costs one node per level for a look-up or the start of a scan, and holds one path of
/// nodes while it scans.
///
/// A scan that fails half-way has visited all records before the failure in order and none after it: the
/// caller goes on by scanning from its last key (or repeats the scan, if its visitor can start over).
pub struct TreeView<'a> {
    pub root: TreeRoot,
    pub nodes: &'a dyn NodeSource,
}

impl View for TreeView<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, ReadError> {
        match Place::root(&self.root)? {
            Some(root) => self.get_below(&root, key),
            None => Ok(None),
        }
    }

    fn scan(&self, start: &[u8], end: &[u8], visit: &mut Visit<'_>) -> Result<(), ReadError> {
        if start < end
            && let Some(root) = Place::root(&self.root)?
        {
            let _stopped = self.scan_below(&root, start, end, visit)?;
        }
        Ok(())
    }
}

impl TreeView<'_> {
    /// The packs that a scan of `start <= key < end` would find missing, at most `limit`, in the order of the
    /// scan: those of leaves, and those of inner nodes whose leaves are therefore still unknown. Reads inner
    /// nodes only. With this a caller fetches several packs at once, and asks again as it advances.
    ///
    /// # Errors
    /// `Corrupt` only; what is missing is the answer.
    pub fn packs_ahead(&self, start: &[u8], end: &[u8], limit: usize) -> Result<Vec<PackRef>, ReadError> {
        let mut ahead = Ahead { start, end, limit, packs: Vec::new() };
        if start < end
            && let Some(root) = Place::root(&self.root)?
        {
            ahead.below(&root, self.nodes)?;
        }
        Ok(ahead.packs)
    }

    fn get_below(&self, place: &Place<'_>, key: &[u8]) -> Result<Option<Bytes>, ReadError> {
        let node = place.load(self.nodes)?;
        if node.level() == 0 {
            return Ok(node.find(key));
        }
        let child = Place::child(&node, node.child_of(key), place.upper);
        self.get_below(&child, key)
    }

    fn scan_below(
        &self,
        place: &Place<'_>,
        start: &[u8],
        end: &[u8],
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>, ReadError> {
        let node = place.load(self.nodes)?;
        if node.level() == 0 {
            for index in node.record_span(start, end) {
                if let Some(value) = node.value(index)
                    && visit(node.key(index), &value).is_break()
                {
                    return Ok(ControlFlow::Break(()));
                }
            }
            return Ok(ControlFlow::Continue(()));
        }
        for index in node.child_span(start, end) {
            let child = Place::child(&node, index, place.upper);
            if self.scan_below(&child, start, end, visit)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// The search for packs to fetch.
struct Ahead<'a> {
    start: &'a [u8],
    end: &'a [u8],
    limit: usize,
    packs: Vec<PackRef>,
}

impl Ahead<'_> {
    fn below(&mut self, place: &Place<'_>, nodes: &dyn NodeSource) -> Result<(), ReadError> {
        if place.level == 0 {
            if !nodes.holds(place.node) {
                self.add(place.node.pack);
            }
            return Ok(());
        }
        let node = match place.load(nodes) {
            Ok(node) => node,
            Err(ReadError::Missing(pack)) => {
                self.add(pack);
                return Ok(());
            }
            Err(corrupt) => return Err(corrupt),
        };
        for index in node.child_span(self.start, self.end) {
            if self.packs.len() >= self.limit {
                break;
            }
            self.below(&Place::child(&node, index, place.upper), nodes)?;
        }
        Ok(())
    }

    /// Limits are small: a search through the list is cheaper than a set.
    fn add(&mut self, pack: PackRef) {
        if self.packs.len() < self.limit && !self.packs.contains(&pack) {
            self.packs.push(pack);
        }
    }
}
