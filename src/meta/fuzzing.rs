//! Targets for the fuzzers: keys, records, operations, nodes, packs.

use bytes::Bytes;

use super::key;
use super::op::Op;
use super::record::{ChunkRef, Condemned, Dentry, Inode, Orphan, SegmentRecord, Session, Superblock, Xattr};
use super::tree::fuzzing as tree;
use crate::base::{DecodeError, Reader, Writer};
use crate::fuzzing::{Target, assert_tame};
use crate::vault::MAX_CHUNK;

pub(crate) static TARGETS: [Target; 6] = [
    Target::new(
        "record_key",
        &[
            "meta/key.rs: parse",
            "meta/key.rs: parse_dentry",
            "meta/key.rs: parse_chunk",
            "meta/key.rs: parse_xattr",
        ],
        record_key,
    ),
    Target::new("record", &["meta/record/mod.rs: decode", "meta/read.rs: decode"], record),
    Target::new(
        "op",
        &[
            "meta/op/decode.rs: decode",
            "meta/op/decode.rs: decode_namespace",
            "meta/op/decode.rs: decode_file",
            "meta/op/decode.rs: decode_upkeep",
        ],
        op,
    ),
    Target::new(
        "tree_node",
        &[
            "meta/tree/node_codec.rs: decode",
            "meta/tree/node_codec.rs: decode_keys",
            "meta/tree/node_codec.rs: decode_values",
        ],
        tree_node,
    )
    // Keys may share bytes, up to the longest node.
    .plus(3 * MAX_CHUNK),
    Target::new("tree_root", &["meta/tree/node_ref.rs: decode"], tree::tree_root),
    Target::new("tree_pack", &["meta/tree/pack.rs: open", "meta/tree/pack.rs: verify"], tree::tree_pack)
        .plus(1 << 20),
];

fn record_key(bytes: &[u8]) {
    assert_tame(&key::describe(bytes));
    let again = match key::parse(bytes) {
        None => return,
        Some(key::Parsed::Superblock) => key::superblock(),
        Some(key::Parsed::Inode(ino)) => key::inode(ino),
        // The position is a hash that a search relies on; what stands in a key is looked at by fsck.
        Some(key::Parsed::Dentry { parent, name }) => {
            assert_eq!(key::dentry(parent, name).len(), bytes.len());
            return;
        }
        Some(key::Parsed::Chunk(ino, index)) => key::chunk(ino, index),
        Some(key::Parsed::Xattr(ino, name)) => key::xattr(ino, name),
        Some(key::Parsed::Orphan(ino)) => key::orphan(ino),
        Some(key::Parsed::Segment(id)) => key::segment(id),
        Some(key::Parsed::Session(slot)) => key::session(slot),
        Some(key::Parsed::Condemned(object)) => [&bytes[..1], object].concat(),
    };
    assert_eq!(again, bytes, "another spelling of a key");
}

/// The first byte chooses the kind of record.
fn record(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let encoded = match kind % 9 {
        0 => Inode::decode(bytes).map(|record| record.encode()),
        1 => Dentry::decode(bytes).map(|record| record.encode()),
        2 => ChunkRef::decode(bytes).map(|record| record.encode()),
        3 => SegmentRecord::decode(bytes).map(|record| segment(&record)),
        4 => Session::decode(bytes).map(|record| record.encode()),
        5 => Superblock::decode(bytes).map(|record| record.encode()),
        6 => Orphan::decode(bytes).map(|record| record.encode()),
        7 => Condemned::decode(bytes).map(|record| record.encode()),
        _ => Xattr::decode(bytes).map(|record| record.encode()),
    };
    canonical(encoded, bytes);
}

/// A record that stands says where each frame lies without an overflow.
fn segment(record: &SegmentRecord) -> Vec<u8> {
    let mut ends =
        (0..record.frames.len()).map(|number| record.frame(number as u32).expect("it is there").end);
    assert_eq!(ends.next_back(), Some(record.object_len()));
    assert_eq!(record.frame(record.frames.len() as u32), None);
    record.encode()
}

fn canonical(encoded: Result<Vec<u8>, DecodeError>, bytes: &[u8]) {
    match encoded {
        Ok(encoded) => assert_eq!(encoded, bytes, "another spelling"),
        Err(error) => assert_tame(&error.to_string()),
    }
}

fn op(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    let encoded = Op::decode(&mut reader).map(|op| {
        assert_eq!(op.check(), Ok(()), "decoded, and yet out of bounds");
        let mut writer = Writer::new();
        op.encode(&mut writer);
        writer.finish()
    });
    canonical(encoded, &bytes[..bytes.len() - reader.rest().len().min(bytes.len())]);
}

fn tree_node(bytes: &[u8]) {
    tree::node(Bytes::copy_from_slice(bytes));
}
