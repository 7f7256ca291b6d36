//! Writing and fsync.

use std::sync::Barrier;
use std::thread;

use hushfs::base::Ino;
use hushfs::fs::RenameMode;
use hushfs::volume::DirtySource;

use crate::machine::{CHUNK, KIB, MIB, USER, World, noise};

#[test]
fn fsync_costs_no_request_when_nothing_waits() {
    let world = World::new();
    let machine = world.mount();
    machine.write_new(Ino::ROOT, "file", b"content");
    machine.sync();
    let requests = world.requests(|| {
        machine.sync();
        let (ino, handle) = machine.open("file");
        machine.fs.read(ino, handle, 0, 100).unwrap();
        machine.sync();
        machine.fs.release(ino, handle);
        machine.sync();
    });
    assert_eq!(requests.all(), 0, "{}", requests.describe());
    machine.unmount();
}

#[test]
fn fsync_costs_one_put_for_a_small_file_and_two_for_a_large_chunk() {
    let world = World::new();
    let machine = world.mount();
    let (ino, handle) = machine.create(Ino::ROOT, "file");
    machine.sync();
    for (len, puts) in [(1, 1), (4 * KIB, 1), (4 * KIB + 1, 2), (CHUNK, 2), (8 * CHUNK, 2)] {
        machine.write(ino, handle, 0, &noise(len, len));
        let requests = world.requests(|| machine.sync());
        assert_eq!((requests.all(), requests.puts("")), (puts, puts), "{len} bytes: {}", requests.describe());
    }
    machine.fs.release(ino, handle);
    machine.unmount();
}

#[test]
fn before_a_cut_most_of_what_is_dirty_is_on_its_way() {
    let world = World::new();
    let machine = world.mount();
    let bytes = noise(1, 14 * MIB);
    let ino = machine.write_new(Ino::ROOT, "file", &bytes);
    let dirty = || machine.content.dirty_bytes();
    assert_eq!(dirty(), 14 * MIB);
    machine.content.ease(&machine.volume).unwrap();
    assert_eq!(dirty(), 6 * MIB, "a segment's worth went");
    machine.content.ease(&machine.volume).unwrap();
    assert_eq!(dirty(), 6 * MIB, "the rest is for the cut");
    let requests = world.requests(|| machine.sync());
    assert_eq!((dirty(), requests.puts("log/")), (0, 1), "{}", requests.describe());
    machine.unmount();
    let machine = world.mount();
    let (_, handle) = machine.open("file");
    assert!(machine.fs.read(ino, handle, 0, 14 * MIB as u32).unwrap() == bytes);
    machine.fs.release(ino, handle);
    machine.unmount();
}

#[test]
fn ten_thousand_small_files_take_few_puts_and_little_metadata() {
    let world = World::new();
    let machine = world.mount();
    let requests = world.requests(|| {
        for number in 0..10_000 {
            machine.write_new(Ino::ROOT, &format!("file-{number}"), &noise(number, 4 * KIB));
        }
        machine.sync();
    });
    let (data, log) = (requests.bytes_up("data/"), requests.bytes_up("log/"));
    assert!(requests.puts("") <= 20, "{}", requests.describe());
    assert!(log * 10 <= data, "{log} bytes of metadata for {data} of data");
    machine.unmount();
}

#[test]
fn random_writes_are_amplified_by_a_chunk_and_little_more() {
    let world = World::new();
    let machine = world.mount();
    machine.write_new(Ino::ROOT, "file", &noise(1, 64 * MIB));
    machine.sync();
    let (ino, handle) = machine.open("file");
    let written = 1000 * 4 * KIB;
    let requests = world.requests(|| {
        for number in 0..1000 {
            let at = number * 7919 % (64 * MIB / (4 * KIB)) * 4 * KIB;
            machine.write(ino, handle, at, &noise(number, 4 * KIB));
        }
        machine.sync();
    });
    let sent = requests.bytes_up("");
    assert!(sent <= 17 * written, "{sent} bytes sent for {written} written");
    machine.fs.release(ino, handle);
    machine.unmount();
}

/// A write that finds the file changed begins again: what it leaves in place of a chunk must still be in memory then.
#[test]
fn writes_into_what_was_just_written_fetch_nothing_while_commits_go_on() {
    const FILE: u64 = 16 * MIB;
    let world = World::new();
    let machine = world.mount();
    machine.write_new(Ino::ROOT, "file", &noise(1, FILE));
    machine.sync();
    let (ino, handle) = machine.open("file");
    let requests = world.requests(|| {
        thread::scope(|scope| {
            let writer = scope.spawn(|| {
                (0..FILE).step_by(CHUNK as usize).for_each(|at| {
                    machine.write(ino, handle, at + 4 * KIB, &noise(at, 4 * KIB));
                });
            });
            while !writer.is_finished() {
                machine.sync();
            }
        });
    });
    assert_eq!(requests.gets(""), 0, "{}", requests.describe());
    machine.fs.release(ino, handle);
    machine.unmount();
}

/// fsync of a database: the kernel hands over its pages by several threads.
#[test]
fn pages_of_one_chunk_that_are_written_at_once_fetch_nothing() {
    const CHUNKS: u64 = 200;
    let world = World::new();
    let machine = world.mount();
    machine.write_new(Ino::ROOT, "file", &noise(1, CHUNKS * CHUNK));
    machine.sync();
    let (ino, handle) = machine.open("file");
    let together = Barrier::new(2);
    let requests = world.requests(|| {
        let pages_at = |within: u64| {
            (0..CHUNKS).for_each(|chunk| {
                together.wait();
                machine.write(ino, handle, chunk * CHUNK + within, &noise(chunk, 4 * KIB));
            });
        };
        thread::scope(|scope| {
            scope.spawn(|| pages_at(0));
            scope.spawn(|| pages_at(CHUNK / 2));
        });
    });
    assert_eq!(requests.gets(""), 0, "{}", requests.describe());
    machine.fs.release(ino, handle);
    machine.unmount();
}

#[test]
fn a_rename_of_a_large_directory_is_one_small_commit() {
    let world = World::new();
    let machine = world.mount();
    let directory = machine.fs.mkdir(&USER, Ino::ROOT, b"directory", 0o755, 0).unwrap().attr.ino;
    (0..10_000).for_each(|number| {
        machine.write_new(directory, &format!("file-{number}"), b"");
    });
    machine.sync();
    let requests = world.requests(|| {
        machine.fs.rename(Ino::ROOT, b"directory", Ino::ROOT, b"renamed", RenameMode::Replace).unwrap();
        machine.sync();
    });
    assert_eq!((requests.all(), requests.puts("log/")), (1, 1), "{}", requests.describe());
    assert!(requests.bytes_up("") <= 4 * KIB);
    machine.unmount();
}
