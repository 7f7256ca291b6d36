//! Mounting and listing cold.

use hushfs::base::Ino;
use hushfs::fs::Listed;
use hushfs::meta::record::FileKind;

use crate::machine::{Machine, USER, World};

const DIRECTORIES: u64 = 100;
const FILES: u64 = 1000;

/// `DIRECTORIES` directories of `FILES` files.
fn tree() -> World {
    let world = World::new();
    let machine = world.mount();
    for directory in 0..DIRECTORIES {
        let name = format!("directory-{directory:03}");
        let parent = machine.fs.mkdir(&USER, Ino::ROOT, name.as_bytes(), 0o755, 0).unwrap().attr.ino;
        (0..FILES).for_each(|file| {
            machine.write_new(parent, &format!("some-file-{file:04}.txt"), b"");
        });
    }
    machine.unmount();
    world
}

/// Lists everything with attributes, as `ls -lR` does; returns how many entries there are.
fn list(machine: &Machine, directory: Ino) -> u64 {
    let (mut cookie, mut count) = (0, 0);
    loop {
        let page: Vec<Listed> = machine.fs.list(directory, cookie, true).unwrap();
        let Some(last) = page.last() else { return count };
        cookie = last.cookie;
        for entry in page.iter().filter(|entry| entry.name != b"."[..] && entry.name != b".."[..]) {
            count += 1;
            if entry.kind == FileKind::Directory {
                count += list(machine, entry.ino);
            }
        }
    }
}

#[test]
fn mounting_a_volume_of_many_files_and_listing_it_takes_few_requests() {
    let world = tree();
    let mut mounted = None;
    let mount = world.requests(|| mounted = Some(world.mount()));
    assert!(mount.all() <= 10, "{}", mount.describe());
    let machine = mounted.unwrap();
    let listing = world.requests(|| assert_eq!(list(&machine, Ino::ROOT), DIRECTORIES * (FILES + 1)));
    assert!(mount.all() + listing.all() < 40, "{}", listing.describe());
    machine.unmount();
}
