//! Tree packs that the store exchanges, cuts and joins: what they hold is shown as it is, or an error says why not.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use bytes::Bytes;

use super::world::*;
use crate::base::Ino;
use crate::meta::view::View;
use crate::vault::HEADER_LEN;
use crate::volume::{Volume, VolumeError, fsck};

/// A volume whose tree lies in several packs of one epoch, each with several nodes; its packs and records.
fn grown() -> (World, BTreeMap<String, Bytes>, Records) {
    let world = World::new();
    let volume = world.machine(1).open().unwrap();
    for round in 0..3 {
        let directory = mkdir(&volume, Ino::ROOT, &format!("round {round}")).unwrap();
        for number in 0..150 {
            let ino = create(&volume, directory, &format!("file {number}")).unwrap();
            write(&volume, ino, &noise(400, round * 1000 + number)).unwrap();
        }
        volume.checkpoint_now(&Default::default()).unwrap();
    }
    volume.close_blocking().unwrap();
    drop(volume);
    let packs: BTreeMap<_, _> =
        world.memory.objects().into_iter().filter(|(key, _)| key.starts_with("tree/")).collect();
    assert!(packs.len() >= 3, "{:?}", packs.keys());
    let records = world.records();
    (world, packs, records)
}

fn all_records(volume: &Volume) -> Result<Records, VolumeError> {
    let mut all = Records::new();
    volume.snapshot().scan(&[], &[0xff; 32], &mut |key, value| {
        all.insert(key.to_vec(), value.clone());
        ControlFlow::Continue(())
    })?;
    Ok(all)
}

/// Whether a machine that never saw the volume, or fsck, complains.
///
/// # Panics
/// When anything is shown that is not true, or it costs requests without end.
fn complains(world: &World, expected: &Records, case: &str) -> bool {
    let machine = world.machine(201);
    let seen = machine.open_read_only().map(|volume| {
        let seen =
            all_records(&volume).map(|found| assert_eq!(&found, expected, "{case}: something else is shown"));
        let problems = fsck(&volume, false, &|_, _| {}).map(|report| report.problems);
        seen.is_err() || problems.map_or(true, |problems| !problems.is_empty())
    });
    let requests = machine.meter.snapshot().requests();
    assert!(requests < 100, "{case}: {requests} requests");
    seen.unwrap_or(true)
}

#[test]
fn packs_that_are_swapped_or_stand_under_each_others_names_show_the_truth_or_an_error() {
    let (world, packs, expected) = grown();
    assert!(!complains(&world, &expected, "untouched"));
    for (one, first) in &packs {
        for (other, second) in packs.iter().filter(|(other, _)| *other != one) {
            world.memory.overwrite_raw(one, second.clone());
            assert!(
                complains(&world, &expected, "another pack of the epoch in its place"),
                "{other} as {one}"
            );
            world.memory.overwrite_raw(other, first.clone());
            assert!(complains(&world, &expected, "two packs swapped"), "{one} and {other}");
            world.memory.overwrite_raw(one, first.clone());
            world.memory.overwrite_raw(other, second.clone());
        }
    }
    assert!(!complains(&world, &expected, "put back"));
}

#[test]
fn packs_that_are_cut_within_a_node_or_joined_of_two_show_the_truth_or_an_error() {
    let (world, packs, expected) = grown();
    let all: Vec<&Bytes> = packs.values().collect();
    for (number, (key, pack)) in packs.iter().enumerate() {
        let other = all[(number + 1) % all.len()];
        let half = pack.len().min(other.len()) / 2;
        let cuts = [0, 1, HEADER_LEN - 1, HEADER_LEN, HEADER_LEN + 1, pack.len() / 3, half, pack.len() - 1];
        let mut changed: Vec<(String, Vec<u8>)> =
            cuts.iter().map(|cut| (format!("cut after {cut} bytes"), pack[..*cut].to_vec())).collect();
        for (what, parts) in [
            ("nodes of another pack under its header", [&pack[..HEADER_LEN], &other[HEADER_LEN..]]),
            ("its nodes under the header of another", [&other[..HEADER_LEN], &pack[HEADER_LEN..]]),
            ("half of it, half of another", [&pack[..half], &other[half..]]),
            ("half of another, half of it", [&other[..half], &pack[half..]]),
            ("another behind it", [&pack[..], &other[..]]),
            ("its nodes twice", [&pack[..], &pack[HEADER_LEN..]]),
        ] {
            changed.push((what.to_owned(), parts.concat()));
        }
        let mut noticed = 0;
        for (what, bytes) in changed {
            world.memory.overwrite_raw(key, bytes);
            noticed += usize::from(complains(&world, &expected, &what));
        }
        // Not every node of an older pack is still needed; no pack is without its header.
        assert!(noticed >= 8, "{key}: {noticed} changes were noticed");
        world.memory.overwrite_raw(key, pack.clone());
    }
    assert!(!complains(&world, &expected, "put back"));
}
