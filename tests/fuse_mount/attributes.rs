//! Times, modes, space.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};

use crate::eventually;
use crate::mount::TestMount;

const OMIT: i64 = libc::UTIME_OMIT;

fn spec(secs: i64, nanos: i64) -> Timespec {
    Timespec { tv_sec: secs, tv_nsec: nanos as _ }
}

fn set_times(path: &Path, atime: Timespec, mtime: Timespec) {
    let times = Timestamps { last_access: atime, last_modification: mtime };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

fn mtime(path: &Path) -> (i64, i64) {
    let found = fs::symlink_metadata(path).unwrap();
    (found.mtime(), found.mtime_nsec())
}

fn atime(path: &Path) -> (i64, i64) {
    let found = fs::symlink_metadata(path).unwrap();
    (found.atime(), found.atime_nsec())
}

fn ctime(path: &Path) -> (i64, i64) {
    let found = fs::symlink_metadata(path).unwrap();
    (found.ctime(), found.ctime_nsec())
}

/// Waits until the kernel's clock for the times of files has moved on: it goes in steps of some milliseconds.
fn step() {
    let now = || rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
    let before = now();
    while now() == before {
        std::thread::yield_now();
    }
}

#[test]
fn times_are_kept_to_the_nanosecond_also_before_1970() {
    let mut mount = TestMount::new();
    fs::write(mount.path("file"), "").unwrap();
    fs::create_dir(mount.path("dir")).unwrap();
    std::os::unix::fs::symlink("x", mount.path("link")).unwrap();
    let times = [(-2, 750_000_000), (1, 1), (5_000_000_000, 999_999_999)];
    for (name, (secs, nanos)) in ["file", "dir", "link"].into_iter().zip(times) {
        set_times(&mount.path(name), spec(secs - 1, nanos), spec(secs, nanos));
        assert_eq!(mtime(&mount.path(name)), (secs, nanos), "{name}");
    }
    mount.remount();
    for (name, (secs, nanos)) in ["file", "dir", "link"].into_iter().zip(times) {
        assert_eq!(mtime(&mount.path(name)), (secs, nanos), "{name}");
        assert_eq!(atime(&mount.path(name)), (secs - 1, nanos), "{name}");
    }
}

#[test]
fn one_time_can_be_set_alone() {
    let mount = TestMount::new();
    let file = mount.path("file");
    fs::write(&file, "").unwrap();
    set_times(&file, spec(100, 0), spec(200, 0));
    set_times(&file, spec(0, OMIT), spec(300, 0));
    assert_eq!((atime(&file), mtime(&file)), ((100, 0), (300, 0)));
    set_times(&file, spec(400, 0), spec(0, OMIT));
    assert_eq!((atime(&file), mtime(&file)), ((400, 0), (300, 0)));
}

#[test]
fn a_modification_time_set_after_writing_is_the_one_that_stays() {
    let mut mount = TestMount::new();
    let mut file = File::create(mount.path("file")).unwrap();
    file.write_all(&[7; 100_000]).unwrap();
    set_times(&mount.path("file"), spec(10, 0), spec(1234, 5678));
    drop(file);
    assert_eq!(mtime(&mount.path("file")), (1234, 5678));
    mount.remount();
    assert_eq!(mtime(&mount.path("file")), (1234, 5678));
}

#[test]
fn times_do_not_change_by_a_remount() {
    let mut mount = TestMount::new();
    fs::write(mount.path("file"), "content").unwrap();
    fs::create_dir(mount.path("dir")).unwrap();
    fs::write(mount.path("dir/entry"), "").unwrap();
    let names = ["file", "dir", "dir/entry"];
    let before: Vec<_> =
        names.iter().map(|name| (mtime(&mount.path(name)), ctime(&mount.path(name)))).collect();
    mount.remount();
    let after: Vec<_> =
        names.iter().map(|name| (mtime(&mount.path(name)), ctime(&mount.path(name)))).collect();
    assert_eq!(before, after);
}

/// The kernel's clock for file times moves in steps: what follows within one step is not sent as a new time.
#[test]
fn a_file_written_right_after_its_truncation_keeps_its_time() {
    let mut mount = TestMount::new();
    let path = mount.path("file");
    fs::write(&path, "before").unwrap();
    for number in 0..50 {
        fs::write(&path, number.to_string()).unwrap();
        fs::copy(&path, mount.path(format!("copy-{number}"))).unwrap();
    }
    let times = |mount: &TestMount| {
        let mut times = Vec::new();
        for number in 0..50 {
            let name = mount.path(format!("copy-{number}"));
            times.push((mtime(&name), ctime(&name)));
        }
        times.push((mtime(&path), ctime(&path)));
        times
    };
    let before = times(&mount);
    mount.remount();
    assert_eq!(times(&mount), before);
}

#[test]
fn every_change_shows_in_the_change_time() {
    let mount = TestMount::new();
    let file = mount.path("file");
    fs::write(&file, "content").unwrap();
    let mut last = ctime(&file);
    let mut changed = |what: &str| {
        let now = ctime(&file);
        assert!(now > last, "{what}: {last:?} {now:?}");
        last = now;
    };
    step();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    changed("chmod");
    step();
    fs::hard_link(&file, mount.path("second")).unwrap();
    changed("link");
    step();
    fs::remove_file(mount.path("second")).unwrap();
    changed("unlink");
    step();
    fs::rename(&file, mount.path("other")).unwrap();
    fs::rename(mount.path("other"), &file).unwrap();
    changed("rename");
    step();
    OpenOptions::new().write(true).open(&file).unwrap().set_len(3).unwrap();
    changed("truncate");
    step();
    set_times(&file, spec(1, 0), spec(1, 0));
    changed("utimensat");
}

#[test]
fn reading_is_recorded_by_the_rules_of_relatime() {
    let mut mount = TestMount::new();
    let file = mount.path("file");
    fs::write(&file, "content").unwrap();
    set_times(&file, spec(1000, 0), spec(2000, 0));
    let quiet = OpenOptions::new().read(true).custom_flags(libc::O_NOATIME).open(&file);
    quiet.unwrap().read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(atime(&file), (1000, 0), "O_NOATIME");
    mount.remount();
    fs::read(&file).unwrap();
    let first = atime(&file);
    assert!(first.0 > 2000);
    mount.remount();
    assert_eq!(atime(&file), first, "the access was recorded");
    fs::read(&file).unwrap();
    assert_eq!(atime(&file), first, "and is not, again, within a day");
    mount.remount_with("noatime");
    set_times(&file, spec(1000, 0), spec(2000, 0));
    fs::read(&file).unwrap();
    assert_eq!(atime(&file), (1000, 0), "noatime");
}

#[test]
fn what_a_map_writes_shows_in_the_times() {
    const SCRIPT: &str = "import mmap, os, sys, time
def step(): # of the kernel's clock for the times of files
    coarse = lambda: time.clock_gettime_ns(5)
    before = coarse()
    while coarse() == before: pass
file = os.open(sys.argv[1], os.O_RDWR)
view = mmap.mmap(file, 8192)
for at in (0, 5000):
    os.utime(sys.argv[1], (1000, 1000))
    changed = os.fstat(file).st_ctime_ns
    step()
    view[at] = 1
    view.flush()
    os.fsync(file)
    assert os.fstat(file).st_mtime > 1000 and os.fstat(file).st_ctime_ns > changed, at";
    let mut mount = TestMount::new();
    for options in ["", "no_writeback_cache"] {
        mount.remount_with(options);
        let file = mount.path("file");
        fs::write(&file, [0; 8192]).unwrap();
        let ran = std::process::Command::new("python3").args(["-c", SCRIPT]).arg(&file).status().unwrap();
        assert!(ran.success(), "{options:?}");
        let times = (mtime(&file), ctime(&file));
        mount.remount();
        assert_eq!((mtime(&mount.path("file")), ctime(&mount.path("file"))), times, "{options:?}");
    }
}

/// The kernel does not tell of such reads, but of the open and the close around them.
#[test]
fn reading_what_the_page_cache_holds_is_recorded_too() {
    let mut mount = TestMount::new();
    let file = mount.path("file");
    fs::write(&file, "content").unwrap();
    let written = atime(&file);
    step();
    fs::read(&file).unwrap();
    let first = atime(&file);
    assert!(first > written, "read for the first time since it was written");
    fs::read(&file).unwrap();
    assert_eq!(atime(&file), first, "relatime");
    drop(OpenOptions::new().append(true).open(&file).unwrap());
    assert_eq!(atime(&file), first, "opened for writing");
    mount.remount_with("strictatime");
    assert_eq!(atime(&file), first);
    step();
    fs::read(&file).unwrap();
    let second = atime(&file);
    assert!(second > first, "strictatime");
    step();
    fs::read(&file).unwrap();
    assert!(atime(&file) > second, "strictatime");
    mount.remount_with("ro,strictatime");
    let last = atime(&file);
    step();
    fs::read(&file).unwrap();
    assert_eq!(atime(&file), last, "ro");
}

#[test]
fn nodiratime_is_for_directories_alone() {
    let mut mount = TestMount::new();
    let (dir, file) = (mount.path("dir"), mount.path("dir/file"));
    fs::create_dir(&dir).unwrap();
    fs::write(&file, "").unwrap();
    mount.remount_with("nodiratime");
    let before = (atime(&dir), atime(&file));
    step();
    fs::read_dir(&dir).unwrap().count();
    fs::read(&file).unwrap();
    assert_eq!(atime(&dir), before.0);
    assert!(atime(&file) > before.1);
    mount.remount();
    mount.remount_with("diratime");
    fs::read_dir(&dir).unwrap().count();
    assert!(atime(&dir) > before.0);
}

#[test]
fn modes_survive_a_remount() {
    let mut mount = TestMount::new();
    fs::create_dir(mount.path("dir")).unwrap();
    for (name, mode) in [("one", 0o4755), ("two", 0o0), ("three", 0o2640)] {
        fs::write(mount.path(name), "").unwrap();
        fs::set_permissions(mount.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::set_permissions(mount.path("dir"), fs::Permissions::from_mode(0o3777)).unwrap();
    mount.remount();
    for (name, mode) in [("one", 0o4755), ("two", 0o0), ("three", 0o2640), ("dir", 0o3777)] {
        assert_eq!(fs::metadata(mount.path(name)).unwrap().mode() & 0o7777, mode, "{name}");
    }
}

#[test]
fn statfs_counts_files_and_space() {
    let mount = TestMount::new();
    let before = rustix::fs::statvfs(mount.root()).unwrap();
    let mut file = File::create(mount.path("file")).unwrap();
    file.write_all(&(0..1 << 20).map(|n: u32| (n >> 3) as u8).collect::<Vec<_>>()).unwrap();
    file.sync_all().unwrap();
    let after = rustix::fs::statvfs(mount.root()).unwrap();
    assert_eq!(before.f_ffree - after.f_ffree, 1);
    assert_eq!((before.f_bfree - after.f_bfree) * after.f_bsize, 1 << 20);
    assert_eq!((after.f_bsize, after.f_namemax), (4096, 255));
    drop(file);
    fs::remove_file(mount.path("file")).unwrap();
    let freed = rustix::fs::statvfs(mount.root()).unwrap();
    assert_eq!((freed.f_bfree, freed.f_ffree), (before.f_bfree, before.f_ffree));
}

/// A log that is kept open must not look empty to du(1).
#[test]
fn the_space_of_a_file_that_stays_open_is_shown_after_fsync_and_with_the_commit() {
    let mount = TestMount::new();
    let mut file = File::create(mount.path("log")).unwrap();
    let blocks = || fs::metadata(mount.path("log")).unwrap().blocks() * 512;
    file.write_all(&vec![1; 200_000]).unwrap();
    assert_eq!(blocks(), 0, "the kernel has not sent it");
    file.sync_all().unwrap();
    assert_eq!(blocks().next_multiple_of(4096), 200_000u64.next_multiple_of(4096));
    file.write_all(&vec![2; 200_000]).unwrap();
    rustix::fs::syncfs(&file).unwrap();
    mount.volume().sync().unwrap();
    assert!(eventually(|| blocks() >= 400_000), "{}", blocks());
}
