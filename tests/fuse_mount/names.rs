//! Entries: making, linking, renaming, removing.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};

use rustix::fs::{CWD, FileType, Mode, RenameFlags, makedev, mknodat, renameat_with};

use crate::mount::TestMount;
use crate::{errno, rustix_errno};

#[test]
fn names_are_up_to_255_of_any_bytes() {
    let mut mount = TestMount::new();
    let odd: Vec<u8> = (1..=255u8).filter(|byte| *byte != b'/').chain([b'x']).collect();
    assert_eq!(odd.len(), 255);
    fs::write(mount.path(OsStr::from_bytes(&odd)), "odd").unwrap();
    assert_eq!(errno(fs::write(mount.path("a".repeat(256)), "")), libc::ENAMETOOLONG);
    assert_eq!(errno(fs::metadata(mount.path("a".repeat(256)))), libc::ENAMETOOLONG);
    mount.remount();
    assert_eq!(fs::read(mount.path(OsStr::from_bytes(&odd))).unwrap(), b"odd");
}

#[test]
fn a_name_that_was_looked_for_in_vain_appears_when_it_is_made() {
    let mount = TestMount::new();
    assert_eq!(errno(fs::metadata(mount.path("later"))), libc::ENOENT);
    fs::write(mount.path("later"), "").unwrap();
    assert!(fs::metadata(mount.path("later")).is_ok());
    fs::remove_file(mount.path("later")).unwrap();
    assert_eq!(errno(fs::metadata(mount.path("later"))), libc::ENOENT);
}

#[test]
fn every_kind_of_file_survives_a_remount() {
    let mut mount = TestMount::new();
    let mode = Mode::from_raw_mode(0o640);
    mknodat(CWD, mount.path("pipe"), FileType::Fifo, mode, 0).unwrap();
    mknodat(CWD, mount.path("socket"), FileType::Socket, mode, 0).unwrap();
    symlink("\u{e4}/../nowhere", mount.path("link")).unwrap();
    fs::create_dir(mount.path("dir")).unwrap();
    if rustix::process::geteuid().is_root() {
        mknodat(CWD, mount.path("device"), FileType::CharacterDevice, mode, makedev(1, 300)).unwrap();
    }
    mount.remount();
    assert!(fs::metadata(mount.path("pipe")).unwrap().file_type().is_fifo());
    assert!(fs::metadata(mount.path("socket")).unwrap().file_type().is_socket());
    assert_eq!(fs::read_link(mount.path("link")).unwrap(), std::path::Path::new("\u{e4}/../nowhere"));
    assert!(fs::metadata(mount.path("dir")).unwrap().is_dir());
    if rustix::process::geteuid().is_root() {
        assert_eq!(fs::metadata(mount.path("device")).unwrap().rdev(), makedev(1, 300));
    }
}

#[test]
fn hard_links_are_one_file() {
    let mut mount = TestMount::new();
    fs::write(mount.path("one"), "content").unwrap();
    fs::hard_link(mount.path("one"), mount.path("two")).unwrap();
    assert_eq!(fs::metadata(mount.path("one")).unwrap().nlink(), 2);
    fs::remove_file(mount.path("one")).unwrap();
    mount.remount();
    assert_eq!(fs::read(mount.path("two")).unwrap(), b"content");
    assert_eq!(fs::metadata(mount.path("two")).unwrap().nlink(), 1);
    fs::create_dir(mount.path("dir")).unwrap();
    assert_eq!(errno(fs::hard_link(mount.path("dir"), mount.path("three"))), libc::EPERM);
}

#[test]
fn directories_count_their_subdirectories() {
    let mount = TestMount::new();
    fs::create_dir_all(mount.path("a/b")).unwrap();
    fs::create_dir(mount.path("a/c")).unwrap();
    assert_eq!(fs::metadata(mount.path("a")).unwrap().nlink(), 4);
    fs::rename(mount.path("a/c"), mount.path("c")).unwrap();
    assert_eq!(fs::metadata(mount.path("a")).unwrap().nlink(), 3);
    assert_eq!(errno(fs::remove_dir(mount.path("a"))), libc::ENOTEMPTY);
}

