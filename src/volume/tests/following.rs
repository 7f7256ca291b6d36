//! Following what others commit: precisely, cheaply, within bounded memory.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::world::*;
use crate::base::Ino;
use crate::meta::key::{self, Parsed};
use crate::object::RequestKind;
use crate::volume::bell::Wake;
use crate::volume::committer::Schedule;
use crate::volume::{Observer, Volume, VolumeError};

#[derive(Default)]
struct Ear(Mutex<Vec<Vec<u8>>>);

impl Observer for Ear {
    fn changed(&self, keys: &[Vec<u8>]) {
        self.0.lock().extend_from_slice(keys);
    }
}

#[test]
fn a_reader_follows_and_hears_exactly_what_changed() {
    let world = World::new();
    let writer = world.machine(1).open().unwrap();
    put(&writer, "before", b"x");
    writer.sync().unwrap();
    let reader = world.machine(2).open_read_only().unwrap();
    let ear = Arc::new(Ear::default());
    reader.set_observer(Arc::clone(&ear) as Arc<dyn Observer>);
    let ino = put(&writer, "file", b"x");
    writer.sync().unwrap();
    assert!(!files(&reader).contains_key("file"));
    reader.poll_once().unwrap();
    assert_eq!(files(&reader)["file"], b"x");
    let heard = ear.0.lock().clone();
    let parsed: Vec<_> = heard.iter().filter_map(|key| key::parse(key)).collect();
    assert!(parsed.contains(&Parsed::Dentry { parent: Ino::ROOT, name: b"file" }), "{parsed:?}");
    assert!(parsed.contains(&Parsed::Inode(ino)) && parsed.contains(&Parsed::Inode(Ino::ROOT)));
    assert!(!parsed.contains(&Parsed::Dentry { parent: Ino::ROOT, name: b"before" }));
    assert!(matches!(reader.enter(), Err(VolumeError::ReadOnly)));
}

#[test]
fn a_reader_begins_to_write_in_the_newest_state_and_ends_what_its_machine_left_open() {
    let world = World::new();
    let crashed = world.machine(2).open().unwrap();
    put(&crashed, "before", b"x");
    crashed.sync().unwrap();
    drop(crashed);
    let reader = world.machine(2).open_read_only().unwrap();
    let writer = world.machine(1).open().unwrap();
    put(&writer, "theirs", b"y");
    writer.sync().unwrap();
    reader.begin_writing().unwrap();
    assert_eq!(files(&reader)["theirs"], b"y");
    put(&reader, "its own", b"z");
    reader.sync().unwrap();
    writer.poll_once().unwrap();
    assert_eq!((files(&writer)["its own"].as_slice(), files(&writer).len()), (&b"z"[..], 3));
    assert_eq!(crate::meta::read::sessions(&writer.snapshot()).unwrap().len(), 2, "theirs and its own");
    reader.close_blocking().unwrap();
    assert_eq!(world.files()["its own"], b"z");
}

#[test]
fn a_rebase_tells_the_kernel_about_names_that_moved() {
    let world = World::new();
    let (first, second) = (world.machine(1).open().unwrap(), world.machine(2).open().unwrap());
    let ear = Arc::new(Ear::default());
    second.set_observer(Arc::clone(&ear) as Arc<dyn Observer>);
    put(&first, "same", b"1");
    put(&second, "same", b"2");
    first.sync().unwrap();
    second.sync().unwrap();
    let heard = ear.0.lock().clone();
    for name in [&b"same"[..], b"same (conflict host2 2023-11-14)"] {
        assert!(heard.contains(&key::dentry(Ino::ROOT, name)));
    }
}

/// The looks of ten minutes in which nobody does anything; two of them see whether the newest entry still stands.
fn idle_looks(world: &World, machine: &Machine, volume: &Volume) -> Vec<RequestKind> {
    machine.meter.start_log();
    let mut idle = Duration::ZERO;
    while idle < Duration::from_secs(600) {
        let pause = volume.poll_pause();
        world.sleep(pause);
        idle += pause;
        volume.look().unwrap();
    }
    machine.meter.take_log().into_iter().map(|request| request.kind).collect()
}

#[test]
fn an_idle_machine_that_is_alone_asks_once_a_minute() {
    let world = World::new();
    let machine = world.machine(1);
    let volume = machine.open().unwrap();
    let looks = idle_looks(&world, &machine, &volume);
    assert!(looks.len() <= 11 && !looks.contains(&RequestKind::Put), "{looks:?}");
    put(&volume, "file", b"x");
    volume.sync().unwrap();
    let looks = idle_looks(&world, &machine, &volume);
    // Once, that what was committed stands on what was there before.
    let listings = looks.iter().filter(|kind| **kind == RequestKind::List).count();
    let gets = looks.iter().filter(|kind| **kind == RequestKind::Get).count();
    assert!(listings <= 1 && gets <= 10 && listings + gets == looks.len(), "{looks:?}");
}

