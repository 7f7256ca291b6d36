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
