//! Collecting garbage on whole volumes.

use std::time::Duration;

use super::world::*;
use crate::base::Ino;
use crate::meta::read;
use crate::object::fault::Gate;
use crate::object::{ErrorKind, Fault, RequestKind, Rule};
use crate::volume::{GcRequest, ObjectName, Volume, fsck, gc};

#[test]
fn m5_what_is_reachable_survives_gc_and_what_is_not_goes() {
    let world = World::new();
    let machine = world.machine(1);
    let volume = machine.open().unwrap();
    let kept = noise(CHUNK * 3, 1);
    put(&volume, "kept", &kept);
    volume.sync().unwrap();
    for number in 0..20u64 {
        put(&volume, &format!("gone{number}"), &noise(CHUNK * 2, number + 10));
    }
    volume.sync().unwrap();
    for number in 0..20u64 {
        unlink(&volume, Ino::ROOT, &format!("gone{number}")).unwrap();
    }
    volume.sync().unwrap();
    let before: usize = world.memory.objects().values().map(|bytes| bytes.len()).sum();
    gc(&volume, GcRequest::default(), &|_, _| {}).unwrap();
    volume.close_blocking().unwrap();
    let after: usize = world.memory.objects().values().map(|bytes| bytes.len()).sum();
    assert!(after < before / 5, "{after} of {before} bytes are left");
    assert_eq!(world.files(), Files::from([("kept".into(), kept)]));
    let reader = world.machine(3).open_read_only().unwrap();
    let report = fsck(&reader, true, &|_, _| {}).unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    // The machine that collected opens again: its witness is older than what is left of the log.
    machine.open().unwrap();
}

#[test]
fn m5_while_another_session_may_be_alive_nothing_goes_before_its_grace_period() {
    let world = World::new();
    let other = world.machine(2).open().unwrap();
    put(&other, "theirs", &noise(CHUNK, 1));
    other.sync().unwrap();
    let volume = world.machine(1).open().unwrap();
    unlink(&volume, Ino::ROOT, "theirs").unwrap();
    volume.sync().unwrap();
    let report = gc(&volume, GcRequest::default(), &|_, _| {}).unwrap();
    assert_eq!(report.objects, 0);
    assert!(report.condemned > 0);
    // The other machine, which has not heard of the removal yet, still reads.
    assert_eq!(files(&other)["theirs"], noise(CHUNK, 1));
}

#[test]
fn m5_what_a_mount_that_gc_cannot_know_of_has_uploaded_stays_for_its_first_commit() {
    let world = World::new();
    let volume = world.machine(1).open().unwrap();
    put(&volume, "ours", b"small");
    volume.sync().unwrap();
    let idle = world.machine(2).open().unwrap();
    let bytes = noise(CHUNK, 1);
    let ino = put(&idle, "first", &bytes);
    let segment = segment_of(&idle, ino);
    idle.data().close_segment();
    idle.runtime().block_on(idle.data().uploaded(&[segment])).unwrap();
    let report = gc(&volume, GcRequest::default(), &|_, _| {}).unwrap();
    assert_eq!(report.condemned, 1);
    idle.sync().unwrap();
    volume.poll_once().unwrap();
    assert_eq!(files(&volume)["first"], bytes);
}

#[test]
fn a_dry_run_counts_what_a_run_deletes_entries_of_the_log_too() {
    let world = World::new();
    let machine = world.machine(1);
    let volume = machine.open().unwrap();
    for number in 0..20u64 {
        put(&volume, &format!("gone{number}"), &noise(CHUNK * 2, number));
        volume.sync().unwrap();
        unlink(&volume, Ino::ROOT, &format!("gone{number}")).unwrap();
    }
    volume.close_blocking().unwrap();
    drop(volume);
    let entries = world.keys("log/").len() as u64;
    let reader = machine.open_read_only().unwrap();
    let dry = gc(&reader, GcRequest { dry_run: true, ..GcRequest::default() }, &|_, _| {}).unwrap();
    drop(reader);
    assert_eq!(world.keys("log/").len() as u64, entries);
    let volume = machine.open().unwrap();
    let wet = gc(&volume, GcRequest::default(), &|_, _| {}).unwrap();
    assert!(dry.objects >= 20 + entries - 1, "{entries} entries: {dry:?}");
    assert!(dry.objects <= wet.objects && wet.objects <= dry.objects + 3, "{dry:?}, {wet:?}");
    assert!(dry.bytes <= wet.bytes, "{dry:?}, {wet:?}");
}

