//! Objects that are gone when they are needed: another machine's gc does not wait for a mount that only looks.

use hushfs::base::Ino;
use hushfs::fs::{Filesystem, FsError};
use hushfs::volume::{GcRequest, gc};

use crate::machine::{CHUNK, Machine, USER, World, noise};

/// Their records are more than lie in the packs that a mount reads.
const FILES: u64 = 20_000;

fn name(number: u64) -> String {
    noise(number, 100).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A volume of many names and one file with content, and a mount that has read nothing of it yet.
fn world() -> (World, Machine, Machine) {
    let world = World::new();
    let writer = world.mount();
    for number in 0..FILES {
        writer.write_new(Ino::ROOT, &name(number), b"");
    }
    writer.write_new(Ino::ROOT, "content", &noise(1, CHUNK));
    collect(&writer);
    let reader = world.look();
    (world, writer, reader)
}

/// Everything into a checkpoint; what nothing needs any more is deleted at once, since nobody else is known.
fn collect(machine: &Machine) {
    machine.sync();
    let report = gc(&machine.volume, GcRequest::default(), &|_, _| {}).unwrap();
    assert_eq!(report.condemned, 0);
}

fn names(fs: &Filesystem) -> Result<usize, FsError> {
    let (mut found, mut cookie) = (0, 0);
    loop {
        let page = fs.list(Ino::ROOT, cookie, true)?;
        let Some(last) = page.last() else { return Ok(found) };
        (found, cookie) = (found + page.len(), last.cookie);
    }
}

fn read(fs: &Filesystem, name: &str) -> Result<Vec<u8>, FsError> {
    let ino = fs.lookup(Ino::ROOT, name.as_bytes())?.attr.ino;
    let handle = fs.open(&USER, ino, libc::O_RDONLY)?;
    let bytes = fs.read(ino, handle, 0, CHUNK as u32);
    fs.release(ino, handle);
    bytes
}

#[test]
fn names_whose_records_another_machine_rewrote_and_collected_are_found_in_the_newest_state() {
    let (_world, writer, reader) = world();
    for number in (0..FILES).step_by(2) {
        writer.fs.unlink(Ino::ROOT, name(number).as_bytes()).unwrap();
    }
    collect(&writer);
    let behind = names(&reader.fs).map_err(|error| (error.is_gone(), error.to_string()));
    assert!(matches!(behind, Err((true, _))), "{behind:?}");
    let found = reader.fs.attempt(names).unwrap();
    assert_eq!(found as u64, 2 + FILES / 2 + 1);
    writer.unmount();
}

#[test]
fn content_that_another_machine_replaced_and_collected_is_read_as_it_is_now() {
    let (_world, writer, reader) = world();
    let ino = reader.find("content");
    let handle = writer.fs.open(&USER, ino, libc::O_RDWR).unwrap();
    writer.write(ino, handle, 0, &noise(2, CHUNK));
    writer.fs.release(ino, handle);
    collect(&writer);
    let handle = reader.fs.open(&USER, ino, libc::O_RDONLY).unwrap();
    assert!(reader.fs.read(ino, handle, 0, 1).is_err_and(|error| error.is_gone()));
    let now = reader.fs.attempt(|fs| fs.read(ino, handle, 0, CHUNK as u32)).unwrap();
    assert_eq!(now, noise(2, CHUNK));
    reader.fs.release(ino, handle);
    writer.unmount();
}

#[test]
fn what_is_gone_for_good_is_an_error_after_a_look_at_the_log_and_a_few_requests() {
    let (world, writer, reader) = world();
    let objects = world.bucket.objects();
    for key in objects.keys().filter(|key| key.starts_with("tree/") || key.starts_with("data/")) {
        world.bucket.remove_raw(key);
    }
    let asked = world.requests(|| {
        let refused = reader.fs.attempt(|fs| read(fs, "content")).unwrap_err();
        assert!(refused.is_gone(), "{refused}");
    });
    assert!(asked.all() <= 8, "{}", asked.describe());
    drop(writer);
}
