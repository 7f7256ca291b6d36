//! A bucket that shows less than it did, or something else (M6): refused, with a reason.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::world::*;
use crate::base::{CommitId, Ino, Seq, SessionId};
use crate::commit_log::{Checkpoint, Entry, Log, entry_key};
use crate::volume::bell::Wake;
use crate::volume::committer::Schedule;
use crate::volume::payload::encode_ops;
use crate::volume::{GcRequest, Volume, VolumeError, gc};

/// A machine that has committed `count` times and closed nothing.
fn writer(world: &World, count: usize) -> Machine {
    let machine = world.machine(1);
    let volume = machine.open().unwrap();
    for number in 0..count {
        put(&volume, &format!("file{number}"), b"x");
        volume.sync().unwrap();
    }
    machine
}

fn refusal(machine: &Machine) -> VolumeError {
    machine.open().err().expect("a bucket that was rolled back is refused")
}

#[test]
fn m6_an_older_state_of_the_bucket_is_refused_by_a_machine_that_saw_newer() {
    let world = World::new();
    let machine = writer(&world, 3);
    let old = world.memory.objects();
    let volume = machine.open().unwrap();
    put(&volume, "newer", b"y");
    volume.sync().unwrap();
    drop(volume);
    world.memory.restore(&old);
    let refused = refusal(&machine);
    assert!(matches!(refused, VolumeError::RolledBack(_)), "{refused}");
    assert!(world.machine(7).open_read_only().is_ok(), "who never saw newer cannot know");
}

#[test]
fn m6_a_running_machine_that_is_shown_an_older_state_commits_nothing_onto_it() {
    let world = World::new();
    let machine = world.machine(1);
    let volume = machine.open().unwrap();
    put(&volume, "a", b"x");
    volume.sync().unwrap();
    let old = world.memory.objects();
    for name in ["b", "c"] {
        put(&volume, name, b"x");
        volume.sync().unwrap();
    }
    world.memory.restore(&old);
    // Somebody else goes on from there: a fork.
    let other = world.machine(2).open().unwrap();
    for name in ["d", "e", "f", "g"] {
        put(&other, name, b"x");
        other.sync().unwrap();
    }
    let followed = volume.poll_once().unwrap_err();
    assert!(matches!(followed, VolumeError::RolledBack(_)), "{followed}");
    put(&volume, "h", b"x");
    let committed = volume.sync().unwrap_err();
    assert!(matches!(committed.root(), VolumeError::RolledBack(_)), "{committed}");
    assert!(!world.files().contains_key("h"));
}

#[test]
fn m6_a_bucket_rolled_back_under_a_mount_is_refused_by_fsync_poll_and_unmount() {
    let world = World::new();
    let machine = world.machine(1);
    let volume = machine.open().unwrap();
    let old = world.memory.objects();
    put(&volume, "seen", b"x");
    volume.sync().unwrap();
    let whole = world.memory.objects();
    world.memory.restore(&old);
    world.sleep(Duration::from_secs(10));
    put(&volume, "onto nothing", b"x");
    // Again and again: what waits must not slip through when it is tried a second time.
    for _ in 0..2 {
        let refused = volume.sync().unwrap_err();
        assert!(matches!(refused.root(), VolumeError::RolledBack(_)), "{refused}");
    }
    assert!(volume.close_blocking().is_err(), "unmount does not say that everything is in the bucket");
    assert_eq!(world.memory.objects().keys().filter(|key| key.starts_with("log/")).count(), 1);
    let reader = world.machine(3);
    world.memory.restore(&whole);
    let follower = reader.open_read_only().unwrap();
    world.memory.restore(&old);
    world.sleep(Duration::from_secs(300));
    let refused = follower.poll_once().unwrap_err();
    assert!(matches!(refused, VolumeError::RolledBack(_)), "{refused}");
    world.memory.restore(&whole);
    volume.sync().unwrap();
}

/// A mount that has committed "a" and "b", on a bucket that shows "a" alone; and what it showed before.
fn rolled_back_beneath(world: &World) -> (Arc<Volume>, BTreeMap<String, Bytes>) {
    let volume = world.machine(1).open().unwrap();
    put(&volume, "a", b"x");
    volume.sync().unwrap();
    let old = world.memory.objects();
    put(&volume, "b", b"x");
    volume.sync().unwrap();
    let newer = world.memory.objects();
    world.memory.restore(&old);
    (volume, newer)
}

