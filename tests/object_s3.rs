//! The bucket suite and the probe against real S3 servers: scripts/servers/with-servers starts them.

#[path = "common/servers.rs"]
mod servers;
#[path = "common/object_suite.rs"]
mod suite;

use std::sync::Arc;

use bytes::Bytes;
use hushfs::base::{ObjectId, OsRandom, SystemClock};
use hushfs::object::lock::{LockTimes, WriterLock};
use hushfs::object::probe::Violation;
use hushfs::object::{
    Bucket, Condition, ErrorKind, LockError, Meter, Retry, RetryPolicy, S3Bucket, S3Options,
    probe_conditional_writes, probe_create_only,
};

use servers::Server;
use suite::Order;

/// A prefix that no other test and no earlier run uses.
fn fresh_prefix(name: &str) -> String {
    format!("{name}/{}", ObjectId::generate(&OsRandom))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_keeps_its_promises() {
    let bucket = Server::seaweedfs().connect(&fresh_prefix("suite")).await;
    suite::keeps_its_promises(bucket, Order::FoldersByBareName).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_stack_over_s3_keeps_its_promises() {
    let meter = Meter::new(Server::seaweedfs().connect(&fresh_prefix("stack")).await);
    let retry = Retry::new(
        Arc::new(meter.clone()),
        RetryPolicy::default(),
        Arc::new(SystemClock),
        Arc::new(OsRandom),
    );
    suite::keeps_its_promises(Arc::new(retry), Order::FoldersByBareName).await;
    let counted = meter.snapshot();
    assert!(counted.puts > 1_100 && counted.bytes_up > 9 << 20 && counted.deletes > 2, "{counted:?}");
}

#[tokio::test]
async fn a_server_that_honours_conditions_passes_the_probe_and_is_left_clean() {
    let bucket = Server::seaweedfs().connect(&fresh_prefix("probe")).await;
    let meter = Meter::new(bucket.clone());
    let cheap = probe_create_only(&meter, &OsRandom).await.unwrap();
    assert!(cheap.is_sound(), "{cheap}");
    assert_eq!(meter.snapshot().requests(), 3);
    let full = probe_conditional_writes(&meter, &OsRandom).await.unwrap();
    assert!(full.is_sound(), "{full}");
    assert!(bucket.list("", None, 10).await.unwrap().objects.is_empty());
}

#[tokio::test]
async fn a_server_that_ignores_conditions_is_found_out() {
    let bucket = Server::careless().connect(&fresh_prefix("probe")).await;
    let cheap = probe_create_only(bucket.as_ref(), &OsRandom).await.unwrap();
    assert_eq!(cheap.violations, [Violation::CreateReplaced]);
    let full = probe_conditional_writes(bucket.as_ref(), &OsRandom).await.unwrap();
    assert_eq!(full.violations, [Violation::CreateReplaced, Violation::StaleMatchAccepted]);
    assert!(bucket.list("", None, 10).await.unwrap().objects.is_empty());
}

#[tokio::test]
async fn a_server_that_ignores_conditions_can_be_locked() {
    let bucket = Server::careless().connect(&fresh_prefix("lock")).await;
    let times = LockTimes { settle: std::time::Duration::ZERO, ..LockTimes::default() };
    let take = |session: [u8; 8], label: &'static str| {
        let session = hushfs::base::SessionId(session);
        WriterLock::acquire(bucket.clone(), Arc::new(SystemClock), times, session, label)
    };
    let anna = take([1; 8], "anna").await.unwrap();
    let refused = take([2; 8], "ben").await.err().unwrap();
    assert!(matches!(&refused, LockError::Held(holder) if holder.label == "anna"), "{refused}");
    anna.refresh().await.unwrap();
    anna.release().await.unwrap();
    take([2; 8], "ben").await.unwrap().release().await.unwrap();
}

#[tokio::test]
async fn prefixes_keep_volumes_apart() {
    let server = Server::seaweedfs();
    let prefix = fresh_prefix("apart");
    let inner = server.connect(&format!("{prefix}/a")).await;
    let outer = server.connect(&prefix).await;
    inner.put("volume", Bytes::from_static(b"x"), Condition::CreateOnly).await.unwrap();
    outer.put("ab", Bytes::from_static(b"y"), Condition::CreateOnly).await.unwrap();
    let listed = |page: hushfs::object::Page| page.objects.into_iter().map(|o| o.key).collect::<Vec<_>>();
    assert_eq!(listed(inner.list("", None, 10).await.unwrap()), ["volume"]);
    assert_eq!(listed(outer.list("", None, 10).await.unwrap()), ["a/volume", "ab"]);
    assert_eq!(inner.describe(), format!("s3://{}/{prefix}/a", server.bucket));
}

#[tokio::test]
async fn a_missing_bucket_is_not_found() {
    let server = Server::seaweedfs();
    let missing = S3Bucket::connect("hushfs-no-such-bucket", "", &server.options()).await.unwrap();
    assert_eq!(missing.list("", None, 1).await.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(missing.get("a", None).await.unwrap_err().kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn a_server_that_is_down_is_passing_trouble() {
    // Port 1 of loopback: nobody listens there.
    let options = S3Options { endpoint_url: Some("http://127.0.0.1:1".into()), ..S3Options::default() };
    let bucket = S3Bucket::connect("hushfs-down", "", &options).await.unwrap();
    let error = bucket.head("a").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Transient, "{}", error.source);
}

#[tokio::test]
async fn without_credentials_access_is_denied_at_once() {
    let server = Server::seaweedfs();
    let options = S3Options { profile: Some("no-such-profile".into()), ..server.options() };
    let bucket = S3Bucket::connect(&server.bucket, "", &options).await.unwrap();
    let error = bucket.list("", None, 1).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Denied, "{}", error.source);
}
