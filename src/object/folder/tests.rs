//! What only a folder can get wrong; the rest is in the suite that all backends share.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;

use super::store::{HIDDEN, TEMP_PREFIX};
use super::*;
use crate::base::{OsRandom, SystemClock};

async fn open(path: &Path) -> FolderBucket {
    FolderBucket::open(path, Arc::new(SystemClock), Arc::new(OsRandom)).await.unwrap()
}

async fn bench() -> (TempDir, FolderBucket) {
    let folder = tempfile::tempdir().unwrap();
    let bucket = open(folder.path()).await;
    (folder, bucket)
}

async fn create(bucket: &FolderBucket, key: &str) -> BucketResult<ETag> {
    bucket.put(key, Bytes::from_static(b"body"), Condition::CreateOnly).await
}

async fn keys(bucket: &FolderBucket) -> Vec<String> {
    let page = bucket.list("", None, 1000).await.unwrap();
    page.objects.into_iter().map(|object| object.key).collect()
}

#[tokio::test]
async fn symbolic_links_are_refused_wherever_they_stand() {
    let (folder, bucket) = bench().await;
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), b"secret").unwrap();
    symlink(outside.path(), folder.path().join("way")).unwrap();
    symlink(outside.path().join("secret"), folder.path().join("file")).unwrap();
    for key in ["way/secret", "file"] {
        assert_eq!(bucket.get(key, None).await.unwrap_err().kind, ErrorKind::Invalid, "{key}");
        assert_eq!(bucket.head(key).await.unwrap_err().kind, ErrorKind::Invalid, "{key}");
        assert_eq!(create(&bucket, key).await.unwrap_err().kind, ErrorKind::Invalid, "{key}");
        let overwritten = bucket.put(key, Bytes::new(), Condition::Overwrite).await;
        assert_eq!(overwritten.unwrap_err().kind, ErrorKind::Invalid, "{key}");
        assert_eq!(bucket.delete(&[key.to_owned()]).await.unwrap_err().kind, ErrorKind::Invalid, "{key}");
    }
    assert!(bucket.list("way/", None, 10).await.is_err());
    assert!(keys(&bucket).await.is_empty());
    assert_eq!(fs::read(outside.path().join("secret")).unwrap(), b"secret");
}

#[tokio::test]
async fn hidden_names_are_neither_listed_nor_accepted() {
    let (folder, bucket) = bench().await;
    create(&bucket, "a").await.unwrap();
    fs::write(folder.path().join(".nfs0001"), b"").unwrap();
    assert!(folder.path().join(HIDDEN).is_dir());
    assert_eq!(keys(&bucket).await, ["a"]);
    assert!(bucket.list(".hushfs-bucket/", None, 10).await.unwrap().objects.is_empty());
    for key in [".hushfs-bucket/lock", ".x", "a/.x"] {
        assert_eq!(create(&bucket, key).await.unwrap_err().kind, ErrorKind::Invalid);
    }
}

