//! Segments that are spoilt between their upload and their commit: sealed again under a new name, never dangling.

use std::sync::Arc;
use std::time::Duration;

use super::world::*;
use crate::base::{Epoch, Ino};
use crate::meta::{op::Op, read};
use crate::object::{ErrorKind, Fault, RequestKind, Rule};
use crate::volume::{GcRequest, Volume, fsck, gc};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// What no commit has named is gone by then.
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// A machine whose segment is in the bucket and whose commit is not: the log does not take its entries.
fn stuck(world: &World, number: u8) -> (Machine, Arc<Volume>) {
    let machine = world.machine(number);
    let volume = machine.open().unwrap();
    put(&volume, "committed", &noise(CHUNK, 1));
    volume.sync().unwrap();
    put(&volume, "stuck", &noise(3 * CHUNK, 2));
    let ino = lookup(&volume, Ino::ROOT, "stuck").unwrap();
    machine.faulty.add(Rule::always(Fault::Refuse(ErrorKind::Transient)).on(RequestKind::Put).under("log/"));
    volume.sync().unwrap_err();
    // More that names the same segment, and waits behind the batch.
    let copy = create(&volume, Ino::ROOT, "copy").unwrap();
    let time = volume.now();
    let op = Op::Clone {
        source: ino,
        from: 0,
        ino: copy,
        to: 0,
        count: 3,
        version: 0,
        size: 3 * CHUNK as u64,
        mtime: time,
        ctime: time,
    };
    apply(&volume, op).unwrap();
    (machine, volume)
}

fn collect(volume: &Volume) -> u64 {
    let me = volume.me.upgrade().unwrap();
    gc(&me, GcRequest { grace: Some(DAY), ..GcRequest::default() }, &|_, _| {}).unwrap().objects
}

fn all_is_well(world: &World, volume: &Volume) {
    let expected = noise(3 * CHUNK, 2);
    assert_eq!(files(volume)["stuck"], expected);
    let found = world.files();
    assert_eq!(found["stuck"], expected);
    assert_eq!(found["copy"], expected);
    assert_eq!(found["committed"], noise(CHUNK, 1));
    let reader = world.machine(201).open_read_only().unwrap();
    assert_eq!(fsck(&reader, true, &|_, _| {}).unwrap().problems, Vec::<String>::new());
    assert!(volume.data().uncommitted().is_empty());
}

#[test]
fn m3_without_any_grace_nothing_is_deleted_under_another_machine_that_has_not_looked_for_a_while() {
    let world = World::new();
    let theirs = world.machine(1).open().unwrap();
    put(&theirs, "theirs", b"x");
    theirs.sync().unwrap();
    let mine = world.machine(2).open().unwrap();
    put(&mine, "mine", b"y");
    mine.sync().unwrap();
    put(&mine, "more", b"y");
    mine.sync().unwrap();
    let me = mine.me.upgrade().unwrap();
    let at_once = GcRequest { grace: Some(Duration::ZERO), ..GcRequest::default() };
    gc(&me, at_once, &|_, _| {}).unwrap();
    // Had entries been deleted, this would land among them, and its success would mean nothing.
    put(&theirs, "later", b"z");
    theirs.sync().unwrap();
    assert_eq!(world.files()["later"], b"z");
}

#[test]
fn m5_a_segment_condemned_between_upload_and_commit_is_sealed_again_and_committed() {
    let world = World::new();
    let (machine, volume) = stuck(&world, 1);
    let before = world.keys("data/");
    assert_eq!(collect(&world.machine(2).open().unwrap()), 0);
    machine.faulty.clear();
    volume.sync().unwrap();
    all_is_well(&world, &volume);
    let condemned = read::all_condemned(&volume.snapshot()).unwrap();
    assert!(condemned.iter().any(|(key, _)| before.contains(key)), "the old name is left to gc");
    // A week later it goes, and nothing else does.
    world.sleep(WEEK);
    volume.poll_once().unwrap();
    assert!(collect(&volume) > 0);
    all_is_well(&world, &volume);
}

#[test]
fn m5_a_machine_that_sleeps_over_a_weekend_between_upload_and_commit_finds_its_segment() {
    let world = World::new();
    let (machine, volume) = stuck(&world, 1);
    let segment = segment_of(&volume, lookup(&volume, Ino::ROOT, "stuck").unwrap());
    let other = world.machine(2).open().unwrap();
    for _ in 0..3 {
        collect(&other);
        world.sleep(DAY);
    }
    volume.data().evict(segment);
    machine.faulty.clear();
    volume.sync().unwrap();
    all_is_well(&world, &volume);
}

