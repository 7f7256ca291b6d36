//! Mounting and unmounting.

use std::fs::{self, File};
use std::path::Path;

use hushfs::fuse;

use crate::errno;
use crate::mount::TestMount;

#[test]
fn a_mount_is_found_by_its_path() {
    let mount = TestMount::new();
    let info = fuse::is_mounted(mount.root()).unwrap().unwrap();
    assert!(info.is_ours());
    assert_eq!((info.source.as_str(), info.mountpoint.as_path()), ("memory", mount.root()));
    assert_eq!(fuse::is_mounted(Path::new("/proc")).unwrap().unwrap().fs_type, "proc");
}

#[test]
fn a_mount_in_use_is_busy() {
    let mount = TestMount::new();
    let file = File::create(mount.path("file")).unwrap();
    assert_eq!(fuse::unmount(mount.root(), false).unwrap_err().kind(), std::io::ErrorKind::ResourceBusy);
    drop(file);
}

#[test]
fn a_read_only_mount_changes_nothing() {
    let mut mount = TestMount::new();
    fs::write(mount.path("file"), "content").unwrap();
    mount.remount_with("ro");
    assert_eq!(fs::read(mount.path("file")).unwrap(), b"content");
    assert_eq!(errno(fs::write(mount.path("file"), "")), libc::EROFS);
    assert_eq!(errno(fs::create_dir(mount.path("dir"))), libc::EROFS);
    assert_eq!(errno(fs::remove_file(mount.path("file"))), libc::EROFS);
}

#[test]
fn nosymfollow_reads_links_and_follows_none() {
    let mut mount = TestMount::new();
    fs::write(mount.path("file"), "content").unwrap();
    std::os::unix::fs::symlink("file", mount.path("link")).unwrap();
    mount.remount_with("nosymfollow");
    assert_eq!(errno(fs::read(mount.path("link"))), libc::ELOOP);
    assert_eq!(fs::read_link(mount.path("link")).unwrap(), std::path::Path::new("file"));
    assert_eq!(fs::read(mount.path("file")).unwrap(), b"content");
    mount.remount_with("nosymfollow,symfollow");
    assert_eq!(fs::read(mount.path("link")).unwrap(), b"content");
}