/// A mount that commits all the time always finds its own newest entry.
#[test]
fn m6_a_bucket_rolled_back_between_two_commits_is_noticed_within_a_minute_and_before_all_is_called_stored() {
    enum Noticed {
        Commit,
        Sync,
        Unmount,
        Gc,
    }
    for noticed in [Noticed::Commit, Noticed::Sync, Noticed::Unmount, Noticed::Gc] {
        let world = World::new();
        let (volume, newer) = rolled_back_beneath(&world);
        put(&volume, "c", b"x");
        volume.sync().unwrap();
        let beside = world.memory.objects();
        put(&volume, "d", b"x");
        let commit_for_a_minute = || {
            (0..10).find_map(|number| {
                world.sleep(Duration::from_secs(6));
                put(&volume, &format!("e{number}"), b"x");
                volume.sync().err()
            })
        };
        let refused = match noticed {
            Noticed::Commit => commit_for_a_minute().expect("a minute is over"),
            Noticed::Sync => volume.sync_and_look().unwrap_err(),
            Noticed::Unmount => volume.close_blocking().unwrap_err(),
            Noticed::Gc => gc(&volume, GcRequest::default(), &|_, _| ()).unwrap_err(),
        };
        assert!(matches!(refused.root(), VolumeError::RolledBack(_)), "{refused}");
        // What was written meanwhile stands beside what comes back, so all of it is there then.
        let mut whole = world.memory.objects();
        whole.extend(newer);
        assert!(whole.len() > beside.len());
        world.memory.restore(&whole);
        volume.sync_and_look().unwrap();
        volume.close_blocking().unwrap();
        let names = world.files();
        assert!(["a", "b", "c", "d"].iter().all(|name| names.contains_key(*name)));
    }
}

#[test]
fn m6_a_volume_that_is_called_stored_is_looked_at_though_nothing_waits() {
    let world = World::new();
    let (volume, newer) = rolled_back_beneath(&world);
    let refused = volume.sync_and_look().unwrap_err();
    assert!(matches!(refused.root(), VolumeError::RolledBack(_)), "{refused}");
    world.memory.restore(&newer);
    volume.sync_and_look().unwrap();
}

#[test]
fn m6_entries_that_gc_has_deleted_are_not_missed() {
    let world = World::new();
    let volume = world.machine(1).open().unwrap();
    for name in ["a", "b", "c", "d"] {
        put(&volume, name, b"x");
        volume.sync().unwrap();
        gc(&volume, GcRequest::default(), &|_, _| ()).unwrap();
    }
    put(&volume, "e", b"x");
    volume.sync_and_look().unwrap();
    volume.close_blocking().unwrap();
}

#[test]
fn m6_a_mount_that_only_looks_on_shows_in_its_status_that_it_met_a_fork() {
    let world = World::new();
    let writer = world.machine(1).open().unwrap();
    put(&writer, "a", b"x");
    writer.sync().unwrap();
    let old = world.memory.objects();
    put(&writer, "b", b"x");
    writer.sync().unwrap();
    let (idle, reader) = (world.machine(3).open().unwrap(), world.machine(4).open_read_only().unwrap());
    let whole = world.memory.objects();
    world.memory.restore(&old);
    let other = world.machine(2).open().unwrap();
    for name in ["c", "d", "e"] {
        put(&other, name, b"x");
        other.sync().unwrap();
    }
    for volume in [&idle, &reader] {
        let mut schedule = Schedule::new(volume);
        assert_eq!(volume.status().failing, None);
        world.sleep(Duration::from_secs(300));
        volume.tick(&mut schedule, Wake::Timeout);
        let why = volume.status().failing.expect("a mount that met a fork says so");
        assert!(why.contains("the log was changed or forked"), "{why}");
        assert!(lookup(volume, Ino::ROOT, "c").is_none() && lookup(volume, Ino::ROOT, "b").is_some());
    }
    // What was seen is back: so is the health.
    world.memory.restore(&whole);
    for volume in [&idle, &reader] {
        let mut schedule = Schedule::new(volume);
        world.sleep(Duration::from_secs(300));
        volume.tick(&mut schedule, Wake::Timeout);
        assert_eq!(volume.status().failing, None);
    }
}

#[test]
fn m6_a_fork_is_refused_at_the_next_mount() {
    let world = World::new();
    let machine = writer(&world, 2);
    let old = world.memory.objects();
    let volume = machine.open().unwrap();
    put(&volume, "lost", b"x");
    volume.sync().unwrap();
    drop(volume);
    world.memory.restore(&old);
    let other = world.machine(2).open().unwrap();
    for name in ["d", "e", "f"] {
        put(&other, name, b"x");
        other.sync().unwrap();
    }
    assert!(matches!(refusal(&machine), VolumeError::RolledBack(_)));
}

#[test]
fn m6_missing_swapped_and_damaged_entries_are_noticed() {
    let world = World::new();
    let machine = writer(&world, 5);
    let whole = world.memory.objects();
    let keys = world.keys("log/");
    for (number, key) in keys.iter().enumerate() {
        world.memory.remove_raw(key);
        assert!(matches!(refusal(&machine), VolumeError::RolledBack(_)), "without {key}");
        world.memory.restore(&whole);

        let mut damaged = whole[key].to_vec();
        let at = damaged.len() / 2;
        damaged[at] ^= 0x10;
        world.memory.overwrite_raw(key, damaged);
        let refused = refusal(&machine);
        assert!(matches!(&refused, VolumeError::Tampered { key: named, .. } if named == key), "{refused}");
        world.memory.restore(&whole);

        let next = &keys[(number + 1) % keys.len()];
        world.memory.overwrite_raw(key, whole[next].clone());
        world.memory.overwrite_raw(next, whole[key].clone());
        assert!(matches!(refusal(&machine), VolumeError::Tampered { .. }), "{key} and {next} swapped");
        world.memory.restore(&whole);
    }
    machine.open().unwrap();
}

