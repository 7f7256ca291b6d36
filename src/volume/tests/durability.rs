//! What a commit costs, in which order things become durable, and what survives trouble.

use std::time::Duration;

use super::world::*;
use crate::base::Ino;
use crate::meta::op::{LastLink, Op};
use crate::meta::record::ChunkRef;
use crate::object::{ErrorKind, Fault, RequestKind, Rule};
use crate::volume::VolumeError;

#[test]
fn fsync_of_a_small_file_is_exactly_one_put() {
    let world = World::new();
    let machine = world.machine(1);
    let volume = machine.open().unwrap();
    put(&volume, "first", b"the first commit looks at the log");
    let (_, requests) = machine.requests_of(|| volume.sync().unwrap());
    assert_eq!(requests, ["put log", "list log"]);
    put(&volume, "small", b"hello");
    let (_, requests) = machine.requests_of(|| volume.sync().unwrap());
    assert_eq!(requests, ["put log"]);
    assert_eq!(world.files()["small"], b"hello");
}

#[test]
fn fsync_of_a_large_chunk_is_two_puts_and_sync_of_nothing_is_none() {
    let world = World::new();
    let machine = world.machine(1);
    let volume = machine.open().unwrap();
    let bytes = noise(CHUNK + 5000, 1);
    put(&volume, "large", &bytes);
    let (_, requests) = machine.requests_of(|| volume.sync().unwrap());
    assert_eq!(requests, ["put data", "put log", "list log"]);
    let (_, requests) = machine.requests_of(|| volume.sync().unwrap());
    assert!(requests.is_empty(), "{requests:?}");
    assert_eq!(world.files()["large"], bytes);
}

#[test]
fn ten_thousand_files_of_4_kib_reach_the_bucket_in_one_sync_of_few_puts() {
    let world = World::new();
    let machine = world.machine(1);
    let volume = machine.open().unwrap();
    machine.meter.start_log();
    for number in 0..10_000u64 {
        put(&volume, &format!("file{number}"), &noise(4096, number));
    }
    volume.sync().unwrap();
    let puts = machine.meter.take_log().iter().filter(|request| request.kind == RequestKind::Put).count();
    assert!(puts <= 10, "{puts} puts");
    assert_eq!(world.files().len(), 10_000);
}

#[test]
fn a_bucket_that_takes_nothing_for_two_minutes_is_reported_and_nothing_is_lost() {
    let world = World::new();
    let machine = world.machine(1);
    let volume = machine.open().unwrap();
    machine.faulty.add(Rule::always(Fault::Refuse(ErrorKind::Denied)).on(RequestKind::Put));
    put(&volume, "waiting", b"not dropped");
    assert!(volume.sync().is_err());
    assert!(volume.check_commits().is_ok(), "too early to trouble programs that do not sync");
    world.clock.advance(Duration::from_secs(121));
    assert!(matches!(volume.check_commits().unwrap_err().root(), VolumeError::Bucket(_)));
    machine.faulty.clear();
    volume.sync().unwrap();
    assert!(volume.check_commits().is_ok());
    assert_eq!(world.files()["waiting"], b"not dropped");
}

#[test]
fn m1_no_entry_is_written_while_its_data_is_not_in_the_bucket() {
    let world = World::new();
    let machine = world.machine(1);
    let volume = machine.open().unwrap();
    machine.faulty.add(Rule::always(Fault::Refuse(ErrorKind::Denied)).on(RequestKind::Put).under("data/"));
    put(&volume, "large", &noise(CHUNK, 2));
    let failed = volume.sync().unwrap_err();
    assert!(matches!(failed.root(), VolumeError::Data(_)), "{failed:?}");
    assert_eq!(world.keys("log/").len(), 1);
    assert!(volume.status().failing.is_some());
    assert!(!world.files().contains_key("large"));
}

#[test]
fn a_lost_reply_is_recognised_and_nothing_is_committed_twice() {
    let world = World::new();
    let machine = world.machine(1);
    let volume = machine.open().unwrap();
    let ino = put(&volume, "file", b"one");
    machine.faulty.add(Rule::first(1, Fault::LoseReply).on(RequestKind::Put).under("log/"));
    volume.sync().unwrap_err();
    // Acknowledged while the batch is in flight, with its fate unknown.
    write(&volume, ino, b"two").unwrap();
    volume.sync().unwrap();
    assert_eq!(world.keys("log/").len(), 3);
    assert_eq!(world.files()["file"], b"two");
    assert!(volume.status().conflicts.is_empty());
}

#[test]
fn while_the_bucket_is_away_operations_wait_and_then_all_of_them_arrive() {
    let world = World::new();
    let machine = world.machine(1);
    let volume = machine.open().unwrap();
    machine.faulty.set_unavailable(true);
    for number in 0..5 {
        put(&volume, &format!("file{number}"), &noise(10, number));
        let failed = volume.sync().unwrap_err();
        assert!(matches!(failed.root(), VolumeError::Bucket(_)), "{failed:?}");
    }
    let close = volume.close_blocking().unwrap_err();
    assert!(matches!(close.root(), VolumeError::Bucket(_)), "{close:?}");
    assert!(volume.status().pending_ops >= 10);
    machine.faulty.set_unavailable(false);
    put(&volume, "file5", b"still usable");
    volume.close_blocking().unwrap();
    assert_eq!(world.files().len(), 6);
    assert_eq!(volume.status().failing, None);
}

#[test]
fn m7_pending_operations_are_bounded_because_writers_commit_first() {
    let world = World::new();
    let machine = world.machine(1);
    let volume = machine.open().unwrap();
    for number in 0..6000u64 {
        put(&volume, &format!("file{number}"), &noise(4096, number));
        assert!(volume.state.read().pending.cost <= 17 << 20);
    }
    assert!(world.keys("log/").len() > 1, "no writer ever waited");
}

