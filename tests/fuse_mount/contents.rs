//! Bytes: reading, writing, holes, sharing.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::process::Command;

use rustix::fs::{FallocateFlags, SeekFrom, copy_file_range, fallocate, seek, statvfs};

use crate::mount::TestMount;
use crate::{errno, rustix_errno};

const CHUNK: u64 = 65536;

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n % 251) as u8).collect()
}

fn read_write(path: impl AsRef<std::path::Path>) -> File {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).unwrap()
}

#[test]
fn what_was_written_is_read_back_here_and_after_a_remount() {
    let mut mount = TestMount::new();
    let content = pattern(5_000_000);
    fs::create_dir(mount.path("dir")).unwrap();
    fs::write(mount.path("dir/file"), &content).unwrap();
    assert_eq!(fs::read(mount.path("dir/file")).unwrap(), content);
    mount.remount();
    assert_eq!(fs::read(mount.path("dir/file")).unwrap(), content);
}

#[test]
fn random_writes_land_where_they_belong() {
    let mut mount = TestMount::new();
    let mut model = vec![0u8; 400_000];
    let file = read_write(mount.path("file"));
    file.set_len(model.len() as u64).unwrap();
    let mut state = 12345u64;
    for _ in 0..300 {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let at = (state >> 33) as usize % (model.len() - 10_000);
        let len = (state >> 20) as usize % 10_000;
        let byte = (state >> 56) as u8;
        file.write_all_at(&vec![byte; len], at as u64).unwrap();
        model[at..at + len].fill(byte);
    }
    drop(file);
    assert!(fs::read(mount.path("file")).unwrap() == model);
    mount.remount();
    assert!(fs::read(mount.path("file")).unwrap() == model);
}

#[test]
fn appends_of_two_handles_do_not_overwrite_each_other() {
    let mount = TestMount::new();
    let open = || OpenOptions::new().append(true).create(true).open(mount.path("log")).unwrap();
    let (mut one, mut two) = (open(), open());
    for _ in 0..50 {
        one.write_all(b"one\n").unwrap();
        two.write_all(b"two\n").unwrap();
    }
    let text = fs::read_to_string(mount.path("log")).unwrap();
    assert_eq!(text.lines().filter(|line| *line == "one").count(), 50);
    assert_eq!(text.lines().filter(|line| *line == "two").count(), 50);
}

#[test]
fn appends_work_without_write_back_caching_too() {
    let mount = TestMount::with_options("no_writeback_cache");
    let open = || OpenOptions::new().append(true).create(true).open(mount.path("log")).unwrap();
    let (mut one, mut two) = (open(), open());
    one.write_all(b"one").unwrap();
    two.write_all(b"two").unwrap();
    assert_eq!(fs::read(mount.path("log")).unwrap(), b"onetwo");
}

#[test]
fn direct_io_and_cached_io_see_each_other() {
    let mount = TestMount::new();
    fs::write(mount.path("file"), vec![1; 8192]).unwrap();
    let direct = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_DIRECT)
        .open(mount.path("file"))
        .unwrap();
    let mut cached = read_write(mount.path("file"));
    direct.write_all_at(&[2; 4096], 4096).unwrap();
    let mut seen = Vec::new();
    cached.read_to_end(&mut seen).unwrap();
    assert_eq!((seen[4095], seen[4096], seen.len()), (1, 2, 8192));
    cached.write_all_at(&[3; 4096], 0).unwrap();
    let mut block = [0; 4096];
    direct.read_exact_at(&mut block, 0).unwrap();
    assert_eq!(block, [3; 4096]);
}

#[test]
fn truncation_cuts_and_what_grows_back_is_zeros() {
    let mut mount = TestMount::new();
    fs::write(mount.path("file"), pattern(200_000)).unwrap();
    let file = read_write(mount.path("file"));
    file.set_len(100_000).unwrap();
    file.set_len(150_000).unwrap();
    drop(file);
    mount.remount();
    let mut expected = pattern(100_000);
    expected.resize(150_000, 0);
    assert!(fs::read(mount.path("file")).unwrap() == expected);
    File::create(mount.path("file")).unwrap();
    assert_eq!(fs::metadata(mount.path("file")).unwrap().len(), 0);
}