#[test]
fn m6_a_writer_whose_count_does_not_fit_the_log_is_noticed() {
    let world = World::new();
    let machine = world.machine(1);
    let volume = machine.open().unwrap();
    put(&volume, "a", b"x");
    volume.sync().unwrap();
    let (previous, slot, session) = (volume.state.read().committed.hash, volume.slot(), volume.session.id);
    let entry = Entry {
        seq: Seq(3),
        commit: CommitId([1; 16]),
        slot,
        session,
        // It has made one commit; this one says that another came between.
        counter: 3,
        previous,
        time: volume.now(),
        checkpoint: Checkpoint::default(),
        payload: encode_ops([].iter()),
    };
    let env = world.machine(5).env;
    let log = Log::new(env.bucket, env.vault, env.random);
    world.runtime.block_on(log.append(&log.seal(&entry).unwrap())).unwrap();
    assert!(matches!(volume.poll_once(), Err(VolumeError::RolledBack(_))));
    assert_ne!(session, SessionId::default());
}

#[test]
fn a_volume_without_a_log_is_half_initialised_and_a_second_init_is_refused() {
    let world = World::empty();
    let machine = world.machine(1);
    let refused = refusal(&machine);
    assert!(
        matches!(&refused, VolumeError::HalfInitialised(text) if text.contains("hushfs init")),
        "{refused}"
    );
    world.runtime.block_on(crate::volume::Volume::create(&machine.env, 65536, 0, 0)).unwrap();
    let again = world.runtime.block_on(crate::volume::Volume::create(&machine.env, 65536, 0, 0));
    assert!(matches!(again, Err(VolumeError::HalfInitialised(_))));
    machine.open().unwrap();
}

#[test]
fn m6_a_log_that_is_gone_altogether_is_a_rollback_for_who_has_seen_it() {
    let world = World::new();
    let machine = world.machine(1);
    let volume = machine.open().unwrap();
    put(&volume, "file", b"x");
    drop(volume);
    for key in world.keys("log/") {
        world.memory.remove_raw(&key);
    }
    assert!(matches!(refusal(&machine), VolumeError::RolledBack(_)));
    assert!(matches!(refusal(&world.machine(2)), VolumeError::HalfInitialised(_)));
}

#[test]
fn a_missing_pack_is_an_error_that_names_it() {
    let world = World::new();
    let machine = world.machine(1);
    let volume = machine.open().unwrap();
    put(&volume, "file", b"x");
    volume.checkpoint_now(&Default::default()).unwrap();
    for key in world.keys("tree/") {
        world.memory.remove_raw(&key);
    }
    let refused = world.machine(2).open().err().unwrap();
    let text = crate::base::with_causes(&refused);
    assert!(text.contains("tree/"), "{text}");
}

/// A mount looks whether the entries that it committed are there, and what its newest one holds. It reads none of the
/// others again: that one was exchanged is found by whoever replays the log, and nobody takes it for true.
#[test]
fn m6_an_entry_exchanged_beneath_a_mount_is_refused_by_whoever_reads_it_next() {
    let world = World::new();
    let machine = world.machine(1);
    let volume = machine.open().unwrap();
    put(&volume, "a", b"x");
    volume.sync().unwrap();
    let common = world.memory.objects();
    for name in ["b", "c"] {
        put(&volume, name, b"x");
        volume.sync().unwrap();
    }
    let ours = world.memory.objects();
    let key = entry_key(Seq(common.keys().filter(|key| key.starts_with("log/")).count() as u64 + 1));
    world.memory.restore(&common);
    let other = world.machine(2).open().unwrap();
    put(&other, "another history", b"x");
    other.sync().unwrap();
    drop(other);
    let exchanged = world.memory.objects()[&key].clone();
    assert_ne!(exchanged, ours[&key]);
    world.memory.restore(&ours);
    world.memory.overwrite_raw(&key, exchanged.clone());

    put(&volume, "d", b"x");
    volume.sync_and_look().unwrap();
    for reader in [&world.machine(3), &machine] {
        let refused = reader.open_read_only().err().expect("the chain of hashes is broken");
        assert!(matches!(refused, VolumeError::RolledBack(_)), "{refused}");
    }
    world.memory.overwrite_raw(&key, ours[&key].clone());
    assert_eq!(world.files().len(), 4);
    // What a checkpoint holds is read from there.
    volume.checkpoint_now(&Default::default()).unwrap();
    put(&volume, "e", b"x");
    volume.sync().unwrap();
    world.memory.overwrite_raw(&key, exchanged);
    assert_eq!(world.files().len(), 5);
    assert!(world.machine(4).open_read_only().is_ok());
}
