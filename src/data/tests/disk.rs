//! The disk cache: restarts, damage, limits, broken disks.

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::PathBuf;

use super::*;
use crate::object::{Bucket, Condition};

const LIMIT: u64 = 64 * MIB as u64;

/// Files of a cache folder, by name.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entries = fs::read_dir(entry.unwrap().path()).unwrap();
        files.extend(entries.map(|entry| entry.unwrap().path()));
    }
    files.sort();
    files
}

fn allocated(folder: &Path) -> u64 {
    files(folder).iter().map(|path| path.metadata().unwrap().blocks() * 512).sum()
}

/// Reads all wants through a fresh store and waits until the cache has written what it got.
async fn read_and_settle(bench: &Bench, wants: &[Want]) -> Vec<Bytes> {
    let store = bench.store();
    let mut chunks = Vec::new();
    for want in wants {
        chunks.extend(store.read(std::slice::from_ref(want)).await.unwrap());
    }
    store.settle_disk();
    chunks
}

#[tokio::test]
async fn a_restart_finds_what_was_fetched_without_asking_the_bucket() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::with_disk(folder.path(), LIMIT);
    let chunks = chunks(6, 30 * KIB);
    let wants = bench.stored(&chunks).await;
    assert_eq!(read_and_settle(&bench, &wants[2..4]).await, chunks[2..4]);
    let gets = bench.gets();

    let store = bench.store();
    store.settle_disk();
    assert_eq!(store.read(&wants[2..4]).await.unwrap(), chunks[2..4]);
    assert_eq!(bench.gets(), gets);
    assert_eq!(store.status().hits_disk, 2);
    assert_eq!(store.status().disk_cache_bytes, allocated(folder.path()));
    // The rest of the file is a hole and is fetched.
    assert_eq!(store.read(&wants).await.unwrap(), chunks);
    assert!(bench.gets() > gets);
}

#[tokio::test]
async fn nobody_else_may_look_into_the_cache_and_it_holds_sealed_bytes_only() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::with_disk(&folder.path().join("cache"), LIMIT);
    let wants = bench.stored(&[Bytes::from(vec![b'p'; 1000])]).await;
    read_and_settle(&bench, &wants).await;
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    let file = files(&folder.path().join("cache")).remove(0);
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    assert!(!fs::read(&file).unwrap().windows(8).any(|window| window == b"pppppppp"));
}

#[tokio::test]
async fn damaged_copies_are_fetched_again() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::with_disk(folder.path(), LIMIT);
    let chunks = chunks(3, 30 * KIB);
    let wants = bench.stored(&chunks).await;
    let frame = wants[0].record.as_ref().unwrap().frame(1).unwrap();
    type Damage<'a> = &'a dyn Fn(&fs::File);
    let damages: [(&str, Damage<'_>); 4] = [
        ("flipped", &|file| file.write_all_at(b"?", frame.start + 100).unwrap()),
        ("cut", &|file| file.set_len(frame.start + 100).unwrap()),
        ("emptied", &|file| file.set_len(0).unwrap()),
        ("zeroed", &|file| file.write_all_at(&[0; 20_000], frame.start).unwrap()),
    ];
    for (what, damage) in damages {
        assert_eq!(read_and_settle(&bench, &wants).await, chunks, "before {what}");
        let gets = bench.gets();
        let path = files(folder.path()).remove(0);
        damage(&fs::File::options().write(true).open(&path).unwrap());
        assert_eq!(read_and_settle(&bench, &wants).await, chunks, "{what}");
        assert!(bench.gets() > gets, "{what} was not noticed");
        let gets = bench.gets();
        assert_eq!(read_and_settle(&bench, &wants).await, chunks, "after {what}");
        assert!(bench.gets() <= gets + 2, "{what} was not repaired");
    }
}

#[tokio::test]
async fn the_limit_holds_at_run_time_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let limit = MIB as u64;
    let mut bench = Bench::with_disk(folder.path(), limit);
    bench.config.segment_bytes = 128 * KIB;
    let chunks = chunks(40, 64 * KIB);
    let wants = bench.stored(&chunks).await;
    assert_eq!(read_and_settle(&bench, &wants).await, chunks);
    assert!(allocated(folder.path()) <= limit);
    assert!(allocated(folder.path()) > limit / 2);
    let newest = wants[39].segment.to_hex();
    assert!(files(folder.path()).iter().any(|path| path.ends_with(&newest)), "the newest stays");

    bench.config.disk_cache = Some((folder.path().to_owned(), limit / 4));
    let store = bench.store();
    store.settle_disk();
    assert!(allocated(folder.path()) <= limit / 4);
    assert_eq!(store.status().disk_cache_bytes, allocated(folder.path()));
}

#[tokio::test]
async fn a_broken_cache_disk_makes_nothing_fail() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let bench = Bench::with_disk(&file.path().join("cache"), LIMIT);
    let chunks = chunks(3, 30 * KIB);
    let wants = bench.stored(&chunks).await;
    assert_eq!(read_and_settle(&bench, &wants).await, chunks);
    assert_eq!(read_and_settle(&bench, &wants).await, chunks);
    assert_eq!(bench.store().status().disk_cache_bytes, 0);
}

#[tokio::test]
async fn whole_objects_come_from_the_disk_until_they_are_evicted() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::with_disk(folder.path(), LIMIT);
    let (id, pack) = (ObjectId([5; 16]), noise(1, 100 * KIB));
    bench.memory.put("tree/05", pack.clone(), Condition::CreateOnly).await.unwrap();
    let store = bench.store();
    let (first, second) =
        tokio::join!(store.fetch_object(id, "tree/05", 1 << 20), store.fetch_object(id, "tree/05", 1 << 20));
    assert_eq!((first.unwrap(), second.unwrap()), (pack.clone(), pack.clone()));
    store.settle_disk();
    assert_eq!(bench.store().fetch_object(id, "tree/05", 1 << 20).await.unwrap(), pack);
    assert_eq!(bench.gets(), 1);
    store.evict(id);
    assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
    assert_eq!(store.fetch_object(id, "tree/05", 1 << 20).await.unwrap(), pack);
    assert_eq!(bench.gets(), 2);
    assert!(bench.store().fetch_object(ObjectId([6; 16]), "tree/06", 1 << 20).await.is_err());
}

#[tokio::test]
async fn what_a_crash_left_unfinished_goes_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::with_disk(folder.path(), LIMIT);
    let sub = folder.path().join("05");
    fs::create_dir(&sub).unwrap();
    fs::write(sub.join(format!("{}.new", ObjectId([5; 16]).to_hex())), b"half").unwrap();
    bench.store().settle_disk();
    assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
}
