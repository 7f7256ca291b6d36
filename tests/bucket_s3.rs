//! `hushfs bucket` on a real server over TLS: scripts/servers/with-servers starts it. Each test has a bucket of its own,
//! because a policy and a default encryption are one for the whole bucket.

#[path = "common/cli.rs"]
mod cli;
#[path = "common/servers.rs"]
mod servers;
#[path = "common/tls_volume.rs"]
mod tls_volume;

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use bytes::Bytes;
use hushfs::object::policy::{Requirements, Scope};
use hushfs::object::{Bucket, Condition, EncryptionRules, S3Bucket};

use cli::{Home, Ran};
use servers::Server;
use tls_volume::{authority, curl, endpoint, home_at, make_bucket, run, stored, stranger, use_volume};

/// What a policy answers, as opposed to a wrong signature.
const DENIED: &str = "403 AccessDenied";

/// `hushfs bucket …` without any key.
fn bucket(home: &Home, words: &[&str], code: i32) -> Ran {
    home.hushfs([&["bucket"], words].concat()).args(["--ca-bundle", &authority()]).expect(code)
}

/// Gives the bucket statements of somebody else; returns the policy as the server then shows it.
async fn with_policy_of_others(name: &str) -> (S3Bucket, String) {
    let bucket = stranger(name, "").await;
    let others = format!(
        r#"{{"Version":"2012-10-17","Statement":[
            {{"Sid":"HushfsBucketReaders","Effect":"Allow","Principal":"*","Action":"s3:GetObject",
              "Resource":"arn:aws:s3:::{name}/public/*"}},
            {{"Effect":"Deny","Principal":{{"AWS":"*"}},"Action":["s3:DeleteObject"],
              "Resource":["arn:aws:s3:::{name}/keep/*"],"Condition":{{"StringNotLike":{{"aws:UserAgent":"x*"}}}}}}]}}"#
    );
    bucket.replace_policy(&others).await.unwrap();
    let stored = bucket.policy().await.unwrap().unwrap();
    (bucket, stored)
}

/// Has the bucket's owner, who has no key of the volume in `vault`, demand `kind`: the volume's settings stay as they are.
async fn demand(name: &str, kind: &str) {
    let scope = Scope::new("aws", name, "vault").unwrap();
    let demand = Requirements { encryption: Some(kind.parse().unwrap()), ..Requirements::default() };
    let policy = demand.document(&scope).unwrap().to_wire().unwrap();
    stranger(name, "").await.replace_policy(&policy).await.unwrap();
}

/// What becomes of a plain PUT by curl, which asks for nothing.
fn put_at(url: &str) -> String {
    let mut body = tempfile::NamedTempFile::new().unwrap();
    body.write_all(b"plain").unwrap();
    curl(&["-T", body.path().to_str().unwrap(), url])
}

fn put(name: &str, key: &str) -> String {
    put_at(&format!("{}/{name}/{key}", endpoint()))
}

