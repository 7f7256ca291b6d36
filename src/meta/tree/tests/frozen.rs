//! Bytes that must not change: a node, and a small tree that was sealed once and stays readable.

use super::*;
use crate::base::{Reader, Writer};
use crate::meta::tree::level::{Entry, Item};
use crate::meta::tree::node_codec::encode;

/// `tests/fixtures/tree/v1.root`: the encoded root. `v1.pack`: the pack that all of its nodes are in.
const ROOT: &[u8] = include_bytes!("../../../../tests/fixtures/tree/v1.root");
const PACK: &[u8] = include_bytes!("../../../../tests/fixtures/tree/v1.pack");

/// The records of the frozen tree.
fn frozen_records() -> Changes {
    let mut changes = numbered(0..700, 50);
    for length in 1..=255 {
        put(&mut changes, [vec![2], vec![b'n'; length]].concat(), vec![length as u8; length]);
    }
    put(&mut changes, [3], Bytes::new());
    changes
}

#[test]
fn the_frozen_tree_stays_readable() {
    let mut reader = Reader::new(ROOT);
    let root = TreeRoot::decode(&mut reader).unwrap();
    reader.end().unwrap();
    assert_eq!(root.height, 2);
    let store = NodeStore::new(vault(), 1 << 20, 1 << 20);
    store.insert_pack(root.node.unwrap().pack, Bytes::from_static(PACK)).unwrap();
    let mut expected = Records::new();
    apply(&mut expected, &frozen_records());
    assert!(records(&store, root).unwrap() == expected);
}

#[test]
#[ignore = "writes the fixture anew; only for a new version of the format"]
fn write_the_frozen_tree() {
    let bucket = Bucket::new(1);
    let root = bucket.fold(TreeRoot::EMPTY, &frozen_records());
    let mut encoded = Writer::new();
    root.encode(&mut encoded);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tree");
    std::fs::write(format!("{folder}/v1.root"), encoded.finish()).unwrap();
    let packs = bucket.packs.lock();
    assert_eq!(packs.len(), 1);
    packs.values().for_each(|pack| std::fs::write(format!("{folder}/v1.pack"), pack).unwrap());
}

/// The worked example of docs/format.md, section 7.
#[test]
fn a_leaf_is_encoded_as_documented() {
    let entry = |key: &[u8], value: &[u8]| Entry {
        key: Bytes::copy_from_slice(key),
        fresh: false,
        item: Item::Record(Bytes::copy_from_slice(value)),
    };
    let plain =
        encode(0, &[entry(b"\x05\0\0\0\0\0\0\x01\x02", b"abc"), entry(b"\x05\0\0\0\0\0\0\x01\x0a", b"")]);
    let documented: [&[u8]; 6] = [
        &[1, 0, 2, 0],
        &[0, 0, 8, 0],
        &[9, 0, 1, 0],
        &[3, 0, 0, 0, 0, 0, 0, 0],
        &[5, 0, 0, 0, 0, 0, 0, 1, 2, 0x0a],
        b"abc",
    ];
    assert_eq!(plain, documented.concat());
}

#[test]
fn an_inner_node_is_encoded_as_documented() {
    let pack = PackRef { epoch: Epoch(1), id: ObjectId([0x11; 16]) };
    let node = NodeRef { pack, number: 2, offset: 128, len: 300, hash: [0x22; 32] };
    let plain =
        encode(1, &[Entry { key: Bytes::from_static(b"\x05k"), fresh: true, item: Item::Child(node) }]);
    let documented: [&[u8]; 9] = [
        &[1, 1, 1, 0],
        &[0, 0],
        &[2, 0],
        b"\x05k",
        &[1, 0, 0, 0],
        &[0x11; 16],
        &[2, 0, 0, 0, 128, 0, 0, 0],
        &[0x2c, 1, 0, 0],
        &[0x22; 32],
    ];
    assert_eq!(plain, documented.concat());
}