#[test]
fn in_company_a_machine_asks_often_while_somebody_commits_and_once_a_minute_after_ten_minutes() {
    let world = World::new();
    let machine = world.machine(1);
    let volume = machine.open().unwrap();
    let other = world.machine(2).open().unwrap();
    put(&other, "file", b"x");
    other.sync().unwrap();
    assert!(volume.poll_pause() > Duration::from_secs(50), "nobody is known yet");
    volume.poll_once().unwrap();
    assert_eq!(volume.poll_pause(), Duration::from_secs(5));
    let looks = idle_looks(&world, &machine, &volume);
    assert!(looks.len() < 50, "{} looks in ten minutes", looks.len());
    assert!(volume.poll_pause() >= Duration::from_secs(59));
    // The other one has not left: what it does is followed closely again.
    put(&other, "second", b"x");
    other.sync().unwrap();
    volume.poll_once().unwrap();
    assert_eq!(volume.poll_pause(), Duration::from_secs(5));
}

#[test]
fn a_lost_race_shows_that_there_is_somebody_to_follow_closely_from_then_on() {
    let world = World::new();
    let (first, second) = (world.machine(1).open().unwrap(), world.machine(2).open().unwrap());
    let mut schedule = Schedule::new(&second);
    put(&first, "first", b"x");
    first.sync().unwrap();
    put(&second, "second", b"x");
    second.tick(&mut schedule, Wake::Asked);
    assert!(lookup(&second, Ino::ROOT, "first").is_some());
    put(&first, "third", b"x");
    first.sync().unwrap();
    world.sleep(Duration::from_secs(5));
    second.tick(&mut schedule, Wake::Timeout);
    assert!(lookup(&second, Ino::ROOT, "third").is_some());
}

#[test]
fn using_a_mount_asks_for_a_look_every_five_seconds_at_most() {
    let world = World::new();
    let volume = world.machine(1).open().unwrap();
    let wakes = || volume.bell.wait(Duration::ZERO);
    volume.note_use();
    assert_eq!(wakes(), Wake::Timeout);
    world.sleep(Duration::from_secs(6));
    volume.note_use();
    volume.note_use();
    assert_eq!(wakes(), Wake::Look);
    assert_eq!(wakes(), Wake::Timeout);
    volume.note_use();
    assert_eq!(wakes(), Wake::Timeout);
}

#[test]
fn m7_a_follower_adopts_checkpoints_so_that_its_memory_does_not_grow() {
    let world = World::new();
    let writer = world.machine(1).open().unwrap();
    let reader = world.machine(2).open_read_only().unwrap();
    for round in 0..3u64 {
        for number in 0..60u64 {
            put(&writer, &format!("file{round}-{number}"), &noise(100, number));
            writer.sync().unwrap();
        }
        writer.checkpoint_now(&Default::default()).unwrap();
        reader.poll_once().unwrap();
    }
    let adopted = reader.state.read().committed.base_seq;
    assert!(adopted.0 > 100, "{adopted}");
    assert_eq!(records(&reader), records(&writer));
}

#[test]
fn dirty_data_is_committed_at_the_cut_and_a_failing_drain_loses_nothing() {
    use crate::volume::{DirtySource, Permit, Volume};

    struct Dirty {
        waiting: Mutex<Option<(Ino, Vec<u8>)>>,
        broken: Mutex<bool>,
    }
    impl DirtySource for Dirty {
        fn drain(&self, volume: &Volume, permit: &Permit<'_>) -> Result<(), VolumeError> {
            if *self.broken.lock() {
                return Err(VolumeError::Corrupt("not now".into()));
            }
            let Some((ino, bytes)) = self.waiting.lock().take() else { return Ok(()) };
            let chunk = crate::meta::record::ChunkRef::Inline(bytes.clone().into());
            volume.transact(permit, |txn| {
                Ok::<_, VolumeError>(txn.apply(crate::meta::op::Op::Write {
                    ino,
                    version: 0,
                    size: bytes.len() as u64,
                    chunks: vec![(0, Some(chunk.clone()))],
                    perm: None,
                    mtime: None,
                    ctime: volume.now(),
                })?)
            })
        }
        fn dirty_bytes(&self) -> u64 {
            self.waiting.lock().as_ref().map_or(0, |(_, bytes)| bytes.len() as u64)
        }
    }

    let world = World::new();
    let machine = world.machine(1);
    let volume = machine.open().unwrap();
    let ino = create(&volume, Ino::ROOT, "file").unwrap();
    let dirty =
        Arc::new(Dirty { waiting: Mutex::new(Some((ino, b"dirty".to_vec()))), broken: Mutex::new(true) });
    volume.set_dirty_source(Arc::clone(&dirty) as Arc<dyn DirtySource>);
    volume.sync().unwrap_err();
    *dirty.broken.lock() = false;
    let (_, requests) = machine.requests_of(|| volume.sync().unwrap());
    assert_eq!(requests, ["put log", "list log"]);
    assert_eq!(world.files()["file"], b"dirty");
}