#[test]
fn m7_the_tail_is_folded_when_it_grows_and_writers_go_on_meanwhile() {
    let world = World::new();
    let machine = world.machine(1);
    let volume = machine.open().unwrap();
    for number in 0..129u64 {
        put(&volume, &format!("file{number}"), b"x");
        volume.sync().unwrap();
    }
    assert!(volume.wants_checkpoint());
    volume.checkpoint(&Default::default()).unwrap();
    assert!(volume.state.read().committed.tail_bytes() < 4096);
    put(&volume, "after", b"y");
    volume.sync().unwrap();
    assert_eq!(volume.status().checkpoint, volume.seq().0 - 1);
    assert_eq!(world.records(), records(&volume));
}

#[test]
fn a_failed_checkpoint_changes_nothing() {
    let world = World::new();
    let machine = world.machine(1);
    let volume = machine.open().unwrap();
    put(&volume, "file", b"x");
    volume.sync().unwrap();
    let before = records(&volume);
    machine.faulty.add(Rule::always(Fault::Refuse(ErrorKind::Full)).on(RequestKind::Put).under("tree/"));
    volume.checkpoint(&Default::default()).unwrap_err();
    assert_eq!(records(&volume), before);
    assert_eq!(volume.status().checkpoint, 0);
    machine.faulty.clear();
    volume.checkpoint(&Default::default()).unwrap();
    assert_eq!(records(&volume), before);
}

#[test]
fn mounting_a_checkpointed_volume_takes_at_most_8_requests() {
    let world = World::new();
    let machine = world.machine(1);
    let volume = machine.open().unwrap();
    for number in 0..3000u64 {
        put(&volume, &format!("a longer name of a file, number {number}"), b"content");
    }
    volume.checkpoint_now(&Default::default()).unwrap();
    volume.close_blocking().unwrap();
    let other = world.machine(2);
    let (opened, requests) = other.requests_of(|| other.open());
    let opened = opened.unwrap();
    assert!(requests.len() <= 8, "{requests:?}");
    assert!(requests.iter().all(|request| !request.starts_with("put")), "{requests:?}");
    let (_, requests) = other.requests_of(|| opened.close_blocking());
    assert!(requests.is_empty(), "a mount that did nothing writes nothing: {requests:?}");
}

#[test]
fn a_volume_that_was_unmounted_properly_is_mounted_with_at_most_10_requests_whatever_came_before() {
    let world = World::new();
    for commits in 0..12 {
        let volume = world.machine(10 + commits).open().unwrap();
        for number in 0..commits {
            put(&volume, &format!("{commits} {number}"), b"content");
            volume.sync().unwrap();
        }
        volume.close_blocking().unwrap();
        let other = world.machine(30 + commits);
        let (_, requests) = other.requests_of(|| other.open().unwrap());
        assert!(requests.len() <= 10, "after {commits} commits: {requests:?}");
    }
}

#[test]
fn closing_ends_the_session_with_the_last_commit() {
    let world = World::new();
    let machine = world.machine(1);
    let volume = machine.open().unwrap();
    put(&volume, "file", b"x");
    let (_, requests) = machine.requests_of(|| volume.close_blocking().unwrap());
    assert_eq!(requests, ["get log", "put log", "list log"]);
    let reader = world.machine(3).open_read_only().unwrap();
    assert!(crate::meta::read::sessions(&reader.snapshot()).unwrap().is_empty());
}

#[test]
fn what_a_crashed_mount_held_open_is_reaped_at_once_by_the_next_mount_of_the_machine() {
    let world = World::new();
    let machine = world.machine(1);
    let volume = machine.open().unwrap();
    let inos: Vec<Ino> = (0..500)
        .map(|number| {
            let name = format!("open{number}");
            let ino = put(&volume, &name, b"x");
            let last = LastLink::Keep(volume.slot());
            let (parent, name) = (Ino::ROOT, bytes::Bytes::from(name));
            apply(&volume, Op::Unlink { parent, name, ino, last, time: volume.now() }).unwrap();
            ino
        })
        .collect();
    volume.sync().unwrap();
    drop(volume);
    let volume = machine.open().unwrap();
    volume.reap_some();
    volume.sync().unwrap();
    let reader = world.machine(3).open_read_only().unwrap();
    for ino in inos {
        assert_eq!(crate::meta::read::inode(&reader.snapshot(), ino).unwrap(), None);
    }
    assert_eq!(crate::meta::read::superblock(&reader.snapshot()).unwrap().inodes, 1);
}

#[test]
fn a_batch_too_large_for_one_entry_becomes_several_cut_between_transactions() {
    let world = World::new();
    let volume = world.machine(1).open().unwrap();
    let ino = put(&volume, "file", b"");
    {
        // Past the back-pressure, as a drain of much dirty data may be.
        let permit = volume.gate.pass();
        for version in 1..=130u64 {
            let chunks = (0..64)
                .map(|index| (index, Some(ChunkRef::Inline(noise(4096, version * 64 + index).into()))));
            let op = Op::Write {
                ino,
                version,
                size: 64 * CHUNK as u64,
                chunks: chunks.collect(),
                perm: None,
                mtime: None,
                ctime: volume.now(),
            };
            volume.transact::<_, VolumeError>(&permit, |txn| Ok(txn.apply(op.clone())?)).unwrap();
        }
    }
    put(&volume, "last", b"x");
    volume.sync().unwrap();
    assert!(world.keys("log/").len() >= 3, "one entry took it all");
    assert!(world.memory.objects().values().all(|object| object.len() < 26 << 20));
    assert_eq!(records(&volume), world.records());
}
