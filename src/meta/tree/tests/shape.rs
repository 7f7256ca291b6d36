//! How folds use space: filling, what is read and rewritten, vacating.

use super::*;
use crate::meta::tree::level::SPLIT;

fn fold_counting(bucket: &Bucket, root: TreeRoot, changes: &Changes) -> (TreeRoot, usize) {
    let nodes = bucket.fetching(4 << 20, 4 << 20);
    let root = bucket.try_fold(&nodes, root, changes, &HashSet::new()).unwrap();
    (root, nodes.nodes.load(Ordering::SeqCst))
}

#[test]
fn a_tree_built_at_once_is_nine_tenths_full() {
    let bucket = Bucket::new(1);
    let root = bucket.fold(TreeRoot::EMPTY, &numbered(0..20_000, 90));
    let nodes = nodes_of(&bucket.fetching(1 << 20, 4 << 20), root);
    let leaves: Vec<_> = nodes.iter().filter(|(node, _)| Some(*node) != root.node).collect();
    let average = leaves.iter().map(|(_, weight)| weight).sum::<usize>() / leaves.len();
    assert!(average > SPLIT * 85 / 100, "{average}");
}

#[test]
fn a_tree_that_grows_at_its_end_stays_well_filled() {
    let bucket = Bucket::new(2);
    let mut root = TreeRoot::EMPTY;
    for step in 0..200 {
        root = bucket.fold(root, &numbered(step * 50..(step + 1) * 50, 90));
    }
    let nodes = nodes_of(&bucket.fetching(1 << 20, 4 << 20), root);
    let average = nodes.iter().map(|(_, weight)| weight).sum::<usize>() / nodes.len();
    assert!(average > SPLIT * 65 / 100, "{average}");
}

#[test]
fn a_small_change_reads_and_writes_one_path() {
    let bucket = Bucket::new(3);
    let root = bucket.fold(TreeRoot::EMPTY, &numbered(0..40_000, 90));
    let before = nodes_of(&bucket.fetching(1 << 20, 4 << 20), root);
    let mut changes = Changes::new();
    put(&mut changes, key(20_000), "changed");
    let (after_root, read) = fold_counting(&bucket, root, &changes);
    let known: HashSet<NodeRef> = before.iter().map(|(node, _)| *node).collect();
    let after = nodes_of(&bucket.fetching(1 << 20, 4 << 20), after_root);
    let written = after.iter().filter(|(node, _)| !known.contains(node)).count();
    assert!(before.len() > 100);
    assert!(written <= usize::from(root.height) && read <= 2 * usize::from(root.height), "{written} {read}");
}

#[test]
fn changes_that_change_nothing_leave_the_root_and_the_bucket_as_they_are() {
    let bucket = Bucket::new(4);
    let records = numbered(0..5000, 90);
    let root = bucket.fold(TreeRoot::EMPTY, &records);
    let packs = bucket.packs.lock().len();
    let mut changes: Changes = records.into_iter().step_by(100).collect();
    changes.insert(key(1_000_000), None);
    changes.insert(vec![0], None);
    assert_eq!(bucket.fold(root, &changes), root);
    assert_eq!(bucket.fold(root, &Changes::new()), root);
    assert_eq!(bucket.fold(TreeRoot::EMPTY, &Changes::from([(vec![1], None)])), TreeRoot::EMPTY);
    assert_eq!(bucket.packs.lock().len(), packs);
}

#[test]
fn neighbours_that_became_light_are_merged() {
    let bucket = Bucket::new(5);
    let root = bucket.fold(TreeRoot::EMPTY, &numbered(0..5000, 90));
    let most_go: Changes = (0..5000).filter(|n| n % 20 != 0).map(|n| (key(n), None)).collect();
    let sparse = bucket.fold(root, &most_go);
    let nodes = nodes_of(&bucket.fetching(1 << 20, 4 << 20), sparse);
    assert!(nodes.len() <= 3, "{} nodes", nodes.len());

    // The last leaf alone becomes light: it joins its left neighbour, which no change touches.
    let last_go: Changes = (0..5000).rev().take(200).map(|n| (key(n), None)).collect();
    let shorter = bucket.fold(root, &last_go);
    assert_well_filled(&bucket.fetching(1 << 20, 4 << 20), shorter);
    assert_eq!(bucket.records(shorter).len(), 4800);
}

