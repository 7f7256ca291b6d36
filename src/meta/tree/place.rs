//! One step down the tree, with everything that the parent promises about the child.
//!
//! AEAD and hash prove that a node is the one that was written; the checks here prove that it was written
//! where it is used. They cost two comparisons per node and turn a mistake of any writer into
//! `ReadError::Corrupt` instead of records that are silently not found.

use std::sync::Arc;

use super::node::Node;
use super::node_ref::{MAX_HEIGHT, NodeRef, TreeRoot};
use super::store::NodeSource;
use crate::meta::view::ReadError;

/// A node that has not been read yet, as its parent describes it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub node: &'a NodeRef,
    pub level: u8,
    /// Its first key; unknown for the root.
    pub first: Option<&'a [u8]>,
    /// All of its keys are below this one; unbounded along the right edge of the tree.
    pub upper: Option<&'a [u8]>,
}

impl<'a> Place<'a> {
    /// The root's place; None for the empty tree.
    pub fn root(root: &'a TreeRoot) -> Result<Option<Self>, ReadError> {
        match (&root.node, root.height) {
            (None, 0) => Ok(None),
            (Some(node), height @ 1..=MAX_HEIGHT) => {
                Ok(Some(Self { node, level: height - 1, first: None, upper: None }))
            }
            (_, height) => Err(ReadError::Corrupt(format!("the tree's root cannot have height {height}"))),
        }
    }

    /// The place of child `index` of `parent`, whose own keys end at `upper`.
    pub fn child(parent: &'a Node, index: usize, upper: Option<&'a [u8]>) -> Self {
        let upper = if index + 1 < parent.len() { Some(parent.key(index + 1)) } else { upper };
        let level = parent.level().saturating_sub(1);
        Self { node: &parent.children()[index], level, first: Some(parent.key(index)), upper }
    }

    /// Reads the node and holds it against what the parent says.
    pub fn load(&self, nodes: &dyn NodeSource) -> Result<Arc<Node>, ReadError> {
        let node = nodes.node(self.node)?;
        if node.level() != self.level {
            let found = node.level();
            return Err(self.corrupt(&format!("is of level {found}, its parent says {}", self.level)));
        }
        if self.first.is_some_and(|first| first != node.key(0)) {
            return Err(self.corrupt("does not start with the key that its parent says"));
        }
        if self.upper.is_some_and(|upper| node.key(node.len() - 1) >= upper) {
            return Err(self.corrupt("has keys that belong to its right neighbour"));
        }
        Ok(node)
    }

    fn corrupt(&self, what: &str) -> ReadError {
        ReadError::Corrupt(format!("tree node {} of pack {} {what}", self.node.number, self.node.pack.id))
    }
}
