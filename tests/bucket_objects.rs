//! `hushfs bucket reencrypt` and `audit`: what is in the bucket already, moved and judged, on a real server over TLS
//! (scripts/servers/with-servers starts it), in a folder, and at the wire.

#[path = "common/cli.rs"]
mod cli;
#[path = "common/fake_s3.rs"]
mod fake_s3;
#[path = "common/servers.rs"]
mod servers;
#[path = "common/tls_volume.rs"]
mod tls_volume;

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use bytes::Bytes;
use hushfs::object::{
    Bucket, Condition, EncryptionRules, LifecycleRule, ObjectLock, PublicAccessBlock, Reencryption, S3Bucket,
    S3Options, Versioning,
};
use serde_json::Value;

use cli::Home;
use fake_s3::FakeS3;
use servers::Server;
use tls_volume::{authority, endpoint, home, home_at, make_bucket, run, stored, stranger, use_volume};

fn reencrypt(home: &Home, kind: &str) -> cli::Ran {
    run(home, &["bucket", "reencrypt", &home.bucket(), "--sse", kind, "--yes"], 0)
}

/// The file that `use_volume` wrote, as a new machine reads it; what its mount says of encryption.
fn read_back(home: &Home) -> Value {
    home.forget();
    run(home, &["mount", &home.bucket(), &home.mount_str()], 0);
    assert_eq!(fs::read(home.mount().join("file")).unwrap(), vec![7; 300_000]);
    let status = home.status();
    home.unmount();
    status["encryption"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_moves_through_every_kind_and_back_and_is_read_after_each() {
    let (home, prefix) = home();
    run(&home, &["init", "--kdf", "minimum", "--sse", "s3", &home.bucket()], 0);
    use_volume(&home, &[]);
    for (kind, says, of_header) in [
        ("kms:hushfs-test-key", "aws:kms, key hushfs-test-key", "aws:kms, key hushfs-test-key"),
        ("customer", "locked", "nothing"),
        ("kms:another-key", "aws:kms, key another-key", "aws:kms, key another-key"),
        ("s3", "AES256", "AES256"),
        ("customer", "locked", "nothing"),
        ("bucket", "nothing", "nothing"),
    ] {
        let moved = reencrypt(&home, kind);
        assert!(moved.out.contains(&format!(" to {kind}; ")), "{}", moved.out);
        for (key, said) in stored(&Server::seaweedfs().bucket, &prefix).await {
            assert_eq!(said, if key == "volume" { of_header } else { says }, "{key} with {kind}");
        }
        // It is also what is written from now on, and nothing else is accepted.
        let status = read_back(&home);
        assert_eq!(status["asked"], kind);
        assert_eq!(status["also_read"].as_array().unwrap().len(), 0, "{status}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mount_that_lives_reads_on_and_follows_while_another_machine_moves_the_volume() {
    let (home, prefix) = home();
    run(&home, &["init", "--kdf", "minimum", "--sse", "s3", &home.bucket()], 0);
    use_volume(&home, &[]);
    home.forget();
    // Nothing is cached here but what mounting takes.
    run(&home, &["mount", &home.bucket(), &home.mount_str()], 0);
    let other = Home::with_bucket(home.bucket(), Some(endpoint()));
    reencrypt(&other, "customer");
    assert_eq!(fs::read(home.mount().join("file")).unwrap(), vec![7; 300_000]);
    // What it writes now has the new kind: the read has told it.
    fs::write(home.mount().join("later"), vec![8; 200_000]).unwrap();
    home.sync();
    assert_eq!(home.status()["encryption"]["asked"], "customer");
    home.unmount();
    let of_log = stored(&Server::seaweedfs().bucket, &prefix).await;
    assert!(of_log.iter().all(|(key, said)| key == "volume" || said == "locked"), "{of_log:?}");
    read_back(&home);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_was_killed_is_gone_on_with_by_the_next() {
    let (home, prefix) = home();
    run(&home, &["init", "--kdf", "minimum", "--sse", "s3", &home.bucket()], 0);
    run(&home, &["mount", &home.bucket(), &home.mount_str()], 0);
    fs::write(home.mount().join("file"), vec![7; 300_000]).unwrap();
    for number in 0..60 {
        fs::write(home.mount().join(format!("small{number}")), "x").unwrap();
        home.sync();
    }
    home.unmount();
    let mut command = Command::new(env!("CARGO_BIN_EXE_hushfs"));
    home.settle(&mut command);
    let words =
        ["bucket", "reencrypt", &home.bucket(), "--sse", "kms:hushfs-test-key", "--yes", "--parallel", "1"];
    command.args(words).args(["--ca-bundle", &authority(), "--passphrase-file"]).arg(home.path("pass"));
    let mut running = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // The first of the listing has it: the other sixty are still to come.
    let client = stranger(&Server::seaweedfs().bucket, &prefix).await;
    let first = client.list("data/", None, 1).await.unwrap().objects.remove(0).key;
    let moved = async {
        while client.head(&first).await.unwrap().encryption.algorithm.as_deref() != Some("aws:kms") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), moved).await.expect("the first is moved within a minute");
    running.kill().unwrap();
    running.wait().unwrap();
    let with = |all: Vec<(String, String)>, says: &str| {
        all.iter().filter(|(_, said)| said.starts_with(says)).count()
    };
    let halfway = stored(&Server::seaweedfs().bucket, &prefix).await;
    let (total, left) = (halfway.len(), with(halfway, "AES256"));
    assert!(left > 0 && left < total, "{left} of {total} are left");
    // Half and half can be read.
    read_back(&home);
    let ended = reencrypt(&home, "kms:hushfs-test-key");
    // The copy that was under way may have ended after its client.
    let moved = |count: usize| ended.out.contains(&format!("moved {count} object"));
    assert!(moved(left) || moved(left - 1), "{left}: {}", ended.out);
    let ended = stored(&Server::seaweedfs().bucket, &prefix).await;
    assert_eq!(with(ended.clone(), "aws:kms"), ended.len());
    let again = reencrypt(&home, "kms:hushfs-test-key");
    assert!(again.out.contains("moved 0 objects to kms:hushfs-test-key; "), "{}", again.out);
    read_back(&home);
}

/// SeaweedFS takes dsse and does nothing about it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kind_that_the_server_ignores_is_found_out_before_the_settings_change() {
    let (home, prefix) = home();
    run(&home, &["init", "--kdf", "minimum", "--sse", "s3", &home.bucket()], 0);
    use_volume(&home, &[]);
    let before = stored(&Server::seaweedfs().bucket, &prefix).await;
    for words in [
        &["bucket", "reencrypt", &home.bucket(), "--sse", "dsse", "--yes"][..],
        &["gc", &home.bucket(), "--sse", "dsse"],
        &["quota", &home.bucket(), "--set", "1G", "--sse", "dsse"],
        &["mount", &home.bucket(), &home.mount_str(), "--sse", "dsse"],
    ] {
        let refused = run(&home, words, 18);
        assert!(refused.err.contains("nothing was changed"), "{}", refused.err);
        assert_eq!(stored(&Server::seaweedfs().bucket, &prefix).await, before, "what was tried is removed");
    }
    let status = read_back(&home);
    assert_eq!((&status["asked"], status["also_read"].as_array().unwrap().len()), (&"s3".into(), 0));
    run(&home, &["mount", &home.bucket(), &home.mount_str()], 0);
    for command in ["gc", "quota"] {
        let noted = run(&home, &[command, &home.bucket(), "--sse", "dsse"], 0);
        assert!(noted.err.contains("its mount writes"), "{}", noted.err);
    }
    home.unmount();
}

#[test]
fn the_estimate_alone_changes_nothing_and_nobody_is_moved_unasked() {
    let (home, _) = home();
    run(&home, &["init", "--kdf", "minimum", "--sse", "s3", &home.bucket()], 0);
    let words = ["bucket", "reencrypt", &home.bucket(), "--sse", "kms:k"];
    let shown = run(&home, &[&words[..], &["--dry-run"]].concat(), 0);
    assert!(shown.out.contains("COPY") && shown.out.contains("us-east-1"), "{}", shown.out);
    assert!(!shown.out.contains("moved"), "{}", shown.out);
    let plain = run(&home, &["bucket", "reencrypt", &home.bucket()], 2);
    assert!(plain.err.contains("--sse"), "{}", plain.err);
    let folder = run(&home, &["bucket", "reencrypt", "file:///srv/b", "--sse", "s3"], 2);
    assert!(folder.err.contains("is a folder"), "{}", folder.err);
    assert_eq!(read_kind(&home), "s3");
}

/// What a mount asks for.
fn read_kind(home: &Home) -> String {
    run(home, &["mount", &home.bucket(), &home.mount_str()], 0);
    let status = home.status();
    home.unmount();
    status["encryption"]["asked"].as_str().unwrap().to_owned()
}

/// Turns versioning on, as hushfs itself never does.
async fn keep_versions(bucket: &str) {
    let server = aws_config::defaults(BehaviorVersion::latest()).endpoint_url(Server::seaweedfs().endpoint);
    let config = Builder::from(&server.load().await).force_path_style(true).build();
    let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    let request = aws_sdk_s3::Client::from_conf(config).put_bucket_versioning().bucket(bucket);
    request.versioning_configuration(on).send().await.unwrap();
}

/// The audit as JSON.
fn audit(home: &Home, options: &[&str], code: i32) -> Value {
    let bucket = home.bucket();
    let words = [&["bucket", "audit", &bucket, "--json"], options].concat();
    serde_json::from_str(&run(home, &words, code).out).unwrap()
}

/// A row's verdict and finding.
fn row(report: &Value, check: &str) -> (String, String) {
    let rows = report["rows"].as_array().unwrap();
    let row = rows.iter().find(|row| row["check"] == check).unwrap_or_else(|| panic!("no {check}: {report}"));
    (row["verdict"].as_str().unwrap().to_owned(), row["finding"].as_str().unwrap().to_owned())
}

fn expect(report: &Value, check: &str, verdict: &str, words: &str) {
    let (said, finding) = row(report, check);
    assert!(said == verdict && finding.contains(words), "{check}: {said}: {finding}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_finds_what_was_planted_and_passes_when_it_is_put_right() {
    let name = make_bucket();
    let home = home_at(&name, "vault");
    run(&home, &["init", "--kdf", "moderate", "--sse", "s3", &home.bucket()], 0);
    use_volume(&home, &[]);

    let owner = stranger(&name, "vault").await;
    let put = |key: &'static str| owner.put(key, Bytes::from_static(b"in the clear"), Condition::Overwrite);
    put("notes/tax 2025.txt").await.unwrap();
    put("tree/00112233445566778899aabbccddeeff").await.unwrap();
    let kms = EncryptionRules {
        writes: "kms:hushfs-test-key".parse().unwrap(),
        also: vec!["bucket".parse().unwrap()],
        ..EncryptionRules::default()
    };
    let planter = stranger(&name, "vault").await;
    planter.encryption().begin(kms);
    assert_eq!(planter.reencrypt("log/0000000000000001").await.unwrap(), Reencryption::Moved);

    let found = audit(&home, &[], 19);
    expect(&found, "connection", "ok", "TLS 1.");
    expect(&found, "policy-tls", "warn", "no policy");
    expect(&found, "policy-encryption", "warn", "no policy");
    expect(&found, "versioning", "warn", "off");
    expect(&found, "lifecycle-uploads", "warn", "no rule");
    expect(&found, "incomplete-uploads", "ok", "none");
    // The object in the tree has what the bucket gives by default: nothing.
    expect(&found, "object-encryption", "fail", "1 aws:kms, key hushfs-test-key (as log/0000000000000001)");
    expect(&found, "stray-objects", "fail", "notes/tax 2025.txt (12 bytes)");
    expect(&found, "sealed-objects", "fail", "tree/00112233445566778899aabbccddeeff (12 bytes)");
    expect(&found, "key-epochs", "ok", "epoch");
    expect(&found, "key-slots", "ok", "passphrase, recovery-code");
    assert_eq!((&found["with_key"], &found["listed"]), (&Value::Bool(true), &found["looked_at"]));
    assert!(found["requests"].as_u64() > found["listed"].as_u64(), "{found}");

    owner
        .delete(&["notes/tax 2025.txt".into(), "tree/00112233445566778899aabbccddeeff".into()])
        .await
        .unwrap();
    reencrypt(&home, "s3");
    keep_versions(&name).await;
    let policy = home.hushfs(["bucket", "policy", &home.bucket(), "--require-tls", "--require-sse", "s3"]);
    policy.args(["--apply", "--yes", "--ca-bundle", &authority()]).expect(0);
    let mended = audit(&home, &["--all"], 0);
    for check in [
        "policy-tls",
        "policy-encryption",
        "versioning",
        "object-encryption",
        "stray-objects",
        "sealed-objects",
    ] {
        expect(&mended, check, "ok", "");
    }
    assert_eq!(mended["fail"], 0);
    // Old versions stay, and whoever moves again is told.
    let told = run(&home, &["bucket", "reencrypt", &home.bucket(), "--sse", "kms:k", "--dry-run"], 0);
    assert!(told.out.contains("Versioning is on"), "{}", told.out);

    // Without the key: what can be seen, and nobody is asked.
    let bare = home.hushfs(["bucket", "audit", &home.bucket(), "--no-key", "--json", "--sample", "2"]);
    let bare = bare.args(["--ca-bundle", &authority()]).expect(0).out;
    let bare: Value = serde_json::from_str(&bare).unwrap();
    expect(&bare, "object-encryption", "unknown", "2 objects of ");
    expect(&bare, "stray-objects", "ok", "");
    assert_eq!((&bare["with_key"], &bare["looked_at"]), (&Value::Bool(false), &Value::from(2)));
}

#[test]
fn an_audit_of_a_folder_says_what_does_not_apply_and_shows_names_tamely() {
    let home = Home::with_volume();
    let words = ["bucket", "audit", &home.bucket()];
    let clean = home.hushfs(words).pass().expect(0).out;
    assert!(clean.contains("n/a      policy-tls") && clean.contains("ok       stray-objects"), "{clean}");
    fs::create_dir_all(home.bucket_folder().join("data/x")).unwrap();
    fs::write(home.bucket_folder().join("data/x/evil \u{202e}name"), "plain").unwrap();
    let found = home.hushfs(words).pass().expect(19).out;
    assert!(
        found.contains("FAIL     stray-objects") && found.contains("evil \\u{202e}name (5 bytes)"),
        "{found}"
    );
    assert!(!found.contains('\u{202e}'));
}

/// A bucket behind a server that answers everything with `status` and `body`.
async fn at_the_wire(status: &str, body: &str) -> (S3Bucket, FakeS3) {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-type: application/xml\r\ncontent-length: {length}\r\n\r\n");
    let server = FakeS3::start(&format!("{head}{body}"), None);
    let options = S3Options { endpoint_url: Some(server.url("http")), ..S3Options::default() };
    (S3Bucket::connect("bucket", "home", &options).await.unwrap(), server)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_bucket_says_of_itself_is_read_as_aws_writes_it() {
    let lifecycle = "<LifecycleConfiguration>\
        <Rule><ID>a</ID><Status>Enabled</Status><Filter><Prefix>home/</Prefix></Filter>\
          <Expiration><Days>30</Days></Expiration><Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition></Rule>\
        <Rule><ID>b</ID><Status>Enabled</Status><Filter><And><Prefix>x</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>\
          <Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration></Rule>\
        <Rule><ID>off</ID><Status>Disabled</Status><Filter/><Expiration><Days>1</Days></Expiration></Rule>\
        <Rule><ID>old</ID><Status>Enabled</Status><Prefix>log</Prefix>\
          <AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>\
        </LifecycleConfiguration>";
    let rule = |id: &str, prefix: &str| LifecycleRule {
        id: id.into(),
        prefix: prefix.into(),
        ..LifecycleRule::default()
    };
    let (bucket, _server) = at_the_wire("200 OK", lifecycle).await;
    assert_eq!(
        bucket.lifecycle().await.unwrap(),
        [
            LifecycleRule { expires: true, transitions: vec!["GLACIER".into()], ..rule("a", "home/") },
            LifecycleRule { needs_tags: true, ..rule("b", "x") },
            LifecycleRule { aborts_uploads: true, ..rule("old", "log") },
        ]
    );

    let block = "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls>\
        <BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>false</RestrictPublicBuckets></PublicAccessBlockConfiguration>";
    let (bucket, _server) = at_the_wire("200 OK", block).await;
    let expected = PublicAccessBlock {
        block_acls: true,
        ignore_acls: true,
        block_policy: true,
        restrict_buckets: false,
    };
    assert_eq!(bucket.public_access_block().await.unwrap(), Some(expected));

    let lock = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>\
        <Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>30</Days></DefaultRetention></Rule></ObjectLockConfiguration>";
    let (bucket, _server) = at_the_wire("200 OK", lock).await;
    let expected = ObjectLock { enabled: true, default_retention: Some("COMPLIANCE for 30 days".into()) };
    assert_eq!(bucket.object_lock().await.unwrap(), expected);

    let (bucket, _server) =
        at_the_wire("200 OK", "<PolicyStatus><IsPublic>true</IsPublic></PolicyStatus>").await;
    assert!(bucket.policy_is_public().await.unwrap());

    let suspended = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
    let (bucket, _server) = at_the_wire("200 OK", suspended).await;
    assert_eq!(bucket.versioning().await.unwrap(), Versioning::Suspended);

    let uploads = "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated>\
        <Upload><Key>home/big</Key><UploadId>1</UploadId><Initiated>2026-01-02T03:04:05.000Z</Initiated></Upload>\
        </ListMultipartUploadsResult>";
    let (bucket, server) = at_the_wire("200 OK", uploads).await;
    let found = bucket.unfinished_uploads().await.unwrap();
    assert_eq!((found.count, found.more, found.examples), (1, true, vec!["home/big".to_owned()]));
    assert_eq!(found.oldest.map(|at| at.secs), Some(1_767_323_045));
    assert!(server.requests()[0].contains("prefix=home%2F"), "{:?}", server.requests());
    assert_eq!(bucket.requests(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_setting_that_is_not_there_is_no_error_and_a_refusal_is_one() {
    let none = |code: &str| format!("<Error><Code>{code}</Code><Message>none</Message></Error>");
    let (bucket, _server) = at_the_wire("404 Not Found", &none("NoSuchLifecycleConfiguration")).await;
    assert_eq!(bucket.lifecycle().await.unwrap(), []);
    let (bucket, _server) = at_the_wire("404 Not Found", &none("NoSuchPublicAccessBlockConfiguration")).await;
    assert_eq!(bucket.public_access_block().await.unwrap(), None);
    let (bucket, _server) = at_the_wire("404 Not Found", &none("ObjectLockConfigurationNotFoundError")).await;
    assert_eq!(bucket.object_lock().await.unwrap(), ObjectLock::default());
    let (bucket, _server) = at_the_wire("404 Not Found", &none("NoSuchBucketPolicy")).await;
    assert!(!bucket.policy_is_public().await.unwrap());
    let (bucket, _server) = at_the_wire("403 Forbidden", &none("AccessDenied")).await;
    for error in [
        bucket.lifecycle().await.err(),
        bucket.public_access_block().await.err(),
        bucket.object_lock().await.err(),
        bucket.policy_is_public().await.err(),
        bucket.versioning().await.err(),
        bucket.unfinished_uploads().await.err(),
    ] {
        assert_eq!(error.unwrap().kind, hushfs::object::ErrorKind::Denied);
    }
}
