//! Damaged, swapped and mistaken packs and nodes: refusal, never a wrong record, never a panic.

use super::*;
use crate::meta::tree::level::{Entry, Item};
use crate::meta::tree::node_codec::{decode, encode};
use crate::meta::tree::pack::{MAX_PACK, PackWriter};
use crate::vault::{HEADER_LEN, MAX_CHUNK};

/// A root over a few leaves, in one pack.
fn small_tree() -> (Bucket, TreeRoot, PackRef) {
    let bucket = Bucket::new(9);
    let root = bucket.fold(TreeRoot::EMPTY, &numbered(0..40, 2000));
    let pack = root.node.unwrap().pack;
    assert_eq!((bucket.packs.lock().len(), root.height), (1, 2));
    (bucket, root, pack)
}

/// What a reader gets from these bytes of the pack.
fn read(bucket: &Bucket, root: TreeRoot, pack: PackRef, sealed: Vec<u8>) -> Result<Records, ReadError> {
    let store = NodeStore::new(bucket.vault.clone(), 1 << 20, 1 << 20);
    store.insert_pack(pack, Bytes::from(sealed))?;
    records(&store, root)
}

#[test]
fn a_flipped_bit_anywhere_is_refused_or_harmless() {
    let (bucket, root, pack) = small_tree();
    let (good, sealed) = (bucket.records(root), bucket.packs.lock()[&pack.id].clone());
    let mut refused = 0;
    for place in 0..sealed.len() {
        let mut damaged = sealed.to_vec();
        damaged[place] ^= 1 << (place % 8);
        match read(&bucket, root, pack, damaged) {
            Ok(records) => assert!(records == good, "wrong records after damage at {place}"),
            Err(ReadError::Corrupt(_)) => refused += 1,
            Err(missing) => panic!("{missing}"),
        }
    }
    // Only the empty final frame is not read.
    assert!(refused >= sealed.len() - 24, "{refused} of {}", sealed.len());
}

#[test]
fn a_pack_cut_short_anywhere_is_refused() {
    let (bucket, root, pack) = small_tree();
    let sealed = bucket.packs.lock()[&pack.id].clone();
    for len in 0..sealed.len() - 24 {
        let outcome = read(&bucket, root, pack, sealed[..len].to_vec());
        assert!(matches!(outcome, Err(ReadError::Corrupt(_))), "cut to {len}");
    }
    let too_long = vec![0; MAX_PACK + 1];
    assert!(matches!(read(&bucket, root, pack, too_long), Err(ReadError::Corrupt(_))));
}

#[test]
fn another_pack_of_the_same_volume_is_refused() {
    let (bucket, root, pack) = small_tree();
    let other = bucket.fold(TreeRoot::EMPTY, &numbered(0..40, 2001)).node.unwrap().pack;
    let sealed = bucket.packs.lock()[&other.id].to_vec();
    assert!(matches!(read(&bucket, root, pack, sealed), Err(ReadError::Corrupt(_))));
}

#[test]
fn a_pack_of_another_volume_is_refused() {
    let (bucket, root, pack) = small_tree();
    let volume = VolumeId([3; 16]);
    let vault = Vault::from_epoch_keys(volume, Epoch(1), &[(Epoch(1), [2; 32])]).unwrap();
    let stranger = Bucket { vault, ..Bucket::new(1) };
    let sealed = bucket.packs.lock()[&pack.id].to_vec();
    assert!(matches!(read(&stranger, root, pack, sealed), Err(ReadError::Corrupt(_))));
}