#[test]
fn vacated_packs_are_empty_afterwards_and_no_record_changes() {
    let bucket = Bucket::new(6);
    let mut root = bucket.fold(TreeRoot::EMPTY, &noisy(0..10_000));
    for step in 0..10 {
        root = bucket.fold(root, &noisy(step * 1000..step * 1000 + 1));
    }
    let records = bucket.records(root);
    bucket.collect(root);
    let packs: Vec<ObjectId> = bucket.packs.lock().keys().copied().collect();
    assert!(packs.len() > 4, "{}", packs.len());
    for victim in packs {
        let after = bucket.fold_vacating(root, &Changes::new(), &HashSet::from([victim]));
        assert!(!bucket.reachable(after).contains(&victim));
        assert!(bucket.records(after) == records);
        assert_eq!(after.height, root.height);
    }
    let all: HashSet<ObjectId> = bucket.packs.lock().keys().copied().collect();
    let after = bucket.fold_vacating(root, &Changes::new(), &all);
    assert!(bucket.reachable(after).is_disjoint(&all));
    assert!(bucket.records(after) == records);
}

/// Where the leaf lies that holds a record.
fn pack_of(bucket: &Bucket, root: TreeRoot, number: u64) -> ObjectId {
    let mut place = None;
    walk(&bucket.fetching(1 << 20, 4 << 20), root, &mut |reference, node| {
        if node.level() == 0 && node.find(&key(number)).is_some() {
            place = Some(reference.pack.id);
        }
        Ok(())
    })
    .unwrap();
    place.unwrap()
}

#[test]
fn leaves_that_every_mount_reads_lie_in_the_newest_pack_and_without_a_change_nothing_is_written() {
    let mut bucket = Bucket::new(12);
    bucket.hot = [0, 9_000, 19_999].map(|number| (key(number), key(number + 1))).to_vec();
    let mut root = bucket.fold(TreeRoot::EMPTY, &numbered(0..20_000, 90));
    for step in [5_000, 12_000, 7_000] {
        root = bucket.fold(root, &numbered(step..step + 1, 91));
        let newest = root.node.unwrap().pack.id;
        for hot in [0, 9_000, 19_999] {
            assert_eq!(pack_of(&bucket, root, hot), newest, "{hot} after {step}");
        }
    }
    assert_ne!(pack_of(&bucket, root, 5_000), root.node.unwrap().pack.id);
    assert_eq!(bucket.records(root).len(), 20_000);
    let packs = bucket.packs.lock().len();
    assert_eq!(bucket.fold(root, &numbered(7_000..7_001, 91)), root);
    assert_eq!(bucket.packs.lock().len(), packs);
}

#[test]
fn leaves_that_every_mount_reads_lie_with_the_inner_nodes_of_a_fold_that_fills_many_packs() {
    let mut bucket = Bucket::new(13);
    // The last scan finds nothing: it reads the leaf of what stands before.
    let scan = |start, end| (key(start), key(end));
    bucket.hot = vec![scan(0, 1), scan(20_000, 20_001), scan(35_000, 35_001), scan(38_001, 38_500)];
    let mut changes = noisy(0..38_000);
    changes.extend(noisy(38_500..40_000));
    let root = bucket.fold(TreeRoot::EMPTY, &changes);
    assert!(bucket.packs.lock().len() > 3);
    let inner = root.node.unwrap().pack.id;
    for hot in [20_000, 35_000, 37_999] {
        assert_eq!(pack_of(&bucket, root, hot), inner, "{hot}");
    }
    assert_ne!(pack_of(&bucket, root, 30_000), inner);
    assert_eq!(bucket.records(root).len(), 39_500);
}

#[test]
fn vacating_a_pack_reads_no_leaf_of_another() {
    let bucket = Bucket::new(7);
    let root = bucket.fold(TreeRoot::EMPTY, &numbered(0..20_000, 90));
    let root = bucket.fold(root, &numbered(10_000..10_001, 91));
    let leaf_of = |number| pack_of(&bucket, root, number);
    let victim = leaf_of(10_000);
    assert_ne!(victim, leaf_of(0));
    let nodes = bucket.fetching(4 << 20, 4 << 20);
    bucket.try_fold(&nodes, root, &Changes::new(), &HashSet::from([victim])).unwrap();
    let read = nodes.nodes.load(Ordering::SeqCst);
    assert!(read <= 6, "{read} nodes were read");
}

#[test]
fn inner_nodes_of_a_large_tree_lie_together() {
    let bucket = Bucket::new(8);
    let root = bucket.fold(TreeRoot::EMPTY, &noisy(0..60_000));
    let (mut inner, mut leaves) = (HashSet::new(), HashSet::new());
    walk(&bucket.fetching(1 << 20, 4 << 20), root, &mut |reference, node| {
        if node.level() == 0 { &mut leaves } else { &mut inner }.insert(reference.pack.id);
        Ok(())
    })
    .unwrap();
    assert!(leaves.len() > 4 && inner.len() == 1, "{} {}", leaves.len(), inner.len());
}

/// Records that do not compress, so that packs fill.
fn noisy(range: std::ops::Range<u64>) -> Changes {
    let random = SeededRandom::new(range.start + 17 * range.end);
    let value = |_| {
        let mut value = vec![0; 120];
        random.fill(&mut value);
        Bytes::from(value)
    };
    range.map(|number| (key(number), Some(value(number)))).collect()
}
