//! Visiting every node, for gc's marking and for fsck.

use super::node::Node;
use super::node_ref::{NodeRef, TreeRoot};
use super::place::Place;
use super::store::NodeSource;
use crate::meta::view::ReadError;

/// Visits every node that is reachable from `root`, parents before their children and children in the order
/// of their keys, each checked against its parent. Holds one path of nodes.
///
/// # Errors
/// The first one of reading a node, or what `visit` returns.
pub fn walk(
    nodes: &dyn NodeSource,
    root: TreeRoot,
    visit: &mut dyn FnMut(&NodeRef, &Node) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    match Place::root(&root)? {
        Some(root) => below(nodes, &root, visit),
        None => Ok(()),
    }
}

fn below(
    nodes: &dyn NodeSource,
    place: &Place<'_>,
    visit: &mut dyn FnMut(&NodeRef, &Node) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    let node = place.load(nodes)?;
    visit(place.node, &node)?;
    for index in 0..node.children().len() {
        below(nodes, &Place::child(&node, index, place.upper), visit)?;
    }
    Ok(())
}
