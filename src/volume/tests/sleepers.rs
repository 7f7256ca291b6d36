//! Machines that were away while gc shortened the log (M3): no position is ever used twice.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::world::*;
use crate::base::{Ino, Seq};
use crate::commit_log::entry_key;
use crate::meta::op::Op;
use crate::object::RequestKind;
use crate::object::fault::{Fault, Gate, Rule};
use crate::volume::{Volume, VolumeError, Witness, fsck};

const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);

/// Commits, folds and publishes the boundary, as gc does when others may be reading.
fn go_on_and_publish_a_boundary(volume: &Volume, names: &[&str]) -> Seq {
    volume.poll_once().unwrap();
    for name in names {
        put(volume, name, b"theirs");
        volume.sync().unwrap();
    }
    volume.checkpoint_now(&Default::default()).unwrap();
    let boundary = volume.checkpoint_seq();
    apply(volume, Op::PublishBoundary { boundary, time: volume.now() }).unwrap();
    volume.sync().unwrap();
    boundary
}

/// The same, and deletes the entries before the checkpoint.
fn go_on_and_shorten_the_log(world: &World, volume: &Volume, names: &[&str]) -> Seq {
    let boundary = go_on_and_publish_a_boundary(volume, names);
    for seq in 1..boundary.0 {
        world.memory.remove_raw(&entry_key(Seq(seq)));
    }
    boundary
}

fn sleeper(world: &World, number: u8) -> Arc<Volume> {
    let volume = world.machine(number).open().unwrap();
    put(&volume, &format!("of sleeper {number}"), b"before");
    volume.sync().unwrap();
    volume
}

#[test]
fn m3_a_writer_that_slept_commits_after_the_tail_and_not_in_the_gap() {
    let world = World::new();
    let sleeper = sleeper(&world, 1);
    let other = world.machine(2).open().unwrap();
    go_on_and_shorten_the_log(&world, &other, &["a", "b", "c", "d"]);
    world.sleep(MONTH);
    put(&sleeper, "after waking", b"mine");
    sleeper.sync().unwrap();
    other.poll_once().unwrap();
    assert_eq!(files(&other)["after waking"], b"mine");
    assert_eq!(files(&sleeper)["d"], b"theirs");
    assert_eq!(records(&sleeper), records(&other));
    assert_eq!(records(&sleeper), world.records());
    assert!(sleeper.status().conflicts.is_empty());
}

#[test]
fn m3_a_follower_that_slept_finds_the_new_tail() {
    let world = World::new();
    let reader = world.machine(3).open_read_only().unwrap();
    let other = world.machine(2).open().unwrap();
    go_on_and_shorten_the_log(&world, &other, &["a", "b", "c"]);
    world.sleep(MONTH);
    reader.poll_once().unwrap();
    assert_eq!(records(&reader), records(&other));
}

#[test]
fn m3_a_second_sleeper_is_not_misled_by_what_the_first_left_in_the_gap() {
    let world = World::new();
    let first = sleeper(&world, 1);
    let second = world.machine(4).open().unwrap();
    put(&second, "of sleeper 4", b"before");
    second.sync().unwrap();
    first.poll_once().unwrap();
    let other = world.machine(2).open().unwrap();
    go_on_and_shorten_the_log(&world, &other, &["a", "b", "c", "d", "e"]);
    world.sleep(MONTH);
    for (volume, name) in [(&first, "one"), (&second, "two")] {
        put(volume, name, b"mine");
        volume.sync().unwrap();
    }
    for volume in [&first, &other] {
        volume.poll_once().unwrap();
        assert_eq!(records(volume), records(&second));
    }
    let found = files(&other);
    assert!(found.contains_key("one") && found.contains_key("two"));
}

