//! New epochs while volumes are mounted: everybody follows without a remount, wherever a rotation stops.

use std::sync::Arc;

use super::world::*;
use crate::base::random::SeededRandom;
use crate::base::{CommitId, Epoch, Ino};
use crate::commit_log::{Checkpoint, Entry, Log};
use crate::crypto::SecretBytes;
use crate::keyring::{HEADER_KEY, KeyringError, NewSlot, NewSlotKey, NewVolumeKey, OldData};
use crate::object::fault::LastRequest;
use crate::vault::{RenewError, Vault};
use crate::volume::payload::encode_ops;
use crate::volume::{Volume, VolumeError, fsck};

/// Both halves of a rotation, by a machine of its own.
fn rotate(world: &World) {
    world.add_epoch();
    world.machine(99).open().unwrap().sync().unwrap();
}

fn sound(world: &World) {
    let reader = world.machine(201).open_read_only().unwrap();
    assert_eq!(fsck(&reader, true, &|_, _| {}).unwrap().problems, Vec::<String>::new());
}

#[test]
fn mounts_go_on_under_the_new_epoch_without_remounting() {
    let world = World::with_header();
    let (one, two) = (world.machine(1).open().unwrap(), world.machine(2).open().unwrap());
    let reader = world.machine(3).open_read_only().unwrap();
    put(&one, "before", &noise(CHUNK, 1));
    one.sync().unwrap();
    rotate(&world);

    put(&one, "after", &noise(CHUNK, 2));
    one.sync().unwrap();
    // A writer that was idle and one that only looks.
    two.poll_once().unwrap();
    put(&two, "theirs", &noise(CHUNK, 3));
    two.sync().unwrap();
    one.poll_once().unwrap();
    reader.poll_once().unwrap();
    for volume in [&one, &two, &reader] {
        assert_eq!(volume.epoch(), Epoch(2));
        assert_eq!(files(volume).len(), 3);
        assert_eq!(records(volume), records(&one));
    }
    put(&two, "last", &noise(CHUNK, 4));
    two.checkpoint_now(&Default::default()).unwrap();
    assert_eq!(world.keys("data/2/").len(), 3, "what was uploaded before the entry was seen is sealed again");
    assert_eq!(world.epochs("tree/"), [2].into());
    sound(&world);
}

#[test]
fn nothing_is_sealed_under_the_old_epoch_once_the_entry_was_seen() {
    let world = World::with_header();
    let volume = world.machine(1).open().unwrap();
    rotate(&world);
    volume.poll_once().unwrap();
    let before = world.memory.objects();
    put(&volume, "new", &noise(CHUNK, 1));
    volume.checkpoint_now(&Default::default()).unwrap();
    for (key, bytes) in world.memory.objects() {
        if !before.contains_key(&key) {
            assert_eq!(bytes[16..20], [2, 0, 0, 0], "{key}");
        }
    }
}

#[test]
fn a_rotation_that_died_after_the_header_is_finished_by_the_next_mount() {
    let world = World::with_header();
    let running = world.machine(1).open().unwrap();
    put(&running, "a", b"x");
    running.sync().unwrap();
    world.add_epoch();
    // Nobody was told: the running mount goes on as before.
    put(&running, "b", b"x");
    running.sync().unwrap();
    assert_eq!(running.epoch(), Epoch(1));

    let next = world.machine(2).open().unwrap();
    next.sync().unwrap();
    running.poll_once().unwrap();
    assert_eq!(running.epoch(), Epoch(2));
    // And nobody says it twice.
    let seq = running.seq();
    running.sync().unwrap();
    next.poll_once().unwrap();
    next.sync().unwrap();
    assert_eq!((running.seq(), next.seq()), (seq, seq));
    sound(&world);
}

#[test]
fn death_at_every_request_of_the_announcement_leaves_a_volume_that_everybody_opens() {
    let mut deaths = 0;
    for last in [LastRequest::NotSent, LastRequest::Applied] {
        for served in 0.. {
            let world = World::with_header();
            let running = world.machine(1).open().unwrap();
            put(&running, "a", &noise(CHUNK, 1));
            running.sync().unwrap();
            world.add_epoch();
            let rotator = world.machine(2);
            rotator.faulty.die_after(served, last);
            let announced = rotator.open().and_then(|volume| volume.sync());
            let died = rotator.faulty.is_dead();
            assert_eq!(died, announced.is_err(), "{served} {last:?}");

            put(&running, "b", &noise(CHUNK, 2));
            running.sync().unwrap();
            let next = world.machine(3).open().unwrap();
            next.sync().unwrap();
            running.poll_once().unwrap();
            assert_eq!((running.epoch(), next.epoch()), (Epoch(2), Epoch(2)), "{served} {last:?}");
            assert_eq!(records(&running), records(&next));
            assert_eq!(world.files().len(), 2);
            if !died {
                break;
            }
            deaths += 1;
        }
    }
    assert!(deaths >= 6, "only {deaths} places to die");
}

#[test]
fn a_mount_that_slept_through_several_rotations_follows_all_of_them() {
    let world = World::with_header();
    let sleeper = world.machine(1).open().unwrap();
    put(&sleeper, "mine", &noise(CHUNK, 1));
    for number in 0..3 {
        rotate(&world);
        let other = world.machine(10 + number).open().unwrap();
        put(&other, &format!("theirs{number}"), &noise(CHUNK, 5));
        other.close_blocking().unwrap();
    }
    sleeper.sync().unwrap();
    assert_eq!(sleeper.epoch(), Epoch(4));
    assert_eq!(world.files().len(), 4);
    sound(&world);
}

