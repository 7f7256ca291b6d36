//! Re-encryption: everything moves to the newest epoch, wherever a run stops and whoever writes meanwhile.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::world::*;
use crate::base::clock::ManualClock;
use crate::base::random::SeededRandom;
use crate::base::{Clock, Epoch, Ino};
use crate::meta::op::Op;
use crate::object::fault::LastRequest;
use crate::volume::{
    Amount, GcRequest, ReencryptReport, ReencryptRequest, Volume, VolumeError, Watcher, fsck,
    plan_reencryption, reencrypt,
};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Calls something at each step; a pause moves the clock.
struct Watch<F> {
    clock: ManualClock,
    paused: Mutex<Duration>,
    each: F,
}

impl<F: Fn(&Amount, &Amount) -> ControlFlow<()> + Send + Sync> Watcher for Watch<F> {
    fn progress(&self, moved: &Amount, all: &Amount) -> ControlFlow<()> {
        (self.each)(moved, all)
    }

    fn pause(&self, time: Duration) -> ControlFlow<()> {
        self.clock.advance(time);
        *self.paused.lock() += time;
        ControlFlow::Continue(())
    }
}

fn watch<F: Fn(&Amount, &Amount) -> ControlFlow<()>>(world: &World, each: F) -> Watch<F> {
    Watch { clock: world.clock.clone(), paused: Mutex::default(), each }
}

fn run(world: &World, volume: &Arc<Volume>) -> Result<ReencryptReport, VolumeError> {
    reencrypt(volume, ReencryptRequest::default(), &watch(world, |_, _| ControlFlow::Continue(())))
}

/// A file that shares all chunks of another.
fn copy(volume: &Volume, source: Ino, name: &str) -> Ino {
    let view = volume.snapshot();
    let size = crate::meta::read::inode(&view, source).unwrap().unwrap().size;
    drop(view);
    let ino = create(volume, Ino::ROOT, name).unwrap();
    let count = size.div_ceil(CHUNK as u64);
    let time = volume.now();
    let op = Op::Clone { source, from: 0, ino, to: 0, count, version: 0, size, mtime: time, ctime: time };
    apply(volume, op).unwrap();
    ino
}

/// A volume under epoch 1 with segments, packs and a tail, and the second epoch in its header.
fn world() -> (World, Files) {
    let world = World::with_header();
    let volume = world.machine(1).open().unwrap();
    let shared = put(&volume, "shared", &noise(5 * CHUNK, 1));
    copy(&volume, shared, "copy");
    put(&volume, "small", b"inline");
    volume.checkpoint_now(&Default::default()).unwrap();
    put(&volume, "second", &noise(2 * CHUNK + 9000, 2));
    put(&volume, "gone", &noise(CHUNK, 3));
    volume.sync().unwrap();
    unlink(&volume, Ino::ROOT, "gone").unwrap();
    volume.close_blocking().unwrap();
    let files = world.files();
    world.add_epoch();
    (world, files)
}

/// The epochs of everything that is sealed.
fn epochs(world: &World) -> BTreeSet<u32> {
    ["log/", "tree/", "data/"].iter().flat_map(|prefix| world.epochs(prefix)).collect()
}

/// Nothing is left of old epochs, and without their keys everything is as it was.
fn all_moved(world: &World, files: &Files) {
    assert_eq!(epochs(world).into_iter().collect::<Vec<_>>().len(), 1);
    world.replace_header(|unlocked| {
        unlocked.with_newest_epoch_only(&SeededRandom::new(8)).unwrap_or_else(|e| panic!("{e}")).bytes
    });
    assert_eq!(world.unlocked().unwrap().keys().epochs().count(), 1);
    assert_eq!(world.files(), *files);
    let reader = world.machine(201).open_read_only().unwrap();
    assert_eq!(fsck(&reader, true, &|_, _| {}).unwrap().problems, Vec::<String>::new());
}

#[test]
fn everything_moves_and_then_the_old_keys_are_needed_no_more() {
    let (world, files) = world();
    let volume = world.machine(2).open().unwrap();
    let plan = plan_reencryption(&volume, Epoch(2)).unwrap();
    assert!(plan.to_move.bytes > 7 * CHUNK as u64 && plan.to_move.objects >= 3, "{plan:?}");
    let report = run(&world, &volume).unwrap();
    assert_eq!((report.epoch, report.left.objects(), report.unreadable), (Epoch(2), 0, 0));
    assert!(report.moved.bytes >= plan.to_move.bytes, "{report:?} {plan:?}");
    volume.close_blocking().unwrap();
    all_moved(&world, &files);
    // What was shared still is: the five chunks stand in the bucket once.
    let bytes: usize =
        world.memory.objects().iter().filter(|(key, _)| key.starts_with("data/")).map(|(_, b)| b.len()).sum();
    assert!(bytes < 9 * CHUNK, "{bytes}");
}

