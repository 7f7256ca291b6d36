//! What another machine changes shows here, although the kernel may cache for an hour.

use std::fs;
use std::sync::Arc;

use hushfs::base::Ino;
use hushfs::fs::{Caller, Changes, Content, Filesystem, FsOptions};

use crate::eventually;
use crate::mount::TestMount;

const ROOT: Caller = Caller { uid: 0, gid: 0, pid: 0 };

/// The volume on another machine, without a kernel.
fn elsewhere(mount: &TestMount) -> Arc<Filesystem> {
    let volume = mount.other_machine();
    let content = Content::new(volume.clone(), 1 << 20);
    Filesystem::new(volume, content, FsOptions::default()).unwrap()
}

/// Has this machine notice what the other one committed: its own commit loses the race and is rebased.
fn notice(mount: &TestMount, marker: &str) {
    fs::write(mount.path(marker), "").unwrap();
    mount.volume().sync().unwrap();
}

fn write(fs: &Filesystem, ino: Ino, content: &[u8]) {
    let handle = fs.open(&ROOT, ino, libc::O_WRONLY).unwrap();
    fs.setattr(&ROOT, ino, Changes { size: Some(0), ..Changes::default() }).unwrap();
    fs.write(ino, handle, 0, content, false).unwrap();
    fs.release(ino, handle);
    fs.sync().unwrap();
}

#[test]
fn names_made_and_removed_elsewhere_appear_and_disappear() {
    let mount = TestMount::new();
    fs::write(mount.path("old"), "").unwrap();
    fs::create_dir(mount.path("dir")).unwrap();
    mount.volume().sync().unwrap();
    assert!(!mount.path("new").exists());
    assert_eq!(fs::read_dir(mount.path("dir")).unwrap().count(), 0);
    let other = elsewhere(&mount);
    other.unlink(Ino::ROOT, b"old").unwrap();
    other.mkdir(&ROOT, Ino::ROOT, b"new", 0o755, 0).unwrap();
    let dir = other.lookup(Ino::ROOT, b"dir").unwrap().attr.ino;
    other.mkdir(&ROOT, dir, b"inside", 0o755, 0).unwrap();
    other.sync().unwrap();
    notice(&mount, "marker");
    assert!(eventually(|| mount.path("new").is_dir()));
    assert!(eventually(|| !mount.path("old").exists()));
    assert!(eventually(|| fs::read_dir(mount.path("dir")).unwrap().count() == 1));
}

#[test]
fn content_written_elsewhere_is_read_here_with_its_new_size() {
    let mount = TestMount::new();
    fs::write(mount.path("file"), "one").unwrap();
    mount.volume().sync().unwrap();
    assert_eq!(fs::read(mount.path("file")).unwrap(), b"one");
    let other = elsewhere(&mount);
    let ino = other.lookup(Ino::ROOT, b"file").unwrap().attr.ino;
    write(&other, ino, b"another, longer content");
    notice(&mount, "marker");
    assert!(eventually(|| fs::read(mount.path("file")).unwrap() == b"another, longer content"));
}