#[test]
fn files_reach_16_tib_and_no_further() {
    let mount = TestMount::new();
    let file = read_write(mount.path("huge"));
    file.set_len(1 << 44).unwrap();
    file.write_all_at(b"end", (1 << 44) - 3).unwrap();
    file.sync_all().unwrap();
    assert_eq!(errno(file.set_len((1 << 44) + 1)), libc::EFBIG);
    let mut end = [0; 4];
    assert_eq!(file.read_at(&mut end, (1 << 44) - 4).unwrap(), 4);
    assert_eq!(&end, b"\0end");
    assert!(file.metadata().unwrap().blocks() * 512 <= CHUNK);
}

#[test]
fn a_copy_that_reaches_beyond_16_tib_ends_there() {
    let mount = TestMount::new();
    let (source, target) = (read_write(mount.path("source")), read_write(mount.path("target")));
    source.write_all_at(b"0123456789", 0).unwrap();
    let (mut from, mut to) = (0, (1 << 44) - 4);
    assert_eq!(copy_file_range(&source, Some(&mut from), &target, Some(&mut to), 10).unwrap(), 4);
    assert_eq!(target.metadata().unwrap().len(), 1 << 44);
    let (mut from, mut to) = (0, 1 << 44);
    let beyond = copy_file_range(&source, Some(&mut from), &target, Some(&mut to), 10);
    assert_eq!(rustix_errno(beyond), libc::EFBIG);
}

/// As on a disk; there are programs that take all the room there is.
#[test]
fn all_that_df_shows_as_free_can_be_allocated_to_one_file() {
    let mount = TestMount::new();
    let file = read_write(mount.path("file"));
    let shown = statvfs(mount.root()).unwrap();
    fallocate(&file, FallocateFlags::empty(), 0, shown.f_bavail * shown.f_frsize).unwrap();
    assert_eq!(file.metadata().unwrap().len(), shown.f_bavail * shown.f_frsize);
    let twice = fallocate(&file, FallocateFlags::KEEP_SIZE, 0, 2 * shown.f_blocks * shown.f_frsize + 1);
    assert_eq!(rustix_errno(twice), libc::ENOSPC);
}

#[test]
fn more_than_df_shows_as_free_cannot_be_allocated() {
    let mount = TestMount::new();
    let file = read_write(mount.path("file"));
    for flags in [FallocateFlags::empty(), FallocateFlags::KEEP_SIZE] {
        assert_eq!(rustix_errno(fallocate(&file, flags, 0, 1 << 52)), libc::ENOSPC);
    }
    assert_eq!(file.metadata().unwrap().len(), 0);
}

/// Found with generic/568 and generic/701 of xfstests.
#[test]
fn what_is_allocated_counts_as_used_and_grows_no_more_when_it_is_written() {
    let mut mount = TestMount::new();
    let path = mount.path("file");
    let blocks = |file: &File| file.metadata().unwrap().blocks();
    let file = read_write(&path);
    fallocate(&file, FallocateFlags::empty(), CHUNK - 1, 2).unwrap();
    let allocated = blocks(&file);
    assert_eq!(allocated, (CHUNK + 1).div_ceil(512));
    file.write_all_at(b"ab", CHUNK - 1).unwrap();
    drop(file);
    assert_eq!(fs::metadata(&path).unwrap().blocks(), allocated);

    let file = read_write(&path);
    fallocate(&file, FallocateFlags::empty(), 0, 100 * CHUNK).unwrap();
    file.set_len(50 * CHUNK).unwrap();
    // What was written before keeps its length: the end of the second chunk was one byte.
    let expected = (49 * CHUNK + 1).div_ceil(512);
    assert_eq!(blocks(&file), expected);
    fallocate(&file, FallocateFlags::KEEP_SIZE, 0, 80 * CHUNK).unwrap();
    assert_eq!((blocks(&file), file.metadata().unwrap().len()), (expected, 50 * CHUNK));
    drop(file);
    mount.remount();
    assert_eq!(fs::metadata(&path).unwrap().blocks(), expected);
    let mut content = vec![0; 50 * CHUNK as usize];
    content[CHUNK as usize - 1..=CHUNK as usize].copy_from_slice(b"ab");
    assert!(fs::read(&path).unwrap() == content);
}

