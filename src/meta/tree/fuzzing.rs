//! What the targets in `meta/fuzzing.rs` do with nodes, roots and packs.

use std::sync::OnceLock;

use bytes::Bytes;

use super::node::{MAX_KEY, MAX_VALUE};
use super::node_codec;
use super::node_ref::{NodeRef, TreeRoot};
use super::pack::{HeldPack, PackWriter, SealedPack, verify};
use crate::base::random::SeededRandom;
use crate::base::{Reader, Writer};
use crate::vault::fuzzing::{overlaid, vault};

/// A node holds what a search relies on: keys that ascend, and lengths within their caps.
pub(in crate::meta) fn node(plain: Bytes) {
    let Ok(node) = node_codec::decode(plain) else { return };
    assert!((1..node.len()).all(|at| node.key(at - 1) < node.key(at)), "keys do not ascend");
    assert!((0..node.len()).all(|at| (1..=MAX_KEY).contains(&node.key(at).len())));
    assert!(node.records().all(|(key, value)| value.len() <= MAX_VALUE && node.find(key) == Some(value)));
    assert!(if node.level() == 0 { node.children().is_empty() } else { node.children().len() == node.len() });
}

pub(in crate::meta) fn tree_root(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    if let Ok(root) = TreeRoot::decode(&mut reader) {
        let mut writer = Writer::new();
        root.encode(&mut writer);
        assert_eq!(writer.finish(), bytes[..bytes.len() - reader.rest().len()], "another spelling of a root");
    }
}

/// A pack with one leaf, and the reference to it.
pub(in crate::meta) fn sample() -> &'static (SealedPack, NodeRef) {
    static SAMPLE: OnceLock<(SealedPack, NodeRef)> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        // Version, leaf, one entry: the key "k" with the value "v".
        let plain = [1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, b'k', b'v'];
        let random = SeededRandom::new(2);
        let mut writer = PackWriter::new(vault(), &random);
        let node = writer.add(&plain).expect("a node");
        (writer.finish().expect("sealed").expect("a pack"), node)
    })
}

/// A reference, and then what is laid over the sample pack: only the true reference to the true node leads anywhere.
pub(in crate::meta) fn tree_pack(bytes: &[u8]) {
    let (sample, true_node) = sample();
    let mut reader = Reader::new(bytes);
    let node = NodeRef::decode(&mut reader).unwrap_or(*true_node);
    for pack in [reader.rest().to_vec(), overlaid(&sample.sealed, reader.rest())] {
        let whole = pack == sample.sealed;
        assert_eq!(verify(vault(), sample.pack, &pack).is_ok(), whole, "a pack that was never sealed");
        let Ok(held) = HeldPack::new(vault(), sample.pack, Bytes::from(pack)) else { continue };
        for node in [node, *true_node] {
            if let Ok(opened) = held.open(&node) {
                // The seal binds number and content, and a reference is sealed itself: the same frame in another place,
                // to which the reference leads, is the same node.
                let same = NodeRef { pack: true_node.pack, offset: true_node.offset, ..node } == *true_node;
                assert!(same && opened.key(0) == b"k", "a node that was never sealed");
            }
        }
    }
}