#[test]
fn while_the_header_is_away_nothing_is_lost_and_the_commit_follows() {
    let world = World::with_header();
    let machine = world.machine(1);
    let volume = machine.open().unwrap();
    rotate(&world);
    put(&volume, "a", &noise(CHUNK, 1));
    machine.faulty.add(
        crate::object::Rule::first(1, crate::object::Fault::Refuse(crate::object::ErrorKind::Transient))
            .under(HEADER_KEY),
    );
    assert!(volume.sync().is_err());
    assert_eq!(files(&volume)["a"], noise(CHUNK, 1));
    volume.sync().unwrap();
    assert_eq!(world.files()["a"], noise(CHUNK, 1));
}

#[test]
fn m6_a_header_from_before_the_rotation_is_noticed() {
    let world = World::with_header();
    let old = world.memory.objects()[HEADER_KEY].clone();
    rotate(&world);
    let volume = world.machine(1).open().unwrap();
    rotate(&world);
    world.memory.overwrite_raw(HEADER_KEY, old.clone());
    let refused = volume.poll_once().unwrap_err();
    assert!(matches!(&refused, VolumeError::RolledBack(text) if text.contains("older copy")), "{refused}");
    // A machine without memory cannot know that it is old, but cannot read the log with it either.
    let refused = world.machine(5).open().err().unwrap();
    assert!(matches!(refused, VolumeError::Tampered { .. }), "{refused}");
}

#[test]
fn m6_an_entry_forged_with_the_key_of_an_epoch_that_was_left_is_refused() {
    let world = World::with_header();
    let stolen = world.machine(66).env;
    let follower = world.machine(1).open().unwrap();
    rotate(&world);
    follower.poll_once().unwrap();
    let (seq, previous) = {
        let state = follower.state.read();
        (state.committed.seq.next(), state.committed.hash)
    };
    let entry = Entry {
        seq,
        commit: CommitId([1; 16]),
        slot: 0,
        session: Default::default(),
        counter: 0,
        previous,
        time: follower.now(),
        checkpoint: Checkpoint::default(),
        payload: encode_ops([].iter()),
    };
    let log = Log::new(stolen.bucket, stolen.vault, stolen.random);
    assert_eq!(log.seal(&entry).unwrap().epoch, Epoch(1));
    world.runtime.block_on(log.append(&log.seal(&entry).unwrap())).unwrap();
    let refused = follower.poll_once().unwrap_err();
    assert!(matches!(&refused, VolumeError::RolledBack(text) if text.contains("epoch 1")), "{refused}");
    assert!(matches!(world.machine(9).open().err(), Some(VolumeError::RolledBack(_))));
}

/// After a loss: a header under another volume key, and an entry under its epoch.
fn replace_volume_key(world: &World) -> Arc<Volume> {
    let unlocked = world.unlocked().unwrap();
    let word = SecretBytes::new(vec![0x77; 64]);
    let random = SeededRandom::new(5);
    let next = NewVolumeKey::generate(unlocked.volume(), &random).and_then(|new| {
        let slots = [NewSlot::new(NewSlotKey::KeyFile(&word), &random)];
        unlocked.with_new_volume_key(&new, &slots, OldData::Stays, &random)
    });
    let next = next.unwrap_or_else(|error| panic!("{error}"));
    world.memory.overwrite_raw(HEADER_KEY, next.bytes);
    let mut machine = world.machine_of(&next.unlocked, 50);
    machine.env.host = "rotator".into();
    let volume = machine.open().unwrap();
    volume.sync().unwrap();
    volume
}

#[test]
fn after_a_new_volume_key_a_running_mount_stops_writing_and_keeps_what_it_has() {
    let world = World::with_header();
    let volume = world.machine(1).open().unwrap();
    put(&volume, "stored", &noise(CHUNK, 1));
    volume.sync().unwrap();
    put(&volume, "waiting", &noise(CHUNK, 2));
    let rotator = replace_volume_key(&world);

    let refused = volume.sync().unwrap_err();
    assert!(refused.is_locked_out(), "{refused}");
    let VolumeError::Keys(RenewError::Header(why)) = refused.root() else { panic!("{refused}") };
    assert!(matches!(why, KeyringError::VolumeKeyReplaced));
    // At once, not after two minutes.
    assert!(volume.enter().err().is_some_and(|error| error.is_locked_out()));
    assert_eq!(files(&volume).len(), 2, "what waits can still be read here");
    assert_eq!(files(&rotator).keys().collect::<Vec<_>>(), ["stored"]);
    assert_eq!(volume.epoch(), Epoch(1));
}

#[test]
fn a_header_that_comes_back_lets_the_mount_go_on() {
    let world = World::with_header();
    let volume = world.machine(1).open().unwrap();
    put(&volume, "waiting", b"x");
    rotate(&world);
    let good = world.memory.objects()[HEADER_KEY].clone();
    let other = World::with_header();
    // The same volume id, another volume key.
    drop(replace_volume_key(&other));
    world.memory.overwrite_raw(HEADER_KEY, other.memory.objects()[HEADER_KEY].clone());
    assert!(volume.sync().unwrap_err().is_locked_out());
    world.memory.overwrite_raw(HEADER_KEY, good);
    volume.sync().unwrap();
    volume.enter().unwrap();
    assert!(lookup(&world.machine(7).open_read_only().unwrap(), Ino::ROOT, "waiting").is_some());
}

#[test]
fn a_vault_of_bare_keys_says_what_it_met() {
    let world = World::with_header();
    let unlocked = world.unlocked().unwrap();
    let vault = Vault::new(unlocked.volume(), unlocked.keys());
    rotate(&world);
    let mut machine = world.machine(1);
    machine.env.vault = vault;
    let refused = machine.open().err().unwrap();
    assert!(matches!(refused, VolumeError::Tampered { .. }), "{refused}");
}
