//! The second opinion: Ceph's gateway, which was made by other people than SeaweedFS, and beneath which objects can be
//! damaged. scripts/servers/with-servers starts it.

#[path = "common/cli.rs"]
mod cli;
#[path = "common/servers.rs"]
mod servers;
#[path = "common/object_suite.rs"]
mod suite;

use std::fs;
use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use hushfs::base::{ObjectId, OsRandom};
use hushfs::object::{
    Bucket, Condition, ErrorKind, S3Bucket, S3Options, TransportOptions, probe_conditional_writes,
};

use cli::{Home, Ran};
use servers::Server;
use suite::Order;

/// The pool in which the gateway keeps what is in objects.
const POOL: &str = "default.rgw.buckets.data";

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run scripts/servers/with-servers"))
}

fn fresh_prefix(name: &str) -> String {
    format!("{name}/{}", ObjectId::generate(&OsRandom))
}

/// A home whose bucket is a prefix of Ceph's that no other test uses.
fn home_at(endpoint: String) -> (Home, String) {
    let prefix = fresh_prefix("mount");
    (Home::with_bucket(format!("s3://{}/{prefix}", Server::ceph().bucket), Some(endpoint)), prefix)
}

fn run(home: &Home, words: &[&str], code: i32) -> Ran {
    home.hushfs(words).arg("--ca-bundle").arg(variable("HUSHFS_TEST_CEPH_CA")).pass().expect(code)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ceph_keeps_the_promises_of_a_bucket() {
    let bucket = Server::ceph().connect(&fresh_prefix("suite")).await;
    suite::keeps_its_promises(bucket, Order::Bytes).await;
}

#[tokio::test]
async fn ceph_honours_conditional_writes() {
    let bucket = Server::ceph().connect(&fresh_prefix("conditions")).await;
    let probe = probe_conditional_writes(bucket.as_ref(), &OsRandom).await.unwrap();
    assert!(probe.is_sound(), "{probe}");
    let first = bucket.put("key", Bytes::from_static(b"first"), Condition::CreateOnly).await.unwrap();
    let second = bucket.put("key", Bytes::from_static(b"second"), Condition::CreateOnly).await.unwrap_err();
    assert_eq!(second.kind, ErrorKind::Precondition);
    bucket.put("key", Bytes::from_static(b"third"), Condition::Matches(first.clone())).await.unwrap();
    let stale =
        bucket.put("key", Bytes::from_static(b"fourth"), Condition::Matches(first)).await.unwrap_err();
    assert_eq!(stale.kind, ErrorKind::Precondition);
    assert_eq!(&bucket.get("key", None).await.unwrap().bytes[..], b"third");
}

/// Makes a volume with `kind` over TLS, writes, and reads it on a new machine.
fn is_used_with(kind: &str) -> (Home, String) {
    let (home, prefix) = home_at(variable("HUSHFS_TEST_CEPH_TLS_ENDPOINT"));
    let (bucket, mount) = (home.bucket(), home.mount_str());
    run(&home, &["init", "--kdf", "minimum", "--sse", kind, &bucket], 0);
    run(&home, &["mount", &bucket, &mount], 0);
    fs::write(home.mount().join("file"), vec![7; 300_000]).unwrap();
    home.sync();
    assert_eq!(home.status()["encryption"]["asked"], kind);
    home.unmount();
    home.forget();
    run(&home, &["mount", &bucket, &mount], 0);
    assert_eq!(fs::read(home.mount().join("file")).unwrap(), vec![7; 300_000]);
    home.unmount();
    run(&home, &["fsck", "--data", &bucket], 0);
    (home, prefix)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn customer_keys_work_over_https_and_ceph_refuses_them_over_http() {
    let (home, _) = is_used_with("customer");
    // Ours refuses before a byte is sent; that the server does so as well is seen with a client that does not.
    let plain = Home::with_bucket(home.bucket(), Some(Server::ceph().endpoint));
    plain.hushfs(["mount", &plain.bucket(), &plain.mount_str()]).pass().expect(18);
    let shared = aws_config::defaults(aws_config::BehaviorVersion::latest())
        .endpoint_url(Server::ceph().endpoint)
        .load()
        .await;
    let config = aws_sdk_s3::config::Builder::from(&shared)
        .force_path_style(true)
        .request_checksum_calculation(aws_sdk_s3::config::RequestChecksumCalculation::WhenRequired)
        .build();
    let put = || {
        let key = fresh_prefix("http");
        aws_sdk_s3::Client::from_conf(config.clone()).put_object().bucket(Server::ceph().bucket).key(key)
    };
    put().send().await.unwrap();
    let with_key = put()
        .sse_customer_algorithm("AES256")
        .sse_customer_key("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
        .sse_customer_key_md5("cLyPS3KoaSFGi/joRB3OUQ==");
    let refused = with_key.send().await.unwrap_err();
    assert_eq!(refused.raw_response().map(|answer| answer.status().as_u16()), Some(400), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kms_keys_of_cephs_configuration_encrypt_and_others_are_refused() {
    let (_home, prefix) = is_used_with("kms:testkey-1");
    let options = S3Options {
        endpoint_url: Some(variable("HUSHFS_TEST_CEPH_TLS_ENDPOINT")),
        transport: TransportOptions {
            ca_bundle: Some(variable("HUSHFS_TEST_CEPH_CA").into()),
            ..TransportOptions::default()
        },
        ..S3Options::default()
    };
    let stranger = S3Bucket::connect(&Server::ceph().bucket, &prefix, &options).await.unwrap();
    let listed = stranger.list("", None, 1000).await.unwrap().objects;
    assert!(listed.len() >= 4);
    for object in listed {
        let said = stranger.head(&object.key).await.unwrap().encryption.to_string();
        assert_eq!(said, "aws:kms, key testkey-1", "{}", object.key);
    }
    let (home, _) = home_at(variable("HUSHFS_TEST_CEPH_TLS_ENDPOINT"));
    let refused = home
        .hushfs(["init", "--kdf", "minimum", "--sse", "kms:no-such-key", &home.bucket()])
        .arg("--ca-bundle")
        .arg(variable("HUSHFS_TEST_CEPH_CA"))
        .pass()
        .run();
    assert_ne!(refused.code, 0, "{}", refused.out);
}

/// Denying SSE-C by a `Null` that is `false` denied every write there: Ceph reads each `Null` as `true`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_a_policy_on_ceph_hushfs_writes_and_plain_clients_do_not() {
    let kind = "kms:testkey-1";
    let (home, prefix) = home_at(variable("HUSHFS_TEST_CEPH_TLS_ENDPOINT"));
    let (url, mount) = (home.bucket(), home.mount_str());
    let demands = ["--require-tls", "--require-sse", kind, "--deny-sse-c", "--apply", "--yes"];
    let apply = [&["bucket", "policy", &url], &demands[..]].concat();
    home.hushfs(apply).arg("--ca-bundle").arg(variable("HUSHFS_TEST_CEPH_CA")).expect(0);
    run(&home, &["init", "--kdf", "minimum", "--sse", kind, &url], 0);
    run(&home, &["mount", &url, &mount], 0);
    fs::write(home.mount().join("file"), vec![7; 300_000]).unwrap();
    home.sync();
    home.unmount();
    let plain = Server::ceph().connect(&prefix).await;
    for refused in [
        plain.put("stray", Bytes::from_static(b"plain"), Condition::Overwrite).await.map(drop),
        plain.get("volume", None).await.map(drop),
        plain.list("log/", None, 10).await.map(drop),
    ] {
        assert_eq!(refused.unwrap_err().kind, ErrorKind::Denied);
    }
    let remove = ["bucket", "policy", &url, "--remove", "--yes"];
    home.hushfs(remove).arg("--ca-bundle").arg(variable("HUSHFS_TEST_CEPH_CA")).expect(0);
    plain.list("log/", None, 10).await.unwrap();

    // Ceph 16 enforces that AES256 is asked for, and does nothing about it: then the header stays as it is.
    let (home, _) = home_at(variable("HUSHFS_TEST_CEPH_TLS_ENDPOINT"));
    let url = home.bucket();
    run(&home, &["init", "--kdf", "minimum", &url], 0);
    let ca = variable("HUSHFS_TEST_CEPH_CA");
    let demand = ["bucket", "policy", &url, "--require-sse", "s3", "--apply", "--yes", "--ca-bundle", &ca];
    home.hushfs(demand).expect(0);
    home.secret("new", b"another good passphrase 99\n");
    let new = home.path("new");
    let refused = run(&home, &["key", "passwd", &url, "--new-passphrase-file", new.to_str().unwrap()], 18);
    assert!(refused.err.contains("nothing was changed"), "{}", refused.err);
    run(&home, &["fsck", &url], 0);
    home.hushfs(["bucket", "policy", &url, "--remove", "--yes", "--ca-bundle", &ca]).expect(0);
}

/// Ceph answers the question with a list of the bucket: that is no damage, and nothing to restore from a copy.
#[test]
fn a_server_without_default_encryption_is_not_called_damaged() {
    let (home, _) = home_at(variable("HUSHFS_TEST_CEPH_TLS_ENDPOINT"));
    let asked = home.hushfs(["bucket", "encryption", &home.bucket()]);
    let refused = asked.arg("--ca-bundle").arg(variable("HUSHFS_TEST_CEPH_CA")).expect(1);
    assert!(refused.err.contains("does not seem to know"), "{}", refused.err);
}

/// Ceph copies what is not encrypted and leaves it so, whatever the request asks for; it refuses to copy what is.
#[test]
fn a_volume_moves_through_every_kind_although_ceph_does_not_hear_what_a_copy_asks_for() {
    let (home, _) = home_at(variable("HUSHFS_TEST_CEPH_TLS_ENDPOINT"));
    run(&home, &["init", "--kdf", "minimum", &home.bucket()], 0);
    run(&home, &["mount", &home.bucket(), &home.mount_str()], 0);
    fs::write(home.mount().join("file"), vec![7; 300_000]).unwrap();
    home.unmount();
    for kind in ["kms:testkey-1", "customer", "bucket", "customer", "kms:testkey-2", "bucket"] {
        let words = ["bucket", "reencrypt", &home.bucket(), "--sse", kind, "--yes"];
        run(&home, &words, 0);
        let again = run(&home, &words, 0);
        assert!(again.out.contains("moved 0 objects"), "{kind}: {}", again.out);
        home.forget();
        run(&home, &["mount", &home.bucket(), &home.mount_str()], 0);
        assert_eq!(fs::read(home.mount().join("file")).unwrap(), vec![7; 300_000], "{kind}");
        home.unmount();
    }
}

/// rados(8) on the pool beneath the gateway.
fn rados(words: &[&str]) -> Vec<u8> {
    let output = Command::new("rados")
        .args(["-c", &variable("HUSHFS_TEST_CEPH_CONF"), "-p", POOL])
        .args(words)
        .output()
        .unwrap();
    assert!(output.status.success(), "rados {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The objects beneath those of the volume whose key starts with `kind`.
fn beneath(prefix: &str, kind: &str) -> Vec<String> {
    let listed = String::from_utf8(rados(&["ls"])).unwrap();
    let wanted = format!("_{prefix}/{kind}");
    let found: Vec<String> =
        listed.lines().filter(|name| name.contains(&wanted)).map(str::to_owned).collect();
    assert!(!found.is_empty(), "nothing lies beneath {wanted}: {listed}");
    found
}

/// Flips a bit in the middle of what lies beneath; length and name stay.
fn damage(name: &str, scratch: &Path) {
    let file = scratch.to_str().unwrap();
    rados(&["get", name, file]);
    let mut bytes = fs::read(scratch).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(scratch, bytes).unwrap();
    rados(&["put", name, file]);
}

#[test]
fn objects_damaged_beneath_a_mount_are_eio_and_refused_at_the_next() {
    let (home, prefix) = home_at(Server::ceph().endpoint);
    let home = home.initialised();
    home.mounted();
    let contents: Vec<u8> =
        (0..3_000_000u32).flat_map(|n| (n.wrapping_mul(2_654_435_761)).to_le_bytes()).collect();
    fs::write(home.mount().join("file"), &contents).unwrap();
    fs::write(home.mount().join("small"), "inside of the log").unwrap();

    // A new machine has no cache: each byte comes from the gateway.
    home.move_to_new_machine();
    assert_eq!(fs::read_to_string(home.mount().join("small")).unwrap(), "inside of the log");
    for segment in beneath(&prefix, "data/") {
        damage(&segment, &home.path("scratch"));
    }
    let refused = fs::read(home.mount().join("file")).unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(libc::EIO), "{refused}");
    assert_eq!(fs::read_to_string(home.mount().join("small")).unwrap(), "inside of the log");
    home.unmount();

    for entry in beneath(&prefix, "log/") {
        damage(&entry, &home.path("scratch"));
    }
    let refused = home.hushfs(["mount", &home.bucket(), &home.mount_str()]).pass().expect(6);
    assert!(refused.err.contains("log/"), "{}", refused.err);
}