#[tokio::test]
async fn pipes_and_folders_are_no_objects() {
    let (folder, bucket) = bench().await;
    rustix::fs::mkdirat(rustix::fs::CWD, folder.path().join("folder"), 0o700.into()).unwrap();
    let pipe = folder.path().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert_eq!(bucket.get("folder", None).await.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(bucket.get("pipe", None).await.unwrap_err().kind, ErrorKind::Invalid);
    assert_eq!(create(&bucket, "folder").await.unwrap_err().kind, ErrorKind::Invalid);
    assert!(keys(&bucket).await.is_empty());
}

#[tokio::test]
async fn a_key_below_an_object_is_not_found_and_cannot_be_made() {
    let (_folder, bucket) = bench().await;
    create(&bucket, "a").await.unwrap();
    assert_eq!(bucket.get("a/b", None).await.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(create(&bucket, "a/b").await.unwrap_err().kind, ErrorKind::Invalid);
    bucket.delete(&["a/b".to_owned()]).await.unwrap();
    assert_eq!(keys(&bucket).await, ["a"]);
}

#[tokio::test]
async fn files_and_folders_are_for_their_owner_only() {
    let (folder, bucket) = bench().await;
    create(&bucket, "log/1").await.unwrap();
    bucket.put("log/1", Bytes::new(), Condition::Overwrite).await.unwrap();
    for (path, mode) in [("log/1", 0o600), ("log", 0o700), (HIDDEN, 0o700), (".hushfs-bucket/lock", 0o600)] {
        let found = fs::metadata(folder.path().join(path)).unwrap().permissions().mode();
        assert_eq!(found & 0o777, mode, "{path}");
    }
}

#[tokio::test]
async fn nothing_temporary_stays_behind_and_stale_files_are_cleaned() {
    let (folder, bucket) = bench().await;
    create(&bucket, "a").await.unwrap();
    create(&bucket, "a").await.unwrap_err();
    bucket.put("a", Bytes::new(), Condition::Overwrite).await.unwrap();
    assert_eq!(fs::metadata(folder.path().join("a")).unwrap().nlink(), 1);
    let hidden = folder.path().join(HIDDEN);
    let temporary = |name: &str| hidden.join(format!("{TEMP_PREFIX}{name}"));
    for (name, hours) in [("fresh", 1), ("stale", 25)] {
        let file = fs::File::create(temporary(name)).unwrap();
        let then = SystemClock.now().to_system() - Duration::from_secs(hours * 3600);
        file.set_modified(then).unwrap();
    }
    open(folder.path()).await;
    let mut left: Vec<_> = fs::read_dir(&hidden).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["lock", "put-fresh"]);
}

#[tokio::test]
async fn emptied_folders_go_and_others_stay() {
    let (folder, bucket) = bench().await;
    for key in ["data/1/aa/x", "data/1/bb/y", "data/2/cc/z"] {
        create(&bucket, key).await.unwrap();
    }
    bucket.delete(&["data/1/aa/x".to_owned(), "data/2/cc/z".to_owned()]).await.unwrap();
    assert!(!folder.path().join("data/1/aa").exists() && !folder.path().join("data/2").exists());
    assert_eq!(keys(&bucket).await, ["data/1/bb/y"]);
    bucket.delete(&["data/1/bb/y".to_owned()]).await.unwrap();
    assert!(!folder.path().join("data").exists());
    create(&bucket, "data/1/aa/x").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn creations_survive_deletes_that_remove_their_folders() {
    let (folder, one) = bench().await;
    let other = open(folder.path()).await;
    let deleting = tokio::spawn(async move {
        for round in 0..200 {
            other.delete(&[format!("a/b/{}", round % 7)]).await.unwrap();
        }
    });
    for round in 0..200 {
        let key = format!("a/b/{}", round % 7);
        match create(&one, &key).await {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind, ErrorKind::Precondition, "{}", error.source),
        }
    }
    deleting.await.unwrap();
    create(&one, "a/b/last").await.unwrap();
    assert!(keys(&one).await.contains(&"a/b/last".to_owned()));
}

#[tokio::test]
async fn an_object_replaced_within_a_clock_tick_has_another_etag() {
    let folder = tempfile::tempdir().unwrap();
    let frozen = Arc::new(crate::base::clock::ManualClock::default());
    let bucket = FolderBucket::open(folder.path(), frozen, Arc::new(OsRandom)).await.unwrap();
    let mut seen = std::collections::HashSet::new();
    let mut etag = create(&bucket, "a").await.unwrap();
    for _ in 0..20 {
        assert!(seen.insert(etag.clone()));
        etag = bucket.put("a", Bytes::from_static(b"same"), Condition::Matches(etag)).await.unwrap();
        assert_eq!(bucket.head("a").await.unwrap().etag, etag);
    }
}

#[tokio::test]
async fn a_missing_folder_is_reported_and_only_its_last_part_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new");
    let missing = FolderBucket::open(&path, Arc::new(SystemClock), Arc::new(OsRandom)).await;
    assert_eq!(missing.err().unwrap().kind, ErrorKind::NotFound);
    assert_eq!(FolderBucket::create(&path.join("deeper")).await.unwrap_err().kind, ErrorKind::NotFound);
    FolderBucket::create(&path).await.unwrap();
    FolderBucket::create(&path).await.unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    let bucket = open(&path).await;
    fs::remove_dir_all(&path).unwrap();
    assert_eq!(create(&bucket, "a/b").await.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(bucket.list("", None, 1).await.unwrap_err().kind, ErrorKind::NotFound);
}