#[test]
fn m3_a_mount_that_gc_could_not_know_of_looks_before_it_believes() {
    for pause in [0, 61] {
        let world = World::new();
        let idle = world.machine(1).open().unwrap();
        let other = world.machine(2).open().unwrap();
        go_on_and_shorten_the_log(&world, &other, &["a", "b", "c", "d"]);
        world.sleep(Duration::from_secs(pause));
        put(&idle, "first", b"mine");
        idle.sync().unwrap();
        other.poll_once().unwrap();
        assert_eq!(files(&other)["first"], b"mine");
        assert_eq!(records(&idle), records(&other));
    }
}

#[test]
fn m3_an_idle_mount_follows_although_the_next_entry_was_deleted_since_its_last_look() {
    let world = World::new();
    let idle = world.machine(1).open().unwrap();
    let other = world.machine(2).open().unwrap();
    go_on_and_shorten_the_log(&world, &other, &["a", "b", "c", "d"]);
    // What it holds it for, before anybody has asked, is no proof.
    idle.look().unwrap();
    world.sleep(Duration::from_secs(61));
    idle.look().unwrap();
    assert_eq!(records(&idle), records(&other));
    go_on_and_shorten_the_log(&world, &other, &["e", "f", "g", "h"]);
    idle.poll_once().unwrap();
    assert_eq!(records(&idle), records(&other));
}

#[test]
fn a_session_that_others_closed_while_it_slept_opens_again() {
    let world = World::new();
    let sleeper = sleeper(&world, 1);
    let other = world.machine(2).open().unwrap();
    apply(&other, Op::CloseSession { slot: sleeper.slot() }).unwrap();
    other.sync().unwrap();
    put(&sleeper, "after waking", b"mine");
    sleeper.sync().unwrap();
    put(&sleeper, "and again", b"mine");
    sleeper.sync().unwrap();
    other.poll_once().unwrap();
    assert_eq!(records(&sleeper), records(&other));
    assert_eq!(crate::meta::read::sessions(&other.snapshot()).unwrap().len(), 2);
}

#[test]
fn m6_a_mount_that_has_committed_refuses_a_fork_that_gc_has_shortened_past_it() {
    let world = World::new();
    let volume = sleeper(&world, 1);
    let common = world.memory.objects();
    put(&volume, "lost", b"x");
    volume.sync().unwrap();
    world.memory.restore(&common);
    let other = world.machine(2).open().unwrap();
    go_on_and_shorten_the_log(&world, &other, &["a", "b", "c", "d"]);
    world.sleep(MONTH);
    let followed = volume.poll_once().unwrap_err();
    assert!(matches!(followed, VolumeError::RolledBack(_)), "{followed}");
    put(&volume, "onto the fork", b"x");
    let committed = volume.sync().unwrap_err();
    assert!(matches!(committed.root(), VolumeError::RolledBack(_)), "{committed}");
    other.poll_once().unwrap();
    assert!(!files(&other).contains_key("onto the fork"));
}

#[test]
fn m6_a_fork_is_refused_while_it_still_shows_another_entry_in_the_place_of_the_newest_seen() {
    let world = World::new();
    let common = world.memory.objects();
    let writer = sleeper(&world, 1);
    let reader = world.machine(3).open_read_only().unwrap();
    let seen = files(&reader);
    drop(writer);
    world.memory.restore(&common);
    let other = world.machine(2).open().unwrap();
    go_on_and_publish_a_boundary(&other, &["a", "b", "c", "d"]);
    world.sleep(MONTH);
    let followed = reader.poll_once().unwrap_err();
    assert!(matches!(followed, VolumeError::RolledBack(_)), "{followed}");
    assert_eq!(files(&reader), seen);
}

