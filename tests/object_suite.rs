//! The bucket suite against everything that needs no server, and what several processes may do to one
//! folder.

#[path = "common/object_suite.rs"]
mod suite;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hushfs::base::{OsRandom, SystemClock};
use hushfs::object::{
    Bucket, Condition, ErrorKind, Fault, Faulty, FolderBucket, Location, MemoryBucket, Meter, RequestKind,
    Retry, RetryPolicy, Rule, S3Options, open, probe_conditional_writes,
};

use suite::Order;

async fn folder(path: &Path) -> Arc<dyn Bucket> {
    Arc::new(FolderBucket::open(path, Arc::new(SystemClock), Arc::new(OsRandom)).await.unwrap())
}

/// Hardly any waiting, but plenty of patience.
fn retry(inner: Arc<dyn Bucket>) -> Retry {
    let policy = RetryPolicy {
        first_delay: Duration::from_micros(1),
        max_delay: Duration::from_micros(10),
        give_up_after: Duration::from_secs(60),
    };
    Retry::new(inner, policy, Arc::new(SystemClock), Arc::new(OsRandom))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_keeps_its_promises() {
    suite::keeps_its_promises(Arc::new(MemoryBucket::new()), Order::Bytes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_keeps_its_promises() {
    let home = tempfile::tempdir().unwrap();
    suite::keeps_its_promises(folder(home.path()).await, Order::Bytes).await;
    assert!(
        probe_conditional_writes(folder(home.path()).await.as_ref(), &OsRandom).await.unwrap().is_sound()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_stack_keeps_its_promises() {
    let home = tempfile::tempdir().unwrap();
    let faulty = Faulty::new(folder(home.path()).await);
    let meter = Meter::new(Arc::new(faulty));
    let retry = retry(Arc::new(meter.clone())).counting(meter.retries());
    suite::keeps_its_promises(Arc::new(retry), Order::Bytes).await;
    let counted = meter.snapshot();
    assert_eq!((counted.retries, counted.errors > 0), (0, true), "bad keys are errors: {counted:?}");
}

/// Requests fail all the time, before or after they were applied; nobody above may notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retries_keep_the_promises_over_a_bad_line() {
    let faulty = Faulty::new(Arc::new(MemoryBucket::new()));
    faulty.add(Rule::every(5, Fault::LoseReply));
    faulty.add(Rule::every(3, Fault::Refuse(ErrorKind::Transient)));
    let retry = retry(Arc::new(faulty));
    let counter = retry.counter();
    suite::keeps_its_promises(Arc::new(retry), Order::Bytes).await;
    assert!(counter.get() > 100);
}

#[tokio::test]
async fn a_lost_reply_is_found_out_in_a_folder_too() {
    let home = tempfile::tempdir().unwrap();
    let faulty = Faulty::new(folder(home.path()).await);
    faulty.add(Rule::first(1, Fault::LoseReply).on(RequestKind::Put));
    let bucket = retry(Arc::new(faulty));
    bucket.put("a", Bytes::from_static(b"mine"), Condition::CreateOnly).await.unwrap();
}

#[tokio::test]
async fn a_location_opens_as_the_bucket_it_names() {
    let home = tempfile::tempdir().unwrap();
    let location = Location::parse(&format!("file://{}", home.path().display())).unwrap();
    let bucket = open(&location, &S3Options::default()).await.unwrap().bucket;
    assert_eq!(bucket.describe(), location.to_string());
    let missing = Location::Folder(home.path().join("missing"));
    assert_eq!(open(&missing, &S3Options::default()).await.err().unwrap().kind, ErrorKind::NotFound);
}

/// Names the folder in which this binary, started again, is to play one of several machines.
const FOLDER: &str = "HUSHFS_TEST_COUNT_IN_FOLDER";
const STEPS: u64 = 60;

/// One of the processes of the next test; on its own it has nothing to do.
#[tokio::test]
async fn helper_counts_up_in_a_shared_folder() {
    let Some(path) = std::env::var_os(FOLDER) else { return };
    let bucket = folder(Path::new(&path)).await;
    let mut done = 0;
    while done < STEPS {
        let fetched = bucket.get("deep/er/counter", None).await.unwrap();
        let value: u64 = std::str::from_utf8(&fetched.bytes).unwrap().parse().unwrap();
        let next = Bytes::from((value + 1).to_string());
        match bucket.put("deep/er/counter", next, Condition::Matches(fetched.etag)).await {
            Ok(_) => done += 1,
            Err(error) => assert_eq!(error.kind, ErrorKind::Precondition, "{}", error.source),
        }
    }
}

#[tokio::test]
async fn no_update_is_lost_between_processes_that_share_a_folder() {
    let home = tempfile::tempdir().unwrap();
    let bucket = folder(home.path()).await;
    bucket.put("deep/er/counter", Bytes::from_static(b"0"), Condition::CreateOnly).await.unwrap();
    let program = std::env::current_exe().unwrap();
    let processes: Vec<_> = (0..4)
        .map(|_| {
            Command::new(&program)
                .args(["--exact", "helper_counts_up_in_a_shared_folder"])
                .env(FOLDER, home.path())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }
    let counted = bucket.get("deep/er/counter", None).await.unwrap().bytes;
    assert_eq!(counted, Bytes::from((4 * STEPS).to_string()));
}
