//! Visiting every node: for gc's marking, for fsck and for re-encryption.

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

/// Visits the references of all nodes that are reachable from `root`, parents first. Reads inner nodes only: what is
/// in the leaves is not looked at.
///
/// # Errors
/// The first one of reading a node.
pub fn walk_refs(
    nodes: &dyn NodeSource,
    root: TreeRoot,
    visit: &mut dyn FnMut(&NodeRef),
) -> Result<(), ReadError> {
    match Place::root(&root)? {
        Some(root) => refs_below(nodes, &root, visit),
        None => Ok(()),
    }
}

fn refs_below(
    nodes: &dyn NodeSource,
    place: &Place<'_>,
    visit: &mut dyn FnMut(&NodeRef),
) -> Result<(), ReadError> {
    visit(place.node);
    if place.level == 0 {
        return Ok(());
    }
    let node = place.load(nodes)?;
    for index in 0..node.children().len() {
        refs_below(nodes, &Place::child(&node, index, place.upper), visit)?;
    }
    Ok(())
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
