//! The commit thread and many callers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::world::*;
use crate::base::{Ino, SystemClock};
use crate::object::{Fault, Gate, RequestKind, Rule};
use crate::volume::open::Drive;
use crate::volume::{DirtySource, Permit, Volume, VolumeError, VolumeOptions};

fn threaded(machine: &Machine, interval: Duration) -> Arc<Volume> {
    let mut env = machine.env.clone();
    env.clock = Arc::new(SystemClock);
    let options = VolumeOptions { commit_interval: interval, ..options() };
    Volume::open_blocking(env, options, Drive::Thread).unwrap()
}

#[test]
fn callers_of_sync_share_commits() {
    let world = World::new();
    let machine = world.machine(1);
    let volume = threaded(&machine, Duration::from_secs(3600));
    let gate = Gate::new();
    machine.faulty.add(Rule::first(1, Fault::Freeze(gate.clone())).on(RequestKind::Put).under("log/"));
    let ready = std::sync::Barrier::new(17);
    std::thread::scope(|scope| {
        put(&volume, "first", b"x");
        scope.spawn(|| volume.sync().unwrap());
        world.runtime.block_on(gate.reached(1));
        let volume = &volume;
        let ready = &ready;
        for number in 0..16 {
            scope.spawn(move || {
                put(volume, &format!("file{number}"), b"y");
                ready.wait();
                volume.sync().unwrap();
            });
        }
        ready.wait();
        gate.release();
    });
    assert_eq!(world.files().len(), 17);
    // Genesis, the first, and the others together; a late caller may have needed one more.
    assert!(world.keys("log/").len() <= 5, "{:?}", world.keys("log/"));
    world.runtime.block_on(volume.close()).unwrap();
}

/// Found by reading the code: the state was locked for reading, and again for reading, within one expression; a writer
/// that came in between waited for the first, the second for the writer, and the mount stood still.
#[test]
fn looking_for_work_holds_no_lock_while_it_asks() {
    struct Asked(Weak<Volume>, AtomicBool);
    impl DirtySource for Asked {
        fn drain(&self, _volume: &Volume, _permit: &Permit<'_>) -> Result<(), VolumeError> {
            Ok(())
        }
        fn dirty_bytes(&self) -> u64 {
            let free = self.0.upgrade().is_some_and(|volume| volume.state.try_write().is_some());
            self.1.store(free, Ordering::Relaxed);
            0
        }
    }
    let world = World::new();
    let volume = world.machine(1).open().unwrap();
    let source = Arc::new(Asked(Arc::downgrade(&volume), AtomicBool::new(false)));
    volume.set_dirty_source(source.clone());
    assert!(!volume.has_local_work());
    assert!(source.1.load(Ordering::Relaxed), "a writer would have waited for has_local_work");
}

#[test]
fn operations_reach_the_bucket_within_the_interval_without_any_sync() {
    let world = World::new();
    let machine = world.machine(1);
    let volume = threaded(&machine, Duration::from_millis(20));
    let before = machine.faulty.requests();
    put(&volume, "file", b"x");
    world.runtime.block_on(machine.faulty.wait_for_requests(before + 1));
    world.runtime.block_on(volume.close()).unwrap();
    assert_eq!(world.files()["file"], b"x");
}

#[test]
fn many_threads_at_once_lose_nothing_and_closing_ends_the_thread() {
    let world = World::new();
    let machine = world.machine(1);
    let volume = threaded(&machine, Duration::from_millis(5));
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let volume = &volume;
            scope.spawn(move || {
                let directory = mkdir(volume, Ino::ROOT, &format!("dir{thread}")).unwrap();
                for number in 0..40u64 {
                    let ino = create(volume, directory, &format!("{number}")).unwrap();
                    write(volume, ino, &noise(3000 + (number as usize % 3) * 2000, number)).unwrap();
                    if number % 8 == 0 {
                        volume.sync().unwrap();
                    }
                }
            });
        }
    });
    world.runtime.block_on(volume.close()).unwrap();
    assert_eq!(files(&volume), world.files());
    assert_eq!(world.files().len(), 4 + 160);
    let weak = Arc::downgrade(&volume);
    drop(volume);
    assert!(weak.upgrade().is_none(), "somebody still holds the volume");
}

#[test]
fn a_failing_bucket_is_tried_again_by_the_thread_until_it_works() {
    let world = World::new();
    let machine = world.machine(1);
    let volume = threaded(&machine, Duration::from_millis(5));
    machine
        .faulty
        .add(Rule::first(1, Fault::Refuse(crate::object::ErrorKind::Transient)).on(RequestKind::Put));
    put(&volume, "file", b"x");
    volume.sync().unwrap_err();
    let before = machine.faulty.requests();
    world.runtime.block_on(machine.faulty.wait_for_requests(before + 1));
    world.runtime.block_on(volume.close()).unwrap();
    assert_eq!(world.files()["file"], b"x");
}