#[test]
fn a_correctly_sealed_node_that_is_not_the_one_referred_to_is_refused() {
    let (bucket, root, pack) = small_tree();
    let nodes = nodes_of(&bucket.fetching(1 << 20, 1 << 20), root);
    let store = NodeStore::new(bucket.vault.clone(), 1 << 20, 1 << 20);
    bucket.give(&store, pack).unwrap();
    let (one, other) = (nodes[1].0, nodes[2].0);
    assert!(store.node(&one).is_ok() && store.node(&other).is_ok());
    for wrong in [
        NodeRef { hash: one.hash, ..other },
        NodeRef { hash: [0; 32], ..one },
        NodeRef { number: other.number, ..one },
        NodeRef { offset: other.offset, len: other.len, ..one },
        NodeRef { len: one.len - 1, ..one },
        NodeRef { len: one.len + 1, ..one },
        NodeRef { offset: u32::MAX, ..one },
        NodeRef { offset: 0, len: HEADER_LEN as u32, ..one },
    ] {
        // What does not open is not kept: it may be the pack.
        bucket.give(&store, pack).unwrap();
        assert!(matches!(store.node(&wrong), Err(ReadError::Corrupt(_))), "{wrong:?}");
        assert!(matches!(store.node(&wrong), Err(ReadError::Missing(_))), "{wrong:?}");
    }
}

/// Seals one node into a pack of its own.
fn sealed_node(bucket: &Bucket, level: u8, entries: &[Entry]) -> NodeRef {
    let mut writer = PackWriter::new(&bucket.vault, &bucket.random);
    let node = writer.add(&encode(level, entries)).unwrap();
    let pack = writer.finish().unwrap().unwrap();
    bucket.packs.lock().insert(pack.pack.id, pack.sealed);
    node
}

fn parent_of(bucket: &Bucket, children: &[(Vec<u8>, NodeRef)]) -> NodeRef {
    let entries = children.iter().map(|(key, node)| Entry {
        key: Bytes::from(key.clone()),
        fresh: true,
        item: Item::Child(*node),
    });
    sealed_node(bucket, 1, &entries.collect::<Vec<_>>())
}

#[test]
fn a_child_that_breaks_its_parents_promise_is_refused_everywhere() {
    let (bucket, good, _) = small_tree();
    let store = bucket.fetching(1 << 20, 1 << 20);
    let node = store.node(&good.node.unwrap()).unwrap();
    let child = |index: usize| (node.key(index).to_vec(), node.children()[index]);
    let first_is_earlier = (vec![1], child(0).1);
    let overlapping = sealed_node(&bucket, 0, &[record(&key(3), b"again")]);
    let wrong = [
        // A separator that is not the first key.
        (vec![first_is_earlier, child(1), child(2)], 2),
        // A separator of the right neighbour that cuts keys off.
        (vec![child(0), (key(3), child(1).1)], 2),
        // Neighbours that overlap, each with the first key that the parent says.
        (vec![child(0), (key(3), overlapping)], 2),
        // The same leaf twice.
        (vec![child(0), ([child(0).0, vec![0]].concat(), child(0).1)], 2),
        // An inner node where a leaf should be, and a leaf where an inner node should be.
        (vec![child(0), child(1)], 3),
        (vec![child(0), child(1)], 1),
    ];
    for (number, (children, height)) in wrong.into_iter().enumerate() {
        let root = TreeRoot { node: Some(parent_of(&bucket, &children)), height };
        let mut everything = Changes::from([(vec![0], Some(Bytes::new())), (key(1), None)]);
        everything.extend((0..40).map(|n| (key(n), None)));
        let folded = bucket.try_fold(&store, root, &everything, &HashSet::new());
        let walked = walk(&store, root, &mut |_, _| Ok(()));
        let scanned = records(&store, root);
        assert!(matches!(folded, Err(ReadError::Corrupt(_))), "fold {number}");
        assert!(matches!(walked, Err(ReadError::Corrupt(_))), "walk {number}");
        assert!(matches!(scanned, Err(ReadError::Corrupt(_))), "scan {number}");
    }
}

#[test]
fn a_root_whose_height_does_not_fit_is_refused() {
    let (bucket, good, _) = small_tree();
    let store = bucket.fetching(1 << 20, 1 << 20);
    for root in [
        TreeRoot { node: None, height: 1 },
        TreeRoot { height: 0, ..good },
        TreeRoot { height: 1, ..good },
        TreeRoot { height: 17, ..good },
        TreeRoot { height: 255, ..good },
    ] {
        let view = TreeView { root, nodes: &store };
        assert!(matches!(view.get(&key(1)), Err(ReadError::Corrupt(_))));
        assert!(matches!(records(&store, root), Err(ReadError::Corrupt(_))));
    }
}