#[test]
fn fsck_beside_a_gc_elsewhere_takes_nothing_that_went_for_damage() {
    for read in 1..=4 {
        let world = World::new();
        let other = world.machine(2).open().unwrap();
        for number in 0..3u64 {
            put(&other, &format!("file{number}"), &noise(CHUNK, number));
            other.checkpoint_now(&Default::default()).unwrap();
        }
        let machine = world.machine(1);
        let reader = machine.open_read_only().unwrap();
        let gate = Gate::new();
        machine.faulty.add(Rule::nth(read, Fault::Freeze(gate.clone())).on(RequestKind::Get));
        std::thread::scope(|scope| {
            let checking = scope.spawn(|| fsck(&reader, true, &|_, _| {}));
            world.runtime.block_on(gate.reached(1));
            unlink(&other, Ino::ROOT, "file1").unwrap();
            assert!(gc(&other, GcRequest::default(), &|_, _| {}).unwrap().objects > 0);
            gate.release();
            let report = checking.join().unwrap().unwrap();
            assert_eq!(report.problems, Vec::<String>::new(), "at read {read}");
        });
        // What is missing for good still is.
        let pack = world.keys("tree/").pop().unwrap();
        world.memory.remove_raw(&pack);
        let checked = world.machine(3).open_read_only().map(|volume| fsck(&volume, true, &|_, _| {}));
        assert!(checked.is_err() || checked.is_ok_and(|report| report.is_err()));
    }
}

#[test]
fn what_a_run_decided_to_delete_and_did_not_goes_with_the_next_run() {
    let world = World::new();
    let machine = world.machine(1);
    let volume = machine.open().unwrap();
    put(&volume, "gone", &noise(CHUNK * 2, 1));
    volume.sync().unwrap();
    let segments = world.keys("data/");
    unlink(&volume, Ino::ROOT, "gone").unwrap();
    volume.sync().unwrap();
    machine.faulty.add(Rule::always(Fault::Refuse(ErrorKind::Transient)).on(RequestKind::Delete));
    gc(&volume, GcRequest::default(), &|_, _| {}).unwrap_err();
    assert_eq!(world.keys("data/"), segments);
    machine.faulty.clear();
    gc(&volume, GcRequest::default(), &|_, _| {}).unwrap();
    assert_eq!(world.keys("data/"), Vec::<String>::new());
    // And the note of it with the one after that.
    assert_eq!(read::all_condemned(&volume.snapshot()).unwrap().len(), segments.len());
    gc(&volume, GcRequest::default(), &|_, _| {}).unwrap();
    assert!(read::all_condemned(&volume.snapshot()).unwrap().is_empty());
}

#[test]
fn m5_what_no_commit_has_named_goes_after_a_week_and_under_an_epoch_that_was_left_after_an_hour() {
    for (rotated, stays) in [(false, Duration::from_secs(7 * 24 * 3600)), (true, Duration::from_secs(3600))] {
        let world = World::with_header();
        let crashed = world.machine(2).open().unwrap();
        let ino = put(&crashed, "never committed", &noise(CHUNK, 1));
        let segment = segment_of(&crashed, ino);
        crashed.data().close_segment();
        crashed.runtime().block_on(crashed.data().uploaded(&[segment])).unwrap();
        drop(crashed);
        if rotated {
            world.add_epoch();
        }
        let volume = world.machine(1).open().unwrap();
        volume.sync().unwrap();
        let collect = || gc(&volume, GcRequest::default(), &|_, _| {}).unwrap();
        assert_eq!(collect().condemned, 1);
        world.sleep(stays - Duration::from_secs(1));
        assert_eq!(collect().condemned, 1, "{rotated}");
        world.sleep(Duration::from_secs(1));
        collect();
        assert_eq!(world.keys("data/"), Vec::<String>::new(), "{rotated}");
    }
}

