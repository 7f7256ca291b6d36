//! Random folds and scans against a `BTreeMap`.

use super::*;
use crate::meta::overlay::Overlay;
use crate::meta::tree::{MAX_HEIGHT, MAX_KEY, MAX_VALUE, fold};

/// Keys of few inodes, so that the same ones come again, some with names.
fn random_key(random: &dyn Random, keys: u64) -> Vec<u8> {
    let mut key = vec![1 + below(random, 3) as u8];
    key.extend(below(random, keys).to_be_bytes());
    if below(random, 3) == 0 {
        key.extend(vec![b'n'; below(random, 40) as usize]);
    }
    key
}

fn random_value(random: &dyn Random, largest: u64) -> Bytes {
    let len = match below(random, 20) {
        0 => below(random, largest + 1),
        _ => below(random, 200),
    };
    let mut value = vec![0; len as usize];
    random.fill(&mut value[..len.min(32) as usize]);
    Bytes::from(value)
}

/// One round's changes: scattered ones, a run that goes away, a run that comes, or a mixture.
fn random_changes(random: &dyn Random, model: &Records, keys: u64, largest: u64) -> Changes {
    let mut changes = Changes::new();
    for _ in 0..below(random, 30) {
        let value = (below(random, 5) > 1).then(|| random_value(random, largest));
        changes.insert(random_key(random, keys), value);
    }
    if below(random, 6) == 0 {
        let start = random_key(random, keys);
        let doomed = model.range(start..).take(below(random, 300) as usize);
        changes.extend(doomed.map(|(key, _)| (key.clone(), None)));
    }
    if below(random, 12) == 0 {
        let start = below(random, keys);
        changes.extend(numbered(start..start + below(random, 200), 90));
    }
    if below(random, 100) == 0 {
        changes.extend(model.keys().skip(below(random, 3) as usize).map(|key| (key.clone(), None)));
    }
    changes
}