#[test]
fn allocating_takes_the_holes_among_written_bytes_and_leaves_those() {
    let mut mount = TestMount::new();
    let path = mount.path("file");
    let file = read_write(&path);
    file.set_len(8 * CHUNK).unwrap();
    file.write_all_at(&pattern(CHUNK as usize), 2 * CHUNK).unwrap();
    file.sync_all().unwrap();
    file.write_all_at(&pattern(CHUNK as usize), 5 * CHUNK).unwrap();
    fallocate(&file, FallocateFlags::KEEP_SIZE, CHUNK, 100 * CHUNK).unwrap();
    assert_eq!(file.metadata().unwrap().blocks(), 7 * CHUNK / 512);
    let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    fallocate(&file, punch, 3 * CHUNK, CHUNK).unwrap();
    assert_eq!(file.metadata().unwrap().blocks(), 6 * CHUNK / 512);
    drop(file);
    mount.remount();
    let mut content = vec![0; 8 * CHUNK as usize];
    for chunk in [2, 5] {
        content[chunk * CHUNK as usize..][..CHUNK as usize].copy_from_slice(&pattern(CHUNK as usize));
    }
    assert!(fs::read(&path).unwrap() == content);
}

/// Each allocated chunk is a record: a range of terabytes must not fill the memory with them.
#[test]
fn of_a_very_long_range_the_beginning_is_allocated() {
    let mount = TestMount::new();
    let file = read_write(mount.path("file"));
    fallocate(&file, FallocateFlags::empty(), 0, 1 << 40).unwrap();
    let metadata = file.metadata().unwrap();
    assert_eq!((metadata.len(), metadata.blocks()), (1 << 40, (8 << 30) / 512));
}

#[test]
fn holes_are_as_fine_as_the_block_size_that_stat_shows() {
    let mount = TestMount::new();
    let file = read_write(mount.path("file"));
    let block = file.metadata().unwrap().blksize();
    file.write_all_at(&vec![1; block as usize], block).unwrap();
    file.write_all_at(&vec![1; block as usize], 3 * block).unwrap();
    for (at, hole, data) in [(0, 0, 1), (1, 2, 1), (2, 2, 3), (3, 4, 3)] {
        assert_eq!(seek(&file, SeekFrom::Hole(at * block)).unwrap(), hole * block, "hole from {at}");
        assert_eq!(seek(&file, SeekFrom::Data(at * block)).unwrap(), data * block, "data from {at}");
    }
}

#[test]
fn data_and_holes_are_found_even_in_what_the_kernel_has_not_written_back() {
    let mount = TestMount::new();
    let file = read_write(mount.path("sparse"));
    file.write_all_at(&pattern(10_000), 16 * CHUNK).unwrap();
    file.set_len(32 * CHUNK).unwrap();
    for _ in 0..2 {
        assert_eq!(seek(&file, SeekFrom::Data(0)).unwrap(), 16 * CHUNK);
        let hole = seek(&file, SeekFrom::Hole(16 * CHUNK)).unwrap();
        assert!((16 * CHUNK + 10_000..=17 * CHUNK).contains(&hole), "{hole}");
        assert_eq!(rustix_errno(seek(&file, SeekFrom::Data(20 * CHUNK))), libc::ENXIO);
        assert_eq!(seek(&file, SeekFrom::Hole(20 * CHUNK)).unwrap(), 20 * CHUNK);
        assert_eq!(rustix_errno(seek(&file, SeekFrom::Hole(32 * CHUNK))), libc::ENXIO);
        file.sync_all().unwrap();
    }
}