fn record(key: &[u8], value: &[u8]) -> Entry {
    let item = Item::Record(Bytes::copy_from_slice(value));
    Entry { key: Bytes::copy_from_slice(key), fresh: true, item }
}

#[test]
fn mutated_plaintext_decodes_to_a_sound_node_or_not_at_all() {
    let random = SeededRandom::new(11);
    let leaf: Vec<Entry> = (0..20).map(|n: u8| record(&[b'k', n, n], &[n; 5])).collect();
    let pack = PackRef { epoch: Epoch(1), id: ObjectId([1; 16]) };
    let node = NodeRef { pack, number: 1, offset: 1000, len: 1000, hash: [1; 32] };
    let inner: Vec<Entry> =
        leaf.iter().map(|entry| Entry { item: Item::Child(node), ..entry.clone() }).collect();
    let (mut sound, mut refused) = (0, 0);
    for (level, entries) in [(0, &leaf), (1, &inner)] {
        let plain = encode(level, entries);
        assert_eq!(decode(Bytes::from(plain.clone())).unwrap().len(), 20);
        for _ in 0..20_000 {
            let mut bytes = plain.clone();
            for _ in 0..1 + below(&random, 3) {
                let place = below(&random, bytes.len() as u64) as usize;
                bytes[place] = random.next_u64() as u8;
            }
            bytes.truncate(bytes.len() - (below(&random, 4) == 0) as usize * below(&random, 50) as usize);
            match decode(Bytes::from(bytes)) {
                Ok(node) => {
                    sound += 1;
                    let keys: Vec<_> = (0..node.len()).map(|index| node.key(index)).collect();
                    assert!(keys.is_sorted_by(|a, b| a < b) && !keys[0].is_empty());
                    assert!(node.records().count() == node.len() || node.children().len() == node.len());
                }
                Err(_) => refused += 1,
            }
        }
    }
    assert!(sound > 1000 && refused > 1000, "{sound} {refused}");
}

#[test]
fn malformed_nodes_are_refused_by_name() {
    use crate::base::DecodeError::*;
    let good = encode(0, &[record(b"a", b"1"), record(b"ab", b"2")]);
    let with = |place: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[place] = byte;
        bytes
    };
    let trailing = [good.clone(), vec![0]].concat();
    let unsorted = encode(0, &[record(b"b", b""), record(b"a", b"")]);
    let twice = encode(0, &[record(b"a", b""), record(b"a", b"")]);
    let long_key = encode(0, &[record(&[1; 1025], b"")]);
    let long_value = encode(0, &[record(b"a", &[0; 96 * 1024 + 1])]);
    for (bytes, error) in [
        (with(0, 2), Invalid("version of the node")),
        (with(1, 16), Invalid("level of the node")),
        (with(2, 0), Invalid("number of entries")),
        (with(4, 1), Invalid("shared length")),
        (with(6, 2), Invalid("shared length")),
        (with(8, 0), Invalid("order of keys")),
        (with(10, 0), Invalid("order of keys")),
        (trailing, Trailing(1)),
        (good[..good.len() - 1].to_vec(), Truncated("value")),
        (vec![], Truncated("version of the node")),
        (unsorted, Invalid("order of keys")),
        (twice, Invalid("order of keys")),
        (long_key, TooLong("key")),
        (long_value, TooLong("value")),
        (vec![0; MAX_CHUNK + 1], TooLong("tree node")),
    ] {
        assert_eq!(decode(Bytes::from(bytes)).err(), Some(error));
    }
}

#[test]
fn little_plaintext_cannot_ask_for_much_memory() {
    // 1000 keys of 1001 bytes that share 999 each would be a megabyte from five kilobytes.
    let keys = (0..1000u16).map(|n| [vec![9; 999], n.to_be_bytes().to_vec()].concat());
    let plain = encode(0, &keys.map(|key| record(&key, b"")).collect::<Vec<_>>());
    assert!(plain.len() < 16 * 1024);
    assert_eq!(decode(Bytes::from(plain)).err(), Some(crate::base::DecodeError::TooLong("key")));
}