#[test]
fn m6_the_entry_at_the_boundary_itself_must_still_be_there() {
    let world = World::new();
    let machine = world.machine(1);
    let other = world.machine(2).open().unwrap();
    let boundary = go_on_and_shorten_the_log(&world, &other, &["a", "b"]);
    let hash = Sha256::digest(&world.memory.objects()[&entry_key(boundary)]).into();
    // The next checkpoint no longer names that entry.
    other.poll_once().unwrap();
    put(&other, "later", b"theirs");
    other.sync().unwrap();
    other.checkpoint_now(&Default::default()).unwrap();
    put(&other, "latest", b"theirs");
    other.sync().unwrap();
    machine.open_read_only().unwrap();
    machine.env.witness.save(Witness { seq: boundary, hash }).unwrap();
    world.memory.remove_raw(&entry_key(boundary));
    let refused = machine.open_read_only().err().unwrap();
    assert!(matches!(refused, VolumeError::RolledBack(_)), "{refused}");
}

#[test]
fn a_witness_of_an_entry_that_gc_deleted_is_no_rollback() {
    let world = World::new();
    let machine = world.machine(1);
    drop(machine.open().unwrap());
    let other = world.machine(2).open().unwrap();
    go_on_and_shorten_the_log(&world, &other, &["a", "b"]);
    machine.open().unwrap();
}

#[test]
fn a_first_commit_that_another_follows_at_once_is_committed_once() {
    let world = World::new();
    let other = sleeper(&world, 2);
    let machine = world.machine(1);
    let volume = machine.open().unwrap();
    let gate = Gate::new();
    let reply = Rule::first(1, Fault::FreezeReply(gate.clone())).on(RequestKind::Put).under("log/");
    machine.faulty.add(reply);
    put(&volume, "first", b"mine");
    let directory = mkdir(&volume, Ino::ROOT, "directory").unwrap();
    create(&volume, directory, "in it").unwrap();
    std::thread::scope(|scope| {
        let syncing = scope.spawn(|| volume.sync());
        world.runtime.block_on(gate.reached(1));
        put(&other, "theirs", b"theirs");
        other.sync().unwrap();
        gate.release();
        syncing.join().unwrap().unwrap();
    });
    other.poll_once().unwrap();
    let found: Vec<String> = files(&other).into_keys().collect();
    assert_eq!(found, ["directory/", "directory/in it", "first", "of sleeper 2", "theirs"]);
    volume.poll_once().unwrap();
    assert!(volume.status().conflicts.is_empty(), "{:?}", volume.status().conflicts);
    assert!(records(&volume) == records(&other) && records(&volume) == world.records());
}

#[test]
fn a_commit_whose_reply_was_lost_before_a_long_sleep_is_not_made_again() {
    for is_first in [true, false] {
        let world = World::new();
        let machine = world.machine(1);
        let volume = machine.open().unwrap();
        if !is_first {
            put(&volume, "before", b"mine");
            volume.sync().unwrap();
        }
        let directory = mkdir(&volume, Ino::ROOT, "directory").unwrap();
        create(&volume, directory, "in it").unwrap();
        put(&volume, "large", &noise(2 * CHUNK, 1));
        machine.faulty.add(Rule::first(1, Fault::LoseReply).on(RequestKind::Put).under("log/"));
        volume.sync().unwrap_err();
        put(&volume, "after", &noise(CHUNK, 2));
        let other = world.machine(2).open().unwrap();
        go_on_and_shorten_the_log(&world, &other, &["a", "b", "c", "d"]);
        world.sleep(MONTH);
        volume.sync().unwrap();
        other.poll_once().unwrap();
        let found: Vec<String> = files(&other).into_keys().filter(|name| name.len() > 1).collect();
        let mut expected = vec!["after", "before", "directory/", "directory/in it", "large"];
        expected.retain(|name| *name != "before" || !is_first);
        assert_eq!(found, expected);
        assert!(volume.status().conflicts.is_empty(), "{:?}", volume.status().conflicts);
        assert!(volume.data().uncommitted().is_empty());
        assert_eq!(files(&volume)["large"], noise(2 * CHUNK, 1));
        assert!(records(&volume) == records(&other) && records(&volume) == world.records());
        let reader = world.machine(3).open_read_only().unwrap();
        assert_eq!(fsck(&reader, true, &|_, _| {}).unwrap().problems, Vec::<String>::new());
    }
}
