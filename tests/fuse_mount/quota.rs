//! Quotas: refused before anything is accepted, never afterwards.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt};

use rustix::fs::{FallocateFlags, fallocate};

use crate::errno;
use crate::mount::TestMount;

const MIB: u64 = 1 << 20;

/// A mount on which write(2) itself reaches hushfs, with room for a mebibyte.
fn small() -> TestMount {
    let mount = TestMount::with_options("no_writeback_cache");
    mount.volume().set_quota(Some(MIB), None).unwrap();
    mount
}

fn noise(len: u64) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8 | 1).collect()
}

#[test]
fn a_write_over_the_quota_is_refused_and_what_was_accepted_is_stored() {
    let mut mount = small();
    let path = mount.path("f");
    let mut file = File::create(&path).unwrap();
    file.write_all(&noise(MIB)).unwrap();
    assert_eq!(errno(file.write_all(b"x")), libc::ENOSPC);
    file.sync_all().unwrap();
    drop(file);
    mount.remount();
    let kept = fs::read(&path).unwrap();
    assert_eq!((kept.len() as u64, &kept[..4096]), (MIB, &noise(4096)[..]));
}

#[test]
fn a_full_volume_can_be_overwritten_and_emptied() {
    let mount = small();
    let path = mount.path("f");
    fs::write(&path, noise(MIB)).unwrap();
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&noise(300_000), 100).unwrap();
    file.sync_all().unwrap();
    file.write_all_at(&noise(MIB), 0).unwrap();
    file.set_len(MIB / 2).unwrap();
    file.write_all_at(&noise(MIB / 2), MIB / 2).unwrap();
    assert_eq!(errno(file.write_all_at(b"x", MIB)), libc::ENOSPC);
    fs::remove_file(&path).unwrap();
    drop(file);
    assert_eq!(errno(fs::write(mount.path("g"), noise(MIB + 1))), libc::ENOSPC);
    fs::remove_file(mount.path("g")).unwrap();
}

#[test]
fn what_is_allocated_is_never_refused_later() {
    let mut mount = small();
    let path = mount.path("reserved");
    let file = File::create(&path).unwrap();
    fallocate(&file, FallocateFlags::empty(), 0, MIB).unwrap();
    assert_eq!(errno(fs::write(mount.path("other"), b"x")), libc::ENOSPC);
    file.write_all_at(&noise(MIB), 0).unwrap();
    file.set_len(MIB / 2).unwrap();
    file.set_len(4 * MIB).unwrap();
    let over = fallocate(&file, FallocateFlags::KEEP_SIZE, 0, 4 * MIB);
    assert_eq!(over.unwrap_err().raw_os_error(), libc::ENOSPC);
    file.sync_all().unwrap();
    drop(file);
    mount.remount();
    assert_eq!(&fs::read(&path).unwrap()[..MIB as usize / 2], &noise(MIB / 2)[..]);
}

#[test]
fn filling_a_hole_is_growth() {
    let mount = small();
    let file = File::create(mount.path("sparse")).unwrap();
    file.set_len(100 * MIB).unwrap();
    file.write_all_at(&noise(MIB), 50 * MIB).unwrap();
    assert_eq!(errno(file.write_all_at(b"x", MIB)), libc::ENOSPC);
    file.sync_all().unwrap();
    assert_eq!(errno(file.write_all_at(b"x", MIB)), libc::ENOSPC);
    assert_eq!(file.metadata().unwrap().blocks() * 512, MIB);
}

#[test]
fn what_the_kernel_cached_over_the_quota_is_reported_by_fsync() {
    let mount = TestMount::new();
    mount.volume().set_quota(Some(MIB), None).unwrap();
    let mut file = File::create(mount.path("f")).unwrap();
    let written = file.write_all(&noise(4 * MIB)).and_then(|()| file.sync_all());
    assert_eq!(errno(written), libc::ENOSPC);
}

