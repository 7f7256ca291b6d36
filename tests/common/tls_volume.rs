//! Volumes on the test server's TLS endpoint, and clients that know nothing of them.

// Each test binary uses its part of this.
#![allow(dead_code)]

use std::fs;
use std::process::Command;

use hushfs::base::{ObjectId, OsRandom};
use hushfs::object::{Bucket, ErrorKind, S3Bucket, S3Options, TransportOptions};

use crate::cli::{Home, Ran};
use crate::servers::{Server, setting};

/// A home on the server's TLS endpoint, and the prefix of its volume.
pub fn home() -> (Home, String) {
    let prefix = format!("at-rest/{}", ObjectId::generate(&OsRandom));
    (home_at(&Server::seaweedfs().bucket, &prefix), prefix)
}

/// The same in any bucket.
pub fn home_at(bucket: &str, prefix: &str) -> Home {
    Home::with_bucket(format!("s3://{bucket}/{prefix}"), Some(endpoint()))
}

/// Where the server speaks TLS.
pub fn endpoint() -> String {
    setting("HUSHFS_TEST_S3_TLS_ENDPOINT")
}

/// A client that knows nothing of the volume: it asks for nothing and has no customer key.
pub async fn stranger(bucket: &str, prefix: &str) -> S3Bucket {
    let ca_bundle = Some(authority().into());
    let options = S3Options {
        endpoint_url: Some(endpoint()),
        transport: TransportOptions { ca_bundle, ..TransportOptions::default() },
        ..S3Options::default()
    };
    S3Bucket::connect(bucket, prefix, &options).await.unwrap()
}

/// What the server says about each object of the volume, by key, to a stranger.
pub async fn stored(bucket: &str, prefix: &str) -> Vec<(String, String)> {
    let bucket = stranger(bucket, prefix).await;
    let mut all = Vec::new();
    for object in bucket.list("", None, 1000).await.unwrap().objects {
        let said = match bucket.head(&object.key).await {
            Ok(info) => info.encryption.to_string(),
            Err(error) if error.kind == ErrorKind::Encryption => "locked".to_owned(),
            Err(error) => panic!("{error}: {}", error.source),
        };
        all.push((object.key, said));
    }
    assert!(all.len() >= 4, "{all:?}");
    all
}

/// Runs with the server's authority and the right passphrase.
pub fn run(home: &Home, words: &[&str], code: i32) -> Ran {
    home.hushfs(words).arg("--ca-bundle").arg(authority()).pass().expect(code)
}

/// Writes, reads on a new machine, checks everything; returns what `status` says of encryption.
pub fn use_volume(home: &Home, options: &[&str]) -> serde_json::Value {
    let contents = vec![7; 300_000];
    let (bucket, mount) = (home.bucket(), home.mount_str());
    run(home, &[&["mount", &bucket, &mount], options].concat(), 0);
    fs::write(home.mount().join("file"), &contents).unwrap();
    home.sync();
    let status = home.status();
    home.unmount();
    home.forget();
    run(home, &["mount", &bucket, &mount], 0);
    assert_eq!(fs::read(home.mount().join("file")).unwrap(), contents);
    home.unmount();
    let clean = run(home, &["fsck", "--data", &bucket], 0);
    assert!(clean.out.ends_with("clean\n"), "{}", clean.out);
    status["encryption"].clone()
}

/// The file with the authority of the server's certificate.
pub fn authority() -> String {
    setting("HUSHFS_TEST_S3_CA")
}

/// curl with the owner's signature: a plain client. Returns the HTTP status and, of a refusal, S3's code.
pub fn curl(arguments: &[&str]) -> String {
    let (key, secret) = (setting("AWS_ACCESS_KEY_ID"), setting("AWS_SECRET_ACCESS_KEY"));
    let curl = Command::new("curl")
        .args(["-sS", "-w", "\n%{http_code}", "--cacert", &authority()])
        .args(["--aws-sigv4", "aws:amz:us-east-1:s3", "--user", &format!("{key}:{secret}")])
        .args(arguments)
        .output()
        .unwrap();
    assert!(curl.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&curl.stderr));
    let said = String::from_utf8_lossy(&curl.stdout).into_owned();
    let status = said.rsplit('\n').next().unwrap();
    match said.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")) {
        Some((code, _)) if status != "200" => format!("{status} {code}"),
        _ => status.to_owned(),
    }
}

/// Makes a bucket of the caller's own, for what concerns a bucket as a whole.
pub fn make_bucket() -> String {
    let name = format!("own-{}", ObjectId::generate(&OsRandom));
    assert_eq!(curl(&["-X", "PUT", &format!("{}/{name}", endpoint())]), "200");
    name
}