/// As gc does in the end.
fn replace_packs(world: &World, volume: &Volume, packs: &[String]) {
    let vacated = packs.iter().map(|key| match ObjectName::parse(key) {
        Some(ObjectName::Pack(id)) => id,
        name => panic!("{name:?}"),
    });
    volume.checkpoint_now(&vacated.collect()).unwrap();
    packs.iter().for_each(|pack| drop(world.memory.remove_raw(pack)));
}

/// gc deletes packs one by one and shortens the log in steps: who slept may find every entry since, and nothing of the tree
/// it had.
#[test]
fn m5_a_mount_that_slept_goes_on_though_the_packs_of_its_tree_are_gone_and_the_log_is_not() {
    for has_session in [true, false] {
        let world = World::new();
        let other = world.machine(2).open().unwrap();
        for number in 0..900 {
            put(&other, &format!("file {number}"), &noise(4000, number));
        }
        other.checkpoint_now(&Default::default()).unwrap();
        let packs = world.keys("tree/");
        assert!(packs.len() > 2, "{packs:?}");
        let mount = world.machine(1).open().unwrap();
        if has_session {
            put(&mount, "mine", b"x");
            mount.sync().unwrap();
            other.poll_once().unwrap();
        }
        put(&mount, "waits", &noise(CHUNK, 1));
        for number in 0..900 {
            write(&other, lookup(&other, Ino::ROOT, &format!("file {number}")).unwrap(), b"new").unwrap();
        }
        replace_packs(&world, &other, &packs);
        world.sleep(std::time::Duration::from_secs(36 * 3600));
        mount.sync().unwrap();
        other.poll_once().unwrap();
        assert!(records(&mount) == records(&other), "has a session: {has_session}");
        assert_eq!(content(&other, lookup(&other, Ino::ROOT, "waits").unwrap()), noise(CHUNK, 1));
    }
}

/// What conflicts are found by lay in packs that are gone.
#[test]
fn m2_a_mount_that_slept_commits_its_changes_of_files_whose_records_are_gone() {
    let world = World::new();
    let other = world.machine(2).open().unwrap();
    for number in 0..900 {
        put(&other, &format!("file {number}"), &noise(4000, number));
    }
    for name in ["shared", "shared too"] {
        put(&other, name, &noise(3 * CHUNK, 1));
    }
    other.checkpoint_now(&Default::default()).unwrap();
    other.sync().unwrap();
    let packs = world.keys("tree/");
    let mount = world.machine(1).open().unwrap();
    put(&mount, "mine", b"x");
    mount.sync().unwrap();
    other.poll_once().unwrap();
    for name in ["shared", "shared too"] {
        write_chunk(&mount, lookup(&mount, Ino::ROOT, name).unwrap(), 1, &noise(CHUNK, 2));
    }
    unlink(&mount, Ino::ROOT, "file 500").unwrap();
    unlink(&mount, Ino::ROOT, "shared too").unwrap();
    write(&other, lookup(&other, Ino::ROOT, "shared").unwrap(), &noise(CHUNK, 3)).unwrap();
    other.sync().unwrap();
    replace_packs(&world, &other, &packs);
    mount.packs.nodes.forget();
    world.sleep(Duration::from_secs(36 * 3600));
    mount.sync().unwrap();
    other.poll_once().unwrap();
    assert!(records(&mount) == records(&other));
    let found = files(&other);
    assert_eq!(found["shared"], noise(CHUNK, 3));
    assert_eq!(found["file 500"], noise(4000, 500), "nobody can tell whether somebody has changed it");
    let copy = found.iter().find(|(name, _)| name.contains("conflict")).map(|(_, bytes)| bytes).unwrap();
    assert_eq!(copy[CHUNK..2 * CHUNK], noise(CHUNK, 2));
    let told = mount.status().conflicts.join("\n");
    assert!(told.contains("only what was changed here") && told.contains("file 500"), "{told}");
    let reader = world.machine(3).open_read_only().unwrap();
    assert_eq!(fsck(&reader, true, &|_, _| {}).unwrap().problems, Vec::<String>::new());
}