#[test]
fn who_only_writes_on_hears_of_a_full_volume_from_a_later_write_and_goes_on_when_there_is_room() {
    let mount = TestMount::new();
    mount.volume().set_quota(Some(MIB), None).unwrap();
    let (folder, path) = (File::open(mount.path("")).unwrap(), mount.path("f"));
    let mut file = File::create(&path).unwrap();
    for _ in 0..2 {
        let heard = file.write_all(&noise(4 * MIB)).and_then(|()| {
            // The kernel writes back when it likes; here it is asked to.
            rustix::fs::syncfs(&folder).unwrap_err();
            assert!(file.metadata().is_ok() && fs::metadata(&path).is_ok());
            file.write_all(b"x")
        });
        assert_eq!(errno(heard), libc::ENOSPC);
    }
    file.set_len(0).unwrap();
    assert_eq!(errno(file.sync_all()), libc::ENOSPC, "what was lost is still reported");
    file.write_all_at(&noise(1000), 0).unwrap();
    file.sync_all().unwrap();
    assert_eq!(fs::read(&path).unwrap(), noise(1000));
}

#[test]
fn bytes_that_were_accepted_are_stored_whatever_the_quota_has_become() {
    let mut mount = TestMount::with_options("no_writeback_cache");
    let path = mount.path("accepted");
    let mut file = File::create(&path).unwrap();
    file.write_all(&noise(MIB)).unwrap();
    // They are dirty: this commit turns them into an operation, over the quota that it sets.
    mount.volume().set_quota(Some(4096), Some(1)).unwrap();
    file.sync_all().unwrap();
    assert_eq!(errno(file.write_all(b"x")), libc::ENOSPC);
    drop(file);
    mount.remount();
    assert_eq!(fs::read(&path).unwrap(), noise(MIB));
}

#[test]
fn a_quota_that_another_machine_lowers_refuses_nothing_accepted_here() {
    let mut mount = TestMount::with_options("no_writeback_cache");
    let path = mount.path("accepted");
    let mut file = File::create(&path).unwrap();
    file.write_all(&noise(MIB)).unwrap();
    mount.other_machine().set_quota(Some(4096), Some(1)).unwrap();
    file.sync_all().unwrap();
    assert_eq!(errno(file.write_all(b"x")), libc::ENOSPC);
    drop(file);
    mount.remount();
    assert_eq!(fs::read(&path).unwrap(), noise(MIB));
}

#[test]
fn a_shared_copy_counts_and_ends_where_the_quota_does() {
    let mount = small();
    let half = MIB / 2 + 100;
    fs::write(mount.path("source"), noise(half)).unwrap();
    let source = File::open(mount.path("source")).unwrap();
    let target = File::create(mount.path("target")).unwrap();
    let copied = rustix::fs::copy_file_range(&source, None, &target, None, half as usize);
    let copied = copied.map_or(0, |copied| copied as u64);
    assert!(copied < half, "{copied}");
    let used = mount.volume().status().allocated;
    assert!(used <= MIB, "{used}");
}

#[test]
fn files_over_the_quota_are_refused_by_every_call_that_makes_one() {
    let mount = TestMount::new();
    mount.volume().set_quota(None, Some(3)).unwrap();
    fs::write(mount.path("a"), "").unwrap();
    fs::create_dir(mount.path("b")).unwrap();
    assert_eq!(errno(File::create(mount.path("c"))), libc::ENOSPC);
    assert_eq!(errno(fs::create_dir(mount.path("c"))), libc::ENOSPC);
    assert_eq!(errno(std::os::unix::fs::symlink("a", mount.path("c"))), libc::ENOSPC);
    fs::hard_link(mount.path("a"), mount.path("c")).unwrap();
    fs::remove_dir(mount.path("b")).unwrap();
    fs::create_dir(mount.path("b")).unwrap();
}

#[test]
fn df_shows_the_quota_and_counts_what_is_on_its_way() {
    let mount = small();
    mount.volume().set_quota(None, Some(10)).unwrap();
    let mut file = File::create(mount.path("f")).unwrap();
    file.write_all(&noise(MIB / 4)).unwrap();
    let before = rustix::fs::statvfs(mount.root()).unwrap();
    file.sync_all().unwrap();
    let after = rustix::fs::statvfs(mount.root()).unwrap();
    for shown in [before, after] {
        assert_eq!(shown.f_blocks * shown.f_frsize, MIB);
        assert_eq!(shown.f_bavail * shown.f_frsize, MIB / 4 * 3);
        assert_eq!((shown.f_files, shown.f_ffree), (10, 8));
    }
}