#[test]
fn m5_what_a_mount_unknown_to_gc_uploaded_before_a_rotation_is_committed_after_it() {
    let world = World::with_header();
    let machine = world.machine(1);
    let volume = machine.open().unwrap();
    machine.faulty.add(Rule::always(Fault::Refuse(ErrorKind::Transient)).on(RequestKind::Put).under("log/"));
    put(&volume, "first", &noise(CHUNK, 1));
    volume.sync().unwrap_err();
    let (uploaded, _) = volume.data().uncommitted().pop().unwrap();
    world.add_epoch();
    let rotator = world.machine(2).open().unwrap();
    rotator.sync().unwrap();
    gc(&rotator, GcRequest::default(), &|_, _| {}).unwrap();
    volume.data().evict(uploaded);
    machine.faulty.clear();
    volume.sync().unwrap();
    assert_eq!(world.files()["first"], noise(CHUNK, 1));
}

#[test]
fn m5_a_segment_that_gc_deleted_before_its_commit_is_never_referred_to() {
    let world = World::new();
    let (machine, volume) = stuck(&world, 1);
    let other = world.machine(2).open().unwrap();
    collect(&other);
    world.sleep(WEEK + DAY);
    // Condemned, deleted and pardoned: nothing in the newest state says that it ever was there.
    assert!(collect(&other) > 0);
    machine.faulty.clear();
    volume.sync().unwrap();
    all_is_well(&world, &volume);
}

#[test]
fn m5_chunks_that_nobody_has_any_more_fail_the_commit_and_are_not_committed_as_holes() {
    let world = World::new();
    let (machine, volume) = stuck(&world, 1);
    let segment = segment_of(&volume, lookup(&volume, Ino::ROOT, "stuck").unwrap());
    let other = world.machine(2).open().unwrap();
    collect(&other);
    world.sleep(WEEK + DAY);
    collect(&other);
    // Memory forgot the opened chunks, as it does after a while.
    volume.data().evict(segment);
    machine.faulty.clear();
    let refused = volume.sync().unwrap_err().to_string();
    assert!(refused.contains(&segment.to_string()), "{refused}");
    assert_eq!(world.files().keys().collect::<Vec<_>>(), ["committed"]);
}

#[test]
fn a_segment_sealed_before_a_rotation_is_committed_under_the_new_epoch() {
    let world = World::with_header();
    let (machine, volume) = stuck(&world, 1);
    world.add_epoch();
    world.machine(99).open().unwrap().sync().unwrap();
    machine.faulty.clear();
    volume.sync().unwrap();
    all_is_well(&world, &volume);
    let mut epochs = Vec::new();
    read::each_segment(&volume.snapshot(), &mut |_, record| {
        epochs.push(record.epoch);
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    epochs.sort();
    assert_eq!(epochs, [Epoch(1), Epoch(2)]);
}

#[test]
fn m5_a_conflict_copy_after_a_long_sleep_refers_to_nothing_that_gc_has_deleted() {
    for forgotten in [false, true] {
        let world = World::new();
        let sleeper = world.machine(1).open().unwrap();
        let old = noise(3 * CHUNK, 1);
        let ino = put(&sleeper, "file", &old);
        sleeper.sync().unwrap();
        let segment = segment_of(&sleeper, ino);
        write_chunk(&sleeper, ino, 1, &noise(CHUNK, 2));
        let other = world.machine(2).open().unwrap();
        write(&other, ino, &noise(2 * CHUNK, 3)).unwrap();
        other.sync().unwrap();
        for _ in 0..3 {
            collect(&other);
            world.sleep(DAY);
        }
        if forgotten {
            sleeper.data().evict(segment);
        }
        sleeper.sync().unwrap();
        let found = world.files();
        assert_eq!(found["file"], noise(2 * CHUNK, 3));
        let copy = found.iter().find(|(name, _)| name.contains("conflict")).map(|(_, bytes)| bytes).unwrap();
        assert_eq!(copy[CHUNK..2 * CHUNK], noise(CHUNK, 2), "what was written here is kept");
        let rest = if forgotten { vec![0; CHUNK] } else { old[..CHUNK].to_vec() };
        assert_eq!(copy[..CHUNK], rest, "{forgotten}");
        let reader = world.machine(201).open_read_only().unwrap();
        assert_eq!(fsck(&reader, true, &|_, _| {}).unwrap().problems, Vec::<String>::new());
    }
}
