use std::cell::Cell;

use proptest::prelude::*;

use super::*;
use crate::meta::view::EmptyView;

type Change = (Vec<u8>, Option<Vec<u8>>);

fn overlay(changes: &[Change]) -> Overlay {
    let mut overlay = Overlay::default();
    for (key, value) in changes {
        overlay.set(key.clone(), value.clone().map(Bytes::from));
    }
    overlay
}

fn scan(view: &dyn View, start: &[u8], end: &[u8], page: usize) -> Vec<(Vec<u8>, Bytes)> {
    let mut found = Vec::new();
    view.scan(start, end, &mut |key, value| {
        found.push((key.to_vec(), value.clone()));
        if found.len() == page { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .unwrap();
    found
}

/// Changes of few keys, so that layers meet.
fn changes() -> impl Strategy<Value = Vec<Change>> {
    let key = proptest::collection::vec(0..4_u8, 1..4);
    let value = proptest::option::of(proptest::collection::vec(any::<u8>(), 0..4));
    proptest::collection::vec((key, value), 0..40)
}

proptest! {
    #[test]
    fn layers_answer_like_one_map_that_took_all_changes_in_order(
        layers in proptest::collection::vec(changes(), 0..5),
        start in proptest::collection::vec(0..5_u8, 0..3),
        end in proptest::collection::vec(0..5_u8, 0..3),
        page in 1..6_usize,
    ) {
        let mut flat = BTreeMap::new();
        for (key, value) in layers.iter().flatten() {
            flat.insert(key.clone(), value.clone());
        }
        let overlays: Vec<Overlay> = layers.iter().map(|changes| overlay(changes)).collect();
        let layered = Layered { base: &EmptyView, layers: overlays.iter().rev().collect() };
        let mut expected: Vec<_> = flat.iter()
            .filter(|(key, _)| *key >= &start && *key < &end)
            .filter_map(|(key, value)| Some((key.clone(), Bytes::from(value.clone()?))))
            .collect();
        prop_assert_eq!(scan(&layered, &start, &end, usize::MAX), expected.clone());
        expected.truncate(page);
        prop_assert_eq!(scan(&layered, &start, &end, page), expected.clone());
        for (key, value) in &flat {
            prop_assert_eq!(layered.get(key).unwrap(), value.clone().map(Bytes::from));
        }

        // The newest layer as a transaction over the others answers the same.
        if let Some((newest, older)) = layers.split_last() {
            let base = Layered { base: &EmptyView, layers: overlays[..older.len()].iter().rev().collect() };
            let mut txn = Txn::new(&base);
            for (key, value) in newest {
                match value {
                    Some(value) => txn.put(key.clone(), value.clone()),
                    None => txn.remove(key.clone()),
                }
            }
            prop_assert_eq!(scan(&txn, &start, &end, page), expected);
            prop_assert_eq!(&txn.finish(), overlays.last().unwrap());
        }
    }

    #[test]
    fn memory_is_counted_by_what_is_held_not_by_what_was_set(all in changes()) {
        let mut counted = Overlay::default();
        let (early, late) = all.split_at(all.len() / 2);
        counted.absorb(overlay(early));
        counted.absorb(overlay(late));
        let held: usize = counted.iter().map(|(key, value)| {
            key.len() + value.map_or(0, Bytes::len) + CHANGE_OVERHEAD
        }).sum();
        prop_assert_eq!(counted.bytes(), held);
        prop_assert_eq!(counted, overlay(&all));
    }
}

/// Counts how many records a scan asks of the base.
struct Counting<'a> {
    inner: Layered<'a>,
    visited: Cell<usize>,
}

impl View for Counting<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, ReadError> {
        self.inner.get(key)
    }

    fn scan(&self, start: &[u8], end: &[u8], visit: &mut Visit<'_>) -> Result<(), ReadError> {
        self.inner.scan(start, end, &mut |key, value| {
            self.visited.set(self.visited.get() + 1);
            visit(key, value)
        })
    }
}

#[test]
fn a_page_of_a_large_directory_costs_a_page() {
    let mut large = Overlay::default();
    let mut newer = Overlay::default();
    for number in 0..20_000_u32 {
        large.set(number.to_be_bytes().to_vec(), Some(Bytes::from_static(b"x")));
        if number % 10 == 0 {
            newer.set(number.to_be_bytes().to_vec(), None);
        }
    }
    let base = Counting { inner: Layered { base: &EmptyView, layers: vec![&large] }, visited: Cell::new(0) };
    let view = Layered { base: &base, layers: vec![&newer] };
    assert_eq!(scan(&view, &[0], &[255], 90).len(), 90);
    assert!(base.visited.get() <= 101, "{} records visited for a page of 90", base.visited.get());
}

#[test]
fn a_base_that_cannot_answer_is_reported() {
    struct Broken;
    impl View for Broken {
        fn get(&self, _key: &[u8]) -> Result<Option<Bytes>, ReadError> {
            Err(ReadError::Corrupt("damaged".into()))
        }
        fn scan(&self, _: &[u8], _: &[u8], _: &mut Visit<'_>) -> Result<(), ReadError> {
            Err(ReadError::Corrupt("damaged".into()))
        }
    }
    let known = overlay(&[(vec![1], Some(vec![2]))]);
    let view = Layered { base: &Broken, layers: vec![&known] };
    assert!(view.get(&[1]).is_ok());
    assert!(view.get(&[2]).is_err());
    assert!(view.scan(&[0], &[9], &mut |_, _| ControlFlow::Continue(())).is_err());
}
