//! A disk of this machine that is full: below the cache folder, where writes wait as well, or below the bucket.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::statvfs;

use crate::cli::Home;

const MIB: usize = 1 << 20;

/// A disk of 48 MiB: a few segments.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(folder: PathBuf) -> Self {
        assert!(rustix::process::geteuid().is_root(), "this test mounts a small disk: run it as root");
        fs::create_dir_all(&folder).unwrap();
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", "size=48m", "small"]).arg(&folder).status().unwrap();
        assert!(mounted.success());
        Self(folder)
    }

    /// Free and all bytes.
    fn space(&self) -> (u64, u64) {
        let disk = statvfs(&self.0).unwrap();
        (disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a failed test may have left the volume mounted, whose cache is here.
        let gone = Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(std::thread::panicking() || gone.unwrap().success());
    }
}

fn read(home: &Home, contents: &[u8]) {
    home.mounted();
    assert!(fs::read(home.mount().join("file")).unwrap() == contents);
}

#[test]
fn a_full_disk_below_the_cache_loses_nothing_and_the_cache_leaves_room_to_others() {
    let home = Home::with_volume();
    let disk = SmallDisk::mount(home.path("cache"));
    let others = disk.0.join("others");
    fill(&others);
    let contents: Vec<u8> =
        (0..80 * MIB as u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    home.mounted();
    fs::write(home.mount().join("file"), &contents).unwrap();
    home.sync();
    home.unmount();
    read(&home, &contents);
    home.unmount();
    let log = home.log();
    assert!(log.contains("disk cache") && log.contains("free some space there"), "{log}");
    assert!(!log.contains("ERROR"), "{log}");

    fs::remove_file(&others).unwrap();
    read(&home, &contents);
    home.unmount();
    let (free, all) = disk.space();
    assert!(free < all - all / 8, "nothing was cached: {free} of {all} bytes are free");
    assert!(free >= all / 25, "{free} of {all} bytes are free");
}

/// It was EIO, which programs take for a broken disk.
#[test]
fn a_full_disk_below_the_bucket_is_no_space_and_goes_on_when_there_is_room() {
    let home = Home::new();
    let disk = SmallDisk::mount(home.bucket_folder());
    let home = home.initialised();
    home.mounted();
    let others = disk.0.join("others");
    fill(&others);
    let mut file = fs::File::create(home.mount().join("file")).unwrap();
    file.write_all(&vec![7; 100_000]).unwrap();
    let full = file.sync_all().unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull, "{full}");
    assert!(home.log().contains("no space: "), "{}", home.log());

    fs::remove_file(&others).unwrap();
    file.sync_all().unwrap();
    drop(file);
    home.unmount();
    read(&home, &[7; 100_000]);
    home.unmount();
}

fn fill(file: &Path) {
    let full = fs::write(file, vec![1; 64 * MIB]).unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
}
