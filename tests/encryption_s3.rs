//! The server's encryption at rest on a real server over TLS: scripts/servers/with-servers starts it.

#[path = "common/cli.rs"]
mod cli;
#[path = "common/servers.rs"]
mod servers;
#[path = "common/tls_volume.rs"]
mod tls_volume;

use std::fs;

use cli::Home;
use servers::Server;
use tls_volume::{home, run, stored, use_volume};

/// Rotates beside a mount and moves everything; nothing is left that only the old keys would open.
async fn rotate_and_move(kind: &str) -> Vec<(String, String)> {
    let (home, prefix) = home();
    run(&home, &["init", "--kdf", "minimum", &home.bucket(), "--sse", kind], 0);
    run(&home, &["mount", &home.bucket(), &home.mount_str()], 0);
    let contents: Vec<u8> =
        (0..1_000_000u32).flat_map(|n| (n.wrapping_mul(2_654_435_761)).to_le_bytes()).collect();
    fs::write(home.mount().join("file"), &contents).unwrap();
    home.sync();
    let moved = run(&home, &["key", "rotate", &home.bucket(), "--reencrypt", "--yes"], 0);
    assert!(moved.out.contains("the key of epoch 1 is dropped"), "{}", moved.out);
    assert_eq!(fs::read(home.mount().join("file")).unwrap(), contents);
    home.unmount();
    home.forget();
    run(&home, &["mount", &home.bucket(), &home.mount_str()], 0);
    assert_eq!(fs::read(home.mount().join("file")).unwrap(), contents);
    home.unmount();
    let clean = run(&home, &["fsck", "--data", &home.bucket()], 0);
    assert!(clean.out.ends_with("clean\n"), "{}", clean.out);
    let stored = stored(&Server::seaweedfs().bucket, &prefix).await;
    assert!(stored.iter().any(|(key, _)| key.starts_with("data/2/")), "{stored:?}");
    assert!(!stored.iter().any(|(key, _)| key.starts_with("data/1/")), "{stored:?}");
    stored
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reencryption_takes_customer_keys_of_the_new_epoch() {
    for (key, said) in rotate_and_move("customer").await {
        assert_eq!(said == "locked", key != "volume", "{key}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reencryption_asks_kms_for_everything_that_it_writes() {
    for (key, said) in rotate_and_move("kms:hushfs-test-key").await {
        assert!(said.contains("kms"), "{key}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_object_has_the_encryption_that_init_chose() {
    for (kind, says) in [("s3", "AES256"), ("kms:hushfs-test-key", "aws:kms, key hushfs-test-key")] {
        let (home, prefix) = home();
        run(&home, &["init", "--kdf", "minimum", "--sse", kind, &home.bucket()], 0);
        let status = use_volume(&home, &[]);
        assert_eq!(status["asked"], kind);
        for (key, said) in stored(&Server::seaweedfs().bucket, &prefix).await {
            assert_eq!(said, says, "{key} with {kind}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_customer_keys_only_the_volume_object_can_be_read_by_a_stranger() {
    let (home, prefix) = home();
    run(&home, &["init", "--kdf", "minimum", "--sse", "customer", &home.bucket()], 0);
    assert_eq!(use_volume(&home, &[])["asked"], "customer");
    for (key, said) in stored(&Server::seaweedfs().bucket, &prefix).await {
        assert_eq!(said, if key == "volume" { "nothing" } else { "locked" }, "{key}");
    }
    // Over plain HTTP, though it is loopback, no key leaves.
    let plain = Home::with_bucket(home.bucket(), Some(Server::seaweedfs().endpoint));
    let refused = plain.hushfs(["mount", &plain.bucket(), &plain.mount_str()]).pass().expect(18);
    assert!(refused.err.contains("https://"), "{}", refused.err);
    let refused = plain.hushfs(["init", "--sse", "customer", "s3://hushfs-test/never"]).pass().expect(18);
    assert!(refused.err.contains("https://"), "{}", refused.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mount_can_choose_otherwise_and_everybody_can_read_it() {
    let (home, prefix) = home();
    run(&home, &["init", "--kdf", "minimum", &home.bucket()], 0);
    assert_eq!(use_volume(&home, &["--sse", "customer"])["asked"], "customer");
    let found = stored(&Server::seaweedfs().bucket, &prefix).await;
    assert!(found.iter().any(|(key, said)| key.starts_with("data/") && said == "locked"), "{found:?}");
    assert!(found.iter().any(|(key, said)| key.starts_with("log/") && said == "nothing"), "{found:?}");
}

#[test]
fn a_mount_that_lives_follows_another_machine_that_brings_a_new_kind() {
    let (home, _) = home();
    run(&home, &["init", "--kdf", "minimum", "--sse", "s3", &home.bucket()], 0);
    let other = Home::with_bucket(home.bucket(), Some(tls_volume::endpoint()));
    run(&home, &["mount", &home.bucket(), &home.mount_str()], 0);
    fs::write(home.mount().join("first"), "before").unwrap();
    home.sync();
    run(&other, &["mount", "--sse", "customer", &other.bucket(), &other.mount_str()], 0);
    fs::write(other.mount().join("second"), vec![5; 200_000]).unwrap();
    other.sync();
    // The next commit here meets the other's, which only the newest settings explain.
    fs::write(home.mount().join("third"), "after").unwrap();
    home.sync();
    assert_eq!(fs::read(home.mount().join("second")).unwrap(), vec![5; 200_000]);
    home.unmount();
    other.unmount();
    run(&home, &["fsck", "--data", &home.bucket()], 0);
}

#[test]
fn a_server_that_ignores_what_is_asked_is_refused() {
    // SeaweedFS knows no DSSE and does not say so.
    let (home, _) = home();
    let refused = run(&home, &["init", "--kdf", "minimum", "--sse", "dsse:k", &home.bucket()], 18);
    assert!(
        refused.err.contains("asked for the encryption dsse:k, the server says: nothing"),
        "{}",
        refused.err
    );
}