#[test]
fn a_second_run_finds_nothing_to_do() {
    let (world, files) = world();
    let machine = world.machine(2);
    let volume = machine.open().unwrap();
    run(&world, &volume).unwrap();
    let again = run(&world, &volume).unwrap();
    assert_eq!((again.moved, again.left.objects()), (Amount::default(), 0));
    assert_eq!(plan_reencryption(&volume, Epoch(2)).unwrap().to_move, Amount::default());
    volume.close_blocking().unwrap();
    all_moved(&world, &files);
}

#[test]
fn death_at_every_request_and_another_run_end_as_one_run_does() {
    let mut deaths = 0;
    for last in [LastRequest::NotSent, LastRequest::Applied] {
        for served in 0.. {
            let (world, files) = world();
            let machine = world.machine(2);
            machine.faulty.die_after(served, last);
            let ended = machine.open().and_then(|volume| {
                run(&world, &volume)?;
                volume.close_blocking()
            });
            let died = machine.faulty.is_dead();
            assert_eq!(died, ended.is_err(), "{served} {last:?}");
            // In between everything is as it was, for anybody.
            assert_eq!(world.files(), files, "{served} {last:?}");
            machine.faulty.clear();
            let volume = machine.open().unwrap();
            let report = run(&world, &volume).unwrap();
            assert_eq!(report.left.objects(), 0, "{served} {last:?}");
            volume.close_blocking().unwrap();
            all_moved(&world, &files);
            if !died {
                break;
            }
            deaths += 1;
        }
    }
    assert!(deaths > 40, "only {deaths} places to die");
}

#[test]
fn others_read_write_and_copy_meanwhile() {
    let (world, mut files) = world();
    let other = world.machine(3).open().unwrap();
    let volume = world.machine(2).open().unwrap();
    let step = AtomicU64::new(0);
    // Copies refer to old segments again, behind the scan.
    let each = |_: &Amount, _: &Amount| {
        let number = step.fetch_add(1, Ordering::SeqCst);
        if number < 6 {
            let source = lookup(&other, Ino::ROOT, "shared").unwrap();
            copy(&other, source, &format!("copy{number}"));
            put(&other, &format!("new{number}"), &noise(CHUNK + 1, 50 + number));
            other.sync().unwrap();
            assert_eq!(files_of(&other, "shared"), noise(5 * CHUNK, 1));
        }
        ControlFlow::Continue(())
    };
    let request = ReencryptRequest { limit_rate: Some(CHUNK as u64), ..ReencryptRequest::default() };
    let report = reencrypt(&volume, request, &watch(&world, each)).unwrap();
    assert!(step.load(Ordering::SeqCst) >= 6);
    for number in 0..6 {
        files.insert(format!("copy{number}"), noise(5 * CHUNK, 1));
        files.insert(format!("new{number}"), noise(CHUNK + 1, 50 + number));
    }
    // The other mount may still be reading: its host is named, and what is left waits for it.
    assert_eq!(report.others, ["host3"]);
    assert!(report.left.objects() > 0);
    assert_eq!(crate::volume::tests::world::files(&other), files);
    other.close_blocking().unwrap();
    world.sleep(DAY * 2);
    assert_eq!(run(&world, &volume).unwrap().left.objects(), 0);
    volume.close_blocking().unwrap();
    all_moved(&world, &files);
}

fn files_of(volume: &Volume, name: &str) -> Vec<u8> {
    content(volume, lookup(volume, Ino::ROOT, name).unwrap())
}

#[test]
fn m5_an_open_session_elsewhere_holds_old_objects_back_for_the_grace_period() {
    let (world, files) = world();
    let reader = world.machine(3).open().unwrap();
    put(&reader, "theirs", b"x");
    reader.sync().unwrap();
    let volume = world.machine(2).open().unwrap();
    let report = run(&world, &volume).unwrap();
    assert_eq!((report.gc.objects, report.others.as_slice()), (0, ["host3".to_owned()].as_slice()));
    assert!(report.left.segments >= 2 && report.left.packs >= 1 && report.left.entries >= 3, "{report:?}");
    // It has not looked at the log since, and reads what it knew.
    assert_eq!(files_of(&reader, "shared"), files["shared"]);
    // Too early.
    assert!(run(&world, &volume).unwrap().left.objects() > 0);
    world.sleep(DAY + Duration::from_secs(1));
    reader.poll_once().unwrap();
    let report = run(&world, &volume).unwrap();
    assert_eq!(report.left.objects(), 0, "{report:?}");
    assert_eq!(files_of(&reader, "shared"), files["shared"]);
}