fn compare_somewhere(view: &TreeView<'_>, model: &Records, random: &dyn Random, keys: u64) {
    let probe = random_key(random, keys);
    assert_eq!(view.get(&probe).unwrap().as_ref(), model.get(&probe));
    let (start, end) = (random_key(random, keys), random_key(random, keys));
    let limit = 1 + below(random, 100) as usize;
    let mut seen = Vec::new();
    view.scan(&start, &end, &mut |key, value| {
        seen.push((key.to_vec(), value.clone()));
        if seen.len() == limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .unwrap();
    let range = model.range(start.clone()..end.clone().max(start)).take(limit);
    assert_eq!(seen, range.map(|(key, value)| (key.clone(), value.clone())).collect::<Vec<_>>());
}

/// Folds for `rounds` rounds; says the greatest height seen.
fn run(seed: u64, rounds: usize, keys: u64, largest: u64) -> u8 {
    let bucket = Bucket::new(seed);
    let random = SeededRandom::new(seed ^ 0xabcd);
    let (mut model, mut root, mut highest) = (Records::new(), TreeRoot::EMPTY, 0);
    for round in 0..rounds {
        let changes = random_changes(&random, &model, keys, largest);
        let vacate = if below(&random, 20) == 0 {
            bucket.packs.lock().keys().take(3).copied().collect()
        } else {
            HashSet::new()
        };
        root = bucket.fold_vacating(root, &changes, &vacate);
        apply(&mut model, &changes);
        highest = highest.max(root.height);
        let nodes = bucket.fetching(1 << 20, 4 << 20);
        compare_somewhere(&TreeView { root, nodes: &nodes }, &model, &random, keys);
        if round % 25 == 0 || round + 1 == rounds {
            assert!(records(&nodes, root).unwrap() == model, "seed {seed}, round {round}");
            bucket.collect(root);
            if largest <= 1000 {
                assert_well_filled(&nodes, root);
            }
        }
    }
    highest
}

#[test]
fn a_thousand_folds_of_small_records_equal_the_model() {
    assert!(run(1, 1000, 500, 300) >= 2);
}

#[test]
fn a_thousand_folds_of_few_keys_equal_the_model() {
    run(2, 1000, 12, 300);
}

#[test]
fn folds_with_records_of_any_size_equal_the_model() {
    assert!(run(3, 400, 100, MAX_VALUE as u64) >= 2);
}

#[test]
fn the_records_of_a_tree_do_not_depend_on_how_they_came_there() {
    let (at_once, bit_by_bit) = (Bucket::new(1), Bucket::new(2));
    let changes = numbered(0..3000, 90);
    let first = at_once.fold(TreeRoot::EMPTY, &changes);
    let mut second = TreeRoot::EMPTY;
    let mut shuffled: Vec<_> = changes.iter().collect();
    shuffled.sort_by_key(|(key, _)| key[8].reverse_bits());
    for part in shuffled.chunks(100) {
        second = bit_by_bit
            .fold(second, &part.iter().map(|(key, value)| ((*key).clone(), (*value).clone())).collect());
    }
    assert!(at_once.records(first) == bit_by_bit.records(second));
}

#[test]
fn a_fold_takes_the_changes_of_an_overlay_and_fails_with_its_receiver() {
    let bucket = Bucket::new(6);
    let mut overlay = Overlay::default();
    for (key, value) in numbered(0..500, 90) {
        overlay.set(key, value);
    }
    overlay.set(key(3), None);
    let fold = |emit: &mut dyn FnMut(SealedPack) -> Result<(), ReadError>| {
        let (nodes, nothing) = (bucket.fetching(0, 0), HashSet::new());
        fold(&nodes, TreeRoot::EMPTY, &overlay, &nothing, &bucket.vault, &bucket.random, emit)
    };
    let full = ReadError::Corrupt("no room".to_owned());
    assert_eq!(fold(&mut |_| Err(full.clone())), Err(full.clone()));
    let root = fold(&mut |pack| {
        bucket.packs.lock().insert(pack.pack.id, pack.sealed);
        Ok(())
    });
    let expected: Vec<_> = (0..500).filter(|n| *n != 3).map(key).collect();
    assert_eq!(bucket.records(root.unwrap()).into_keys().collect::<Vec<_>>(), expected);
}

#[test]
fn keys_and_values_beyond_their_bounds_are_refused_and_those_at_them_are_kept() {
    let bucket = Bucket::new(4);
    let at_the_bounds: Changes =
        (0..20).map(|n| (vec![n; MAX_KEY], Some(Bytes::from(vec![n; MAX_VALUE])))).collect();
    let root = bucket.fold(TreeRoot::EMPTY, &at_the_bounds);
    let mut model = Records::new();
    apply(&mut model, &at_the_bounds);
    assert!(bucket.records(root) == model);

    let beyond = [(Vec::new(), 1), (vec![1; MAX_KEY + 1], 1), (vec![1], MAX_VALUE + 1)];
    for (key, len) in beyond {
        let changes = Changes::from([(key, Some(Bytes::from(vec![0; len])))]);
        let nodes = bucket.fetching(0, 0);
        let refused = bucket.try_fold(&nodes, TreeRoot::EMPTY, &changes, &HashSet::new());
        assert!(matches!(refused, Err(ReadError::Corrupt(_))));
    }
}

#[test]
fn the_tree_grows_and_shrinks_in_height() {
    let bucket = Bucket::new(5);
    // Long keys make inner nodes of few children, so that three levels come early.
    let long = |number: u64| [vec![7; 1000], number.to_be_bytes().to_vec()].concat();
    let changes: Changes = (0..3000).map(|n| (long(n), Some(Bytes::from_static(b"value")))).collect();
    let (mut root, mut heights) = (TreeRoot::EMPTY, Vec::new());
    let sorted: Vec<_> = changes.iter().collect();
    for part in sorted.chunks(250) {
        root =
            bucket.fold(root, &part.iter().map(|(key, value)| ((*key).clone(), (*value).clone())).collect());
        assert_well_filled(&bucket.fetching(1 << 20, 4 << 20), root);
        heights.push(root.height);
    }
    assert!(heights.is_sorted() && root.height >= 3 && root.height < MAX_HEIGHT, "{heights:?}");
    heights.clear();
    for part in sorted.chunks(250) {
        root = bucket.fold(root, &part.iter().map(|(key, _)| ((*key).clone(), None)).collect());
        assert_well_filled(&bucket.fetching(1 << 20, 4 << 20), root);
        heights.push(root.height);
    }
    heights.reverse();
    assert!(heights.is_sorted(), "{heights:?}");
    assert_eq!(root, TreeRoot::EMPTY);
}