#[test]
fn rename_replaces_and_refuses_as_posix_says() {
    let mount = TestMount::new();
    let path = |name| mount.path(name);
    fs::write(path("new"), "new").unwrap();
    fs::write(path("old"), "old").unwrap();
    fs::rename(path("new"), path("old")).unwrap();
    assert_eq!(fs::read(path("old")).unwrap(), b"new");
    fs::create_dir_all(path("full/sub")).unwrap();
    fs::create_dir(path("empty")).unwrap();
    assert_eq!(errno(fs::rename(path("old"), path("empty"))), libc::EISDIR);
    assert_eq!(errno(fs::rename(path("empty"), path("old"))), libc::ENOTDIR);
    assert_eq!(errno(fs::rename(path("empty"), path("full"))), libc::ENOTEMPTY);
    assert_eq!(errno(fs::rename(path("full"), path("full/sub/inside"))), libc::EINVAL);
    fs::rename(path("full"), path("empty")).unwrap();
    assert!(path("empty/sub").is_dir() && !path("full").exists());
}

#[test]
fn rename_of_two_names_of_one_file_does_nothing() {
    let mount = TestMount::new();
    fs::write(mount.path("one"), "").unwrap();
    fs::hard_link(mount.path("one"), mount.path("two")).unwrap();
    fs::rename(mount.path("one"), mount.path("two")).unwrap();
    assert!(mount.path("one").exists() && mount.path("two").exists());
}

#[test]
fn renameat2_exchanges_or_refuses_to_replace() {
    let mount = TestMount::new();
    let path = |name| mount.path(name);
    fs::write(path("file"), "file").unwrap();
    fs::create_dir(path("dir")).unwrap();
    let rename = |from, to, flags| renameat_with(CWD, path(from), CWD, path(to), flags);
    assert_eq!(rustix_errno(rename("file", "dir", RenameFlags::NOREPLACE)), libc::EEXIST);
    rename("file", "free", RenameFlags::NOREPLACE).unwrap();
    assert_eq!(rustix_errno(rename("free", "gone", RenameFlags::EXCHANGE)), libc::ENOENT);
    rename("free", "dir", RenameFlags::EXCHANGE).unwrap();
    assert!(path("free").is_dir());
    assert_eq!(fs::read(path("dir")).unwrap(), b"file");
    let both = RenameFlags::EXCHANGE | RenameFlags::WHITEOUT;
    assert_eq!(rustix_errno(rename("free", "dir", both)), libc::EINVAL);
}

/// What overlayfs does to a file of its upper layer that a lower one has too.
#[test]
fn renameat2_leaves_a_whiteout_in_the_old_place() {
    let mut mount = TestMount::new();
    fs::write(mount.path("file"), "file").unwrap();
    fs::write(mount.path("other"), "other").unwrap();
    fs::create_dir(mount.path("dir")).unwrap();
    let rename = |mount: &TestMount, from, to, flags| {
        renameat_with(CWD, mount.path(from), CWD, mount.path(to), RenameFlags::WHITEOUT | flags)
    };
    let none = RenameFlags::empty();
    assert_eq!(rustix_errno(rename(&mount, "file", "other", RenameFlags::NOREPLACE)), libc::EEXIST);
    assert_eq!(fs::read(mount.path("file")).unwrap(), b"file", "a refused rename leaves nothing behind");
    rename(&mount, "file", "other", none).unwrap();
    rename(&mount, "dir", "moved", RenameFlags::NOREPLACE).unwrap();
    mount.remount();
    assert_eq!(fs::read(mount.path("other")).unwrap(), b"file");
    assert!(mount.path("moved").is_dir());
    for name in ["file", "dir"] {
        let whiteout = fs::symlink_metadata(mount.path(name)).unwrap();
        assert!(whiteout.file_type().is_char_device(), "{name}");
        assert_eq!((whiteout.rdev(), whiteout.mode() & 0o7777, whiteout.nlink()), (0, 0, 1), "{name}");
        fs::remove_file(mount.path(name)).unwrap();
    }
}

#[test]
fn exclusive_creation_fails_where_something_is() {
    let mount = TestMount::new();
    fs::write(mount.path("file"), "").unwrap();
    let again = fs::OpenOptions::new().write(true).create_new(true).open(mount.path("file"));
    assert_eq!(errno(again), libc::EEXIST);
    assert_eq!(errno(fs::create_dir(mount.path("file"))), libc::EEXIST);
    assert_eq!(errno(symlink("x", mount.path("file"))), libc::EEXIST);
}

#[test]
fn a_symlink_target_has_up_to_4095_bytes() {
    let mount = TestMount::new();
    let longest = "a".repeat(4095);
    symlink(&longest, mount.path("link")).unwrap();
    assert_eq!(fs::read_link(mount.path("link")).unwrap(), std::path::Path::new(&longest));
    assert_eq!(errno(symlink("a".repeat(4096), mount.path("longer"))), libc::ENAMETOOLONG);
}