#[test]
fn with_a_limit_the_run_takes_as_long_as_the_bytes_need() {
    let (world, _) = world();
    let volume = world.machine(2).open().unwrap();
    let before = world.clock.boot();
    let rate = 10_000;
    let watcher = watch(&world, |moved: &Amount, all: &Amount| {
        assert!(moved.bytes <= 3 * all.bytes);
        ControlFlow::Continue(())
    });
    let request = ReencryptRequest { limit_rate: Some(rate), ..ReencryptRequest::default() };
    let report = reencrypt(&volume, request, &watcher).unwrap();
    let (paused, expected) = (*watcher.paused.lock(), report.moved.bytes as f64 / rate as f64);
    assert!((paused.as_secs_f64() - expected).abs() < 1.0, "{paused:?} for {expected} s");
    assert_eq!(world.clock.boot() - before, paused);
    assert_eq!(report.left.objects(), 0);
}

#[test]
fn who_watches_can_end_the_run_and_another_goes_on() {
    let (world, files) = world();
    let volume = world.machine(2).open().unwrap();
    let stop = watch(&world, |_: &Amount, _: &Amount| ControlFlow::Break(()));
    let request = ReencryptRequest { limit_rate: Some(CHUNK as u64), ..ReencryptRequest::default() };
    let report = reencrypt(&volume, request, &stop).unwrap();
    assert!(report.stopped && report.moved.bytes > 0, "{report:?}");
    let rest = plan_reencryption(&volume, Epoch(2)).unwrap().to_move;
    let report = run(&world, &volume).unwrap();
    assert!(report.moved.bytes >= rest.bytes && !report.stopped, "{report:?} {rest:?}");
    volume.close_blocking().unwrap();
    all_moved(&world, &files);
}

#[test]
fn a_chunk_that_nobody_can_read_stays_and_does_not_stop_the_others() {
    let (world, files) = world();
    let objects = world.memory.objects();
    let (key, bytes) = objects.iter().find(|(key, _)| key.starts_with("data/1/")).unwrap();
    let mut damaged = bytes.to_vec();
    let at = damaged.len() - 5;
    damaged[at] ^= 1;
    world.memory.overwrite_raw(key, damaged);
    let volume = world.machine(2).open().unwrap();
    let report = run(&world, &volume).unwrap();
    assert_eq!((report.unreadable, report.left.segments), (1, 1), "{report:?}");
    assert!(world.memory.objects().contains_key(key));
    volume.close_blocking().unwrap();
    // Once it is back, another run finishes.
    world.memory.overwrite_raw(key, bytes.clone());
    let volume = world.machine(4).open().unwrap();
    assert_eq!(run(&world, &volume).unwrap().left.objects(), 0);
    volume.close_blocking().unwrap();
    all_moved(&world, &files);
}

#[test]
fn m7_a_large_tree_is_rewritten_in_portions() {
    let world = World::with_header();
    let volume = world.machine(1).open().unwrap();
    for number in 0..600u64 {
        put(&volume, &format!("file{number}"), &noise(4000, number));
    }
    volume.checkpoint_now(&Default::default()).unwrap();
    world.add_epoch();
    let packs = world.keys("tree/").len();
    assert!(packs > 2, "{packs}");
    let steps = AtomicU64::new(0);
    let watcher = watch(&world, |_: &Amount, _: &Amount| {
        steps.fetch_add(1, Ordering::SeqCst);
        ControlFlow::Continue(())
    });
    // One pack a second.
    let gc = GcRequest::default();
    let report = reencrypt(&volume, ReencryptRequest { limit_rate: Some(1 << 20), gc }, &watcher).unwrap();
    assert!(steps.load(Ordering::SeqCst) >= packs as u64 - 1, "{steps:?} steps for {packs} packs");
    assert_eq!((report.left.objects(), epochs(&world).into_iter().collect::<Vec<_>>()), (0, vec![2]));
    assert_eq!(world.files().len(), 600);
}