/// The same by a client that asks for `kind`.
async fn put_as(kind: &str, name: &str, key: &str) -> String {
    let bucket = stranger(name, "").await;
    let writes = kind.parse().unwrap();
    bucket.encryption().settle(EncryptionRules { writes, ..EncryptionRules::default() }).unwrap();
    match bucket.put(key, Bytes::from_static(b"plain"), Condition::Overwrite).await {
        Ok(_) => "200".to_owned(),
        Err(error) if error.source.to_string().starts_with(DENIED) => DENIED.to_owned(),
        Err(error) => format!("{error}: {}", error.source),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demanded_encryption_lets_hushfs_write_and_plain_clients_not_until_it_is_taken_back() {
    let key = "kms:hushfs-test-key";
    for (kind, stray, denied) in [
        ("s3", "vault/strays", &[key][..]),
        (key, "vault/strays", &["s3", "kms:another-key"]),
        // Beside the folders of a volume nothing is demanded: `volume` itself must stay open.
        ("customer", "vault/log/stray", &["s3", key]),
    ] {
        let name = make_bucket();
        let (owner, before) = with_policy_of_others(&name).await;
        let home = home_at(&name, "vault");
        let url = home.bucket();
        bucket(&home, &["policy", &url, "--require-sse", kind, "--apply", "--yes"], 0);
        // A new volume, its probe included, under a policy that is there already.
        run(&home, &["init", "--kdf", "minimum", "--sse", kind, &url], 0);
        assert_eq!(use_volume(&home, &[])["asked"], kind);
        assert_eq!(put(&name, stray), DENIED, "{kind}");
        for other in denied {
            assert_eq!(put_as(other, &name, stray).await, DENIED, "{kind} demanded, {other} asked");
        }
        if kind != "customer" {
            assert_eq!(put_as(kind, &name, stray).await, "200", "{kind}");
        }
        assert_eq!(put(&name, "elsewhere"), "200", "{kind}");
        let again = bucket(&home, &["policy", &url, "--require-sse", kind, "--apply", "--yes"], 0);
        assert!(again.out.starts_with("nothing to change"), "{}", again.out);
        bucket(&home, &["policy", &url, "--remove", "--yes"], 0);
        assert_eq!(owner.policy().await.unwrap().unwrap(), before, "{kind}");
        assert_eq!(put(&name, stray), "200", "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mount_that_lives_adopts_what_a_policy_begins_to_demand() {
    for (kind, says) in [("s3", "AES256"), ("customer", "locked")] {
        let name = make_bucket();
        let home = home_at(&name, "vault");
        let url = home.bucket();
        run(&home, &["init", "--kdf", "minimum", &url], 0);
        run(&home, &["mount", &url, &home.mount_str()], 0);
        std::fs::write(home.mount().join("before"), vec![1; 300_000]).unwrap();
        home.sync();
        demand(&name, kind).await;
        assert_eq!(put(&name, "vault/log/stray"), DENIED);
        std::fs::write(home.mount().join("after"), vec![2; 300_000]).unwrap();
        home.sync();
        assert_eq!(home.status()["encryption"]["asked"], kind);
        let found = stored(&name, "vault").await;
        assert!(found.iter().any(|(key, said)| key.starts_with("data/") && said == says), "{found:?}");
        home.unmount();
        home.forget();
        run(&home, &["mount", &url, &home.mount_str()], 0);
        for (file, byte) in [("before", 1), ("after", 2)] {
            assert_eq!(std::fs::read(home.mount().join(file)).unwrap(), vec![byte; 300_000]);
        }
        home.unmount();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_looks_at_the_policy_once_however_many_headers_it_replaces() {
    let name = make_bucket();
    let home = home_at(&name, "vault");
    let url = home.bucket();
    run(&home, &["init", "--kdf", "minimum", &url], 0);
    demand(&name, "s3").await;
    let words = ["key", "rotate", &url, "--reencrypt", "--yes", "--ca-bundle", &authority()];
    let rotated = home.hushfs(words).pass().env("RUST_LOG", "hushfs=info").expect(0);
    assert_eq!(rotated.err.matches("the bucket's policy demands").count(), 1, "{}", rotated.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_that_runs_adopts_what_a_policy_begins_to_demand() {
    let name = make_bucket();
    let home = home_at(&name, "vault");
    let url = home.bucket();
    run(&home, &["init", "--kdf", "minimum", &url], 0);
    run(&home, &["mount", &url, &home.mount_str()], 0);
    for number in 0..6u64 {
        let file = (number << 32..)
            .take(200_000)
            .flat_map(|n: u64| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15)).to_le_bytes());
        std::fs::write(home.mount().join(number.to_string()), file.collect::<Vec<u8>>()).unwrap();
        home.sync();
    }
    home.unmount();
    let slowly =
        ["key", "rotate", &url, "--reencrypt", "--yes", "--limit-rate", "2M", "--ca-bundle", &authority()];
    let rotation = home.hushfs(slowly).pass().start();
    let watcher = stranger(&name, "vault").await;
    while watcher.list("data/2/", None, 1).await.unwrap().objects.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    demand(&name, "s3").await;
    let rotated = cli::ran(rotation.wait_with_output().unwrap());
    assert_eq!(rotated.code, 0, "{}", rotated.err);
    assert!(rotated.err.contains("s3 is asked for from now on"), "{}", rotated.err);
    run(&home, &["fsck", "--data", &url], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_bucket_can_demand_customer_keys_and_a_new_machine_still_gets_in() {
    let name = make_bucket();
    let home = Home::with_bucket(format!("s3://{name}"), Some(endpoint()));
    let url = home.bucket();
    bucket(&home, &["policy", &url, "--require-sse", "customer", "--apply", "--yes"], 0);
    run(&home, &["init", "--kdf", "minimum", "--sse", "customer", &url], 0);
    assert_eq!(use_volume(&home, &[])["asked"], "customer");
    for stray in ["stray", "log/stray", "volume2"] {
        assert_eq!(put(&name, stray), DENIED, "{stray}");
    }
    let removed = bucket(&home, &["policy", &url, "--remove", "--yes"], 0);
    assert!(removed.err.contains("the policy is deleted"), "{}", removed.err);
    assert_eq!(stranger(&name, "").await.policy().await.unwrap(), None);
    assert_eq!(put(&name, "stray"), "200");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_tls_is_demanded_plain_http_is_refused_and_hushfs_goes_on_over_tls() {
    let name = make_bucket();
    let (owner, before) = with_policy_of_others(&name).await;
    let home = home_at(&name, "vault");
    let url = home.bucket();
    run(&home, &["init", "--kdf", "minimum", &url], 0);
    let plain = Server::seaweedfs().endpoint;
    let plain_get = || curl(&[&format!("{plain}/{name}/vault/volume")]);
    let plain_list = |prefix: &str| curl(&[&format!("{plain}/{name}?list-type=2&prefix={prefix}")]);
    assert_eq!(plain_get(), "200");
    // Over plain HTTP nobody could take it back.
    let refused = home.hushfs(["bucket", "policy", &url, "--require-tls", "--apply", "--yes"]);
    let refused = refused.args(["--endpoint-url", &plain]).expect(17);
    assert!(refused.err.contains("could not even take the policy back"), "{}", refused.err);
    assert_eq!(plain_get(), "200");
    bucket(&home, &["policy", &url, "--require-tls", "--tls-min", "1.3", "--apply", "--yes"], 0);
    assert_eq!(plain_get(), DENIED);
    assert_eq!(plain_list("vault%2Flog%2F"), DENIED);
    assert_eq!(plain_list("elsewhere%2F"), "200");
    assert_eq!(put_at(&format!("{plain}/{name}/vault/stray")), DENIED);
    let over_http = Home::with_bucket(url.clone(), Some(plain.clone()));
    over_http.hushfs(["mount", &url, &over_http.mount_str()]).pass().expect(8);
    use_volume(&home, &["--tls-min", "1.3"]);
    assert_eq!(put(&name, "vault/stray"), "200");
    bucket(&home, &["policy", &url, "--remove", "--yes"], 0);
    assert_eq!(owner.policy().await.unwrap().unwrap(), before);
    assert_eq!(plain_get(), "200");
}

/// Made without --sse, as people at home do; then somebody applies a policy, with a key of the volume or without.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_that_asks_for_nothing_asks_aloud_as_soon_as_a_policy_demands_it() {
    for with_key in [true, false] {
        let name = make_bucket();
        let home = home_at(&name, "vault");
        let url = home.bucket();
        run(&home, &["init", "--kdf", "minimum", &url], 0);
        run(&home, &["mount", &url, &home.mount_str()], 0);
        std::fs::write(home.mount().join("first"), "before").unwrap();
        home.sync();
        let apply = ["bucket", "policy", &url, "--require-sse", "s3", "--apply", "--yes"];
        if with_key {
            let applied = run(&home, &apply, 0);
            assert!(applied.err.contains("asks for no encryption is refused"), "{}", applied.err);
            // The mount that is there follows.
            std::fs::write(home.mount().join("second"), "after").unwrap();
            home.sync();
            home.unmount();
        } else {
            home.unmount();
            let applied = bucket(&home, &apply[1..], 0);
            assert!(!applied.err.contains("WARNING"), "{}", applied.err);
        }
        assert_eq!(put(&name, "vault/stray"), DENIED);
        assert_eq!(use_volume(&home, &[])["asked"], "s3");
        run(&home, &["gc", &url], 0);
        run(&home, &["quota", &url, "--set", "1G"], 0);
        let page = home.mount().join("page");
        run(&home, &["key", "add", &url, "--new-recovery-code", "--output", page.to_str().unwrap()], 0);
        run(&home, &["key", "rotate", &url, "--reencrypt", "--yes"], 0);
        let inner = home_at(&name, "another");
        bucket(
            &inner,
            &["policy", &inner.bucket(), "--require-sse", "kms:hushfs-test-key", "--apply", "--yes"],
            0,
        );
        run(&inner, &["init", "--kdf", "minimum", &inner.bucket()], 0);
        assert_eq!(use_volume(&inner, &[])["asked"], "kms:hushfs-test-key");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_would_lock_the_volume_out_is_refused_when_a_key_is_given_and_warned_of_without() {
    let name = make_bucket();
    let home = home_at(&name, "vault");
    let url = home.bucket();
    run(&home, &["init", "--kdf", "minimum", "--sse", "s3", &url], 0);
    let kms = ["bucket", "policy", &url, "--require-sse", "kms:k", "--apply", "--yes"];
    let refused = run(&home, &kms, 18);
    assert!(refused.err.contains("asks for s3 with every write"), "{}", refused.err);
    assert_eq!(stranger(&name, "").await.policy().await.unwrap(), None);
    let warned = bucket(&home, &kms[1..], 0);
    assert!(warned.err.contains("WARNING"), "{}", warned.err);
    let fits = run(&home, &["bucket", "policy", &url, "--require-sse", "s3", "--apply", "--yes"], 0);
    assert!(fits.err.contains("it fits"), "{}", fits.err);
    assert!(fits.err.contains("asks for no encryption is refused"), "{}", fits.err);
    assert!(warned.err.contains("Nothing was written to try it"), "{}", warned.err);
    // Given again, it is tried again.
    let again = run(&home, &["bucket", "policy", &url, "--require-sse", "s3", "--apply", "--yes"], 0);
    assert!(again.err.contains("asks for no encryption is refused"), "{}", again.err);
    let left = stranger(&name, "vault/").await.list("probe/", None, 10).await.unwrap();
    assert!(left.objects.is_empty(), "{:?}", left.objects);
    use_volume(&home, &[]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demand_that_contradicts_an_earlier_one_is_refused_before_nobody_can_write() {
    let name = make_bucket();
    let home = home_at(&name, "vault");
    let (all, url) = (format!("s3://{name}"), home.bucket());
    let demand = |url: &str, words: &[&str], code| {
        bucket(&home, &[&["policy", url, "--apply", "--yes"], words].concat(), code)
    };
    demand(&all, &["--require-sse", "s3"], 0);
    let before = stranger(&name, "").await.policy().await.unwrap();
    for words in [&["--require-sse", "kms:hushfs-test-key"][..], &["--require-sse", "customer"]] {
        let refused = demand(&url, words, 18);
        assert!(refused.err.contains("nobody could write under"), "{}", refused.err);
    }
    assert_eq!(stranger(&name, "").await.policy().await.unwrap(), before);
    demand(&url, &["--require-sse", "s3"], 0);

    bucket(&home, &["policy", &all, "--remove", "--yes"], 0);
    demand(&url, &["--require-sse", "customer"], 0);
    demand(&url, &["--deny-sse-c"], 18);
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_sent() {
    let name = make_bucket();
    let home = home_at(&name, "vault");
    let url = home.bucket();
    for (words, why) in [
        (&["policy", "file:///srv", "--require-tls"][..], "is a folder"),
        (&["encryption", "file:///srv"], "is a folder"),
        (&["policy", &url, "--apply"], "nothing to apply"),
        (&["policy", &url, "--require-sse", "kms:alias/a"], "describe-key"),
        (&["policy", &url, "--require-sse", "customer", "--deny-sse-c"], "leave one out"),
        (&["policy", &url, "--require-tls", "--remove"], "cannot be used with"),
        (&["encryption", &url, "--set", "customer"], "cannot be a bucket's default"),
        (&["encryption", &url, "--allow-sse-c"], "give --set"),
    ] {
        let refused = bucket(&home, words, 2);
        assert!(refused.err.contains(why), "{words:?}: {}", refused.err);
    }
    let missing = bucket(&home, &["policy", "s3://hushfs-never-made"], 4);
    assert!(missing.err.contains("there is no such bucket"), "{}", missing.err);
}

#[test]
fn the_default_encryption_is_set_shown_and_taken_away() {
    let name = make_bucket();
    let url = format!("s3://{name}");
    let home = Home::with_bucket(url.clone(), Some(endpoint()));
    let shown = |words: &[&str]| -> serde_json::Value {
        let all = [&["encryption", &url, "--json"], words].concat();
        serde_json::from_str(&bucket(&home, &all, 0).out).unwrap()
    };
    assert_eq!(shown(&[])["algorithm"], serde_json::Value::Null);
    let set = shown(&["--set", "kms:hushfs-test-key", "--bucket-key", "--yes"]);
    assert_eq!((&set["algorithm"], &set["kms_key"]), (&"aws:kms".into(), &"hushfs-test-key".into()));
    assert_eq!(shown(&[]), set);
    assert_eq!(shown(&["--no-bucket-key", "--yes"])["bucket_key"], false);
    assert_eq!(shown(&["--set", "s3", "--yes"])["algorithm"], "AES256");
    // This server takes the block of SSE-C and forgets it: that must not pass for done.
    let refused = bucket(&home, &["encryption", &url, "--block-sse-c", "--yes"], 18);
    assert!(refused.err.contains("SSE-C is blocked"), "{}", refused.err);
    assert_eq!(shown(&["--remove", "--yes"])["algorithm"], serde_json::Value::Null);
}

/// A command at a terminal that has just asked its question.
struct Asked {
    child: Child,
    keyboard: ChildStdin,
    screen: ChildStdout,
}

/// Starts the command at a terminal of its own and waits for the question.
fn asked(home: &Home, words: &[&str]) -> Asked {
    let line =
        format!("{} bucket {} --ca-bundle {}", env!("CARGO_BIN_EXE_hushfs"), words.join(" "), authority());
    let mut command = Command::new("script");
    command.args(["-qefc", &line, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    home.settle(&mut command);
    let mut child = command.spawn().unwrap();
    let (keyboard, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (mut seen, mut byte) = (String::new(), [0]);
    while !seen.ends_with("[y/N] ") {
        assert_eq!(screen.read(&mut byte).unwrap(), 1, "ended without a question: {seen}");
        seen.push(char::from(byte[0]));
    }
    Asked { child, keyboard, screen }
}

impl Asked {
    /// Types the answer; returns the exit code and the rest of the screen.
    fn answer(mut self, text: &str) -> (Option<i32>, String) {
        writeln!(self.keyboard, "{text}").unwrap();
        let mut seen = String::new();
        self.screen.read_to_string(&mut seen).unwrap();
        (self.child.wait().unwrap().code(), seen)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_made_after_a_yes_only_and_not_of_another_policy_than_was_shown() {
    let name = make_bucket();
    let (owner, before) = with_policy_of_others(&name).await;
    let home = home_at(&name, "vault");
    let url = home.bucket();
    let words = ["policy", &url, "--require-tls", "--apply"];
    assert_eq!(asked(&home, &words).answer("n").0, Some(1));
    assert_eq!(owner.policy().await.unwrap().unwrap(), before);
    let question = asked(&home, &words);
    let other = before.replace("HushfsBucketReaders", "Changed");
    owner.replace_policy(&other).await.unwrap();
    let (code, seen) = question.answer("y");
    assert_eq!(code, Some(1), "{seen}");
    assert!(seen.contains("somebody else has changed the policy just now"), "{seen}");
    assert_eq!(owner.policy().await.unwrap().unwrap(), other);
    assert_eq!(asked(&home, &words).answer("y").0, Some(0));
    assert!(owner.policy().await.unwrap().unwrap().contains("PlainHttp"));
    // The same of the default encryption.
    bucket(&home, &["encryption", &url, "--set", "s3", "--yes"], 0);
    let question = asked(&home, &["encryption", &url, "--remove"]);
    bucket(&home, &["encryption", &url, "--set", "kms:hushfs-test-key", "--yes"], 0);
    assert_eq!(question.answer("y").0, Some(1));
    let shown = bucket(&home, &["encryption", &url], 0);
    assert!(shown.out.contains("aws:kms"), "{}", shown.out);
}