/// Found by scripts/exercise: a map has written pages in the kernel whoever caches writes.
#[test]
fn what_a_map_wrote_is_data_without_write_back_caching_too() {
    const SCRIPT: &str = "
import mmap, os, sys
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.ftruncate(file, 300000)
view = mmap.mmap(file, 300000)
view[140000:140004] = b'data'
assert os.lseek(file, 0, os.SEEK_DATA) in range(1, 140001)
";
    for options in ["", "no_writeback_cache"] {
        let mount = TestMount::with_options(options);
        let output = Command::new("python3").args(["-c", SCRIPT]).arg(mount.path("file")).output().unwrap();
        assert!(output.status.success(), "{options}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn fallocate_punches_zeroes_and_extends() {
    let mount = TestMount::new();
    let content = pattern(4 * CHUNK as usize);
    fs::write(mount.path("file"), &content).unwrap();
    let file = read_write(mount.path("file"));
    let blocks = file.metadata().unwrap().blocks();
    let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    fallocate(&file, punch, 1000, 2 * CHUNK).unwrap();
    let mut expected = content.clone();
    expected[1000..1000 + 2 * CHUNK as usize].fill(0);
    assert!(fs::read(mount.path("file")).unwrap() == expected);
    assert!(file.metadata().unwrap().blocks() < blocks);
    fallocate(&file, FallocateFlags::ZERO_RANGE, 4 * CHUNK - 100, 200).unwrap();
    expected.resize(4 * CHUNK as usize + 100, 0);
    expected[4 * CHUNK as usize - 100..].fill(0);
    assert!(fs::read(mount.path("file")).unwrap() == expected);
    fallocate(&file, FallocateFlags::empty(), 0, 5 * CHUNK).unwrap();
    assert_eq!(file.metadata().unwrap().len(), 5 * CHUNK);
    fallocate(&file, FallocateFlags::KEEP_SIZE, 0, 9 * CHUNK).unwrap();
    assert_eq!(file.metadata().unwrap().len(), 5 * CHUNK);
}

#[test]
fn copy_file_range_copies_also_what_is_not_written_back() {
    let mut mount = TestMount::new();
    let content = pattern(300_000);
    let source = read_write(mount.path("source"));
    source.write_all_at(&content, 0).unwrap();
    let target = read_write(mount.path("target"));
    let (mut from, mut to) = (0, 0);
    while from < 300_000 {
        let rest = 300_000 - from as usize;
        assert!(copy_file_range(&source, Some(&mut from), &target, Some(&mut to), rest).unwrap() > 0);
    }
    drop((source, target));
    mount.remount();
    assert!(fs::read(mount.path("target")).unwrap() == content);
}

/// The kernel cuts what is asked for at 2 GiB less a page.
#[test]
fn a_long_copy_shares_the_chunks_at_which_the_kernel_cuts_it() {
    let mount = TestMount::new();
    let (size, cut) = (3 << 30, (2 << 30) - CHUNK);
    let source = read_write(mount.path("source"));
    source.write_all_at(&pattern(3 * CHUNK as usize), cut - CHUNK).unwrap();
    source.set_len(size).unwrap();
    source.sync_all().unwrap();
    let unsent = || mount.volume().status().dirty_bytes + mount.volume().data().backlog();
    assert_eq!(unsent(), 0);
    let target = read_write(mount.path("target"));
    let (mut from, mut to) = (0, 0);
    assert_eq!(
        copy_file_range(&source, Some(&mut from), &target, Some(&mut to), 1 << 40).unwrap() as u64,
        cut
    );
    while from < size {
        assert!(copy_file_range(&source, Some(&mut from), &target, Some(&mut to), 1 << 40).unwrap() > 0);
    }
    assert_eq!(unsent(), 0, "nothing but shared chunks");
    let mut copied = vec![0; 3 * CHUNK as usize];
    target.read_exact_at(&mut copied, cut - CHUNK).unwrap();
    assert!(copied == pattern(3 * CHUNK as usize));
}

#[test]
fn what_is_copied_or_allocated_through_o_sync_is_in_the_bucket() {
    let mount = TestMount::new();
    fs::write(mount.path("source"), pattern(200_000)).unwrap();
    let source = File::open(mount.path("source")).unwrap();
    let commits = || mount.volume().status().seq;
    for flags in [libc::O_SYNC, libc::O_DSYNC] {
        let mut open = OpenOptions::new();
        let target = open.write(true).create(true).custom_flags(flags).open(mount.path("target")).unwrap();
        target.sync_all().unwrap();
        let before = commits();
        copy_file_range(&source, Some(&mut 0), &target, Some(&mut 0), 200_000).unwrap();
        assert_eq!(commits(), before + 1, "{flags:o}");
        fallocate(&target, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, 0, CHUNK).unwrap();
        assert_eq!(commits(), before + 2, "{flags:o}");
    }
}

#[test]
fn locks_work_among_handles() {
    let mount = TestMount::new();
    let one = read_write(mount.path("lock"));
    let two = read_write(mount.path("lock"));
    one.lock().unwrap();
    assert!(two.try_lock().is_err());
    one.unlock().unwrap();
    two.try_lock().unwrap();
}
