//! Reading through the store: seeking, missing packs, prefetching, bounds of memory, many threads.

use super::*;

/// Reads all records in pieces of a random length, each from where the last one ended, and feeds the store
/// what it misses; says how many packs that took.
fn read_in_pieces(bucket: &Bucket, store: &NodeStore, root: TreeRoot) -> (Records, usize) {
    let (mut records, mut fetched) = (Records::new(), 0);
    let mut start = Vec::new();
    loop {
        let before = records.len();
        let scanned = TreeView { root, nodes: store }.scan(&start.clone(), &[0xff; 20], &mut |key, value| {
            records.insert(key.to_vec(), value.clone());
            start = [key, &[0]].concat();
            if records.len() > before + 700 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        match scanned {
            Err(ReadError::Missing(pack)) => {
                fetched += 1;
                bucket.give(store, pack).unwrap();
            }
            Err(corrupt) => panic!("{corrupt}"),
            Ok(()) if records.len() == before => return (records, fetched),
            Ok(()) => {}
        }
    }
}

fn many_packs() -> (Bucket, TreeRoot) {
    let bucket = Bucket::new(1);
    let mut root = TreeRoot::EMPTY;
    for part in 0..12 {
        root = bucket.fold(root, &numbered(part * 1000..(part + 1) * 1000, 200));
    }
    bucket.collect(root);
    assert!(bucket.packs.lock().len() > 8);
    (bucket, root)
}

#[test]
fn a_store_with_room_for_one_pack_reads_everything_again() {
    let (bucket, root) = many_packs();
    let store = NodeStore::new(bucket.vault.clone(), 0, 0);
    let (found, fetched) = read_in_pieces(&bucket, &store, root);
    assert!(found == bucket.records(root));
    assert!(fetched >= bucket.packs.lock().len());
}

#[test]
fn an_interrupted_scan_goes_on_at_the_cost_of_one_path() {
    let (bucket, root) = many_packs();
    let nodes = bucket.fetching(8 << 20, 8 << 20);
    TreeView { root, nodes: &nodes }
        .scan(&key(7777), &key(9999), &mut |found, _| {
            assert_eq!(found, key(7777));
            ControlFlow::Break(())
        })
        .unwrap();
    assert_eq!(nodes.nodes.load(Ordering::SeqCst), usize::from(root.height));
}

#[test]
fn empty_trees_and_empty_ranges_have_no_records() {
    let (bucket, root) = many_packs();
    let nodes = bucket.fetching(8 << 20, 8 << 20);
    for (root, start, end) in [
        (TreeRoot::EMPTY, vec![], vec![0xff]),
        (root, key(5), key(5)),
        (root, key(6), key(5)),
        (root, vec![], vec![0]),
        (root, vec![2], vec![0xff]),
    ] {
        let view = TreeView { root, nodes: &nodes };
        view.scan(&start, &end, &mut |_, _| panic!("a record")).unwrap();
        assert_eq!(view.get(&[0]), Ok(None));
        assert_eq!(view.get(&[9]), Ok(None));
    }
}

#[test]
fn packs_ahead_of_a_scan_are_all_that_it_needs() {
    let (bucket, root) = many_packs();
    let store = NodeStore::new(bucket.vault.clone(), 16 << 20, 64 << 20);
    let view = TreeView { root, nodes: &store };
    let (start, end) = (key(1500), key(6500));
    let mut rounds = 0;
    loop {
        let ahead = view.packs_ahead(&start, &end, 100).unwrap();
        if ahead.is_empty() {
            break;
        }
        rounds += 1;
        assert_eq!(ahead.iter().collect::<HashSet<_>>().len(), ahead.len());
        ahead.iter().for_each(|pack| bucket.give(&store, *pack).unwrap());
    }
    assert!(rounds <= usize::from(root.height));
    let mut count = 0;
    view.scan(&start, &end, &mut |_, _| {
        count += 1;
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(count, 5000);
    assert!(view.packs_ahead(&key(0), &key(12_000), 2).unwrap().len() <= 2);
    assert!(view.packs_ahead(&key(0), &key(12_000), 100).unwrap().len() > 2);
}

#[test]
fn the_store_stays_within_its_limits() {
    let (bucket, root) = many_packs();
    let largest = bucket.packs.lock().values().map(Bytes::len).max().unwrap();
    let (node_bytes, pack_bytes) = (1 << 20, 3 * largest);
    let nodes = bucket.fetching(node_bytes, pack_bytes);
    let view = TreeView { root, nodes: &nodes };
    let mut most = 0;
    for step in 0..3000 {
        view.get(&key(step * 7919 % 12_000)).unwrap().unwrap();
        most = most.max(nodes.store.memory());
    }
    assert!(most > node_bytes && most <= node_bytes + pack_bytes, "{most}");
}

#[test]
fn values_share_the_memory_of_their_leaf() {
    let (bucket, root) = many_packs();
    let nodes = bucket.fetching(8 << 20, 8 << 20);
    let view = TreeView { root, nodes: &nodes };
    let (one, other) = (view.get(&key(3)).unwrap().unwrap(), view.get(&key(3)).unwrap().unwrap());
    assert_eq!(one.as_ptr(), other.as_ptr());
}

#[test]
fn many_threads_read_through_one_store() {
    let (bucket, root) = many_packs();
    let nodes = bucket.fetching(1 << 20, 2 << 20);
    let (nodes, expected) = (&nodes, &bucket.records(root));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                for step in 0..1500 {
                    let key = key((step * 7919 + thread * 3001) % 13_000);
                    assert_eq!(answer(nodes, root, &key).as_ref(), expected.get(&key));
                }
            });
        }
    });
}

/// Asks until nothing is missing: another thread may push a pack out before it is used.
fn answer(nodes: &Fetching<'_>, root: TreeRoot, key: &[u8]) -> Option<Bytes> {
    loop {
        match (TreeView { root, nodes }).get(key) {
            Err(ReadError::Missing(_)) => {}
            answer => return answer.unwrap(),
        }
    }
}
