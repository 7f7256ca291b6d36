//! Each verdict for each finding.

use clap::Parser;
use serde_json::json;

use super::findings::{Findings, FoundSlot, Group, Known, Secret, Standing};
use super::judge::judge;
use super::remedy::Remedy;
use super::row::{Row, Verdict};
use crate::cli::bucket_args::S3Args;
use crate::crypto::Cost;
use crate::object::{
    BucketDefault, LifecycleRule, LinkStatus, ObjectLock, PublicAccessBlock, ServerEncryption, Uploads,
    Versioning,
};

fn kind(text: &str) -> ServerEncryption {
    text.parse().unwrap()
}

/// A bucket in which everything is as it should be, and a volume that writes `kms:k`.
fn good() -> Findings {
    let mut findings = Findings::of_folder("s3://bucket/home".into());
    findings.folder = false;
    findings.bucket_name = "bucket".into();
    findings.prefix = "home/".into();
    findings.link = LinkStatus::Tls {
        version: "1.3".into(),
        cipher: "TLS13_AES_256_GCM_SHA384".into(),
        insecure_http: false,
    };
    let default = BucketDefault { algorithm: Some("AES256".into()), ..BucketDefault::default() };
    findings.default = Known::Is(default);
    findings.policy = Known::Is(Some(policy(&["tls", "lists", "missing", "other"])));
    let block =
        PublicAccessBlock { block_acls: true, ignore_acls: true, block_policy: true, restrict_buckets: true };
    findings.public_block = Known::Is(Some(block));
    findings.public_policy = Known::Is(false);
    findings.versioning = Known::Is(Versioning::On);
    findings.object_lock = Known::Is(ObjectLock::default());
    findings.lifecycle = Known::Is(vec![LifecycleRule { aborts_uploads: true, ..LifecycleRule::default() }]);
    findings.uploads = Known::Is(Uploads::default());
    findings.secret = Some(Secret { kinds: vec![kind("kms:k"), kind("s3")], epoch: 2 });
    let strong = FoundSlot { kind: "passphrase".into(), id: "aa".into(), cost: Some(Cost::STANDARD) };
    let code = FoundSlot { kind: "recovery-code".into(), id: "bb".into(), cost: None };
    findings.slots = vec![strong, code];
    findings.objects.own = 10;
    findings.objects.looked_at = 10;
    findings.objects.encryption = vec![group("aws:kms, key k", Standing::Current)];
    findings.objects.epochs = vec![(2, 10)];
    findings
}

fn policy(parts: &[&str]) -> String {
    let deny = |condition| {
        json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::bucket/*",
               "Condition": condition})
    };
    let deny_writes = |condition| {
        json!({"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::bucket/home/*",
               "Condition": condition})
    };
    let statements = parts.iter().map(|part| match *part {
        "tls" => deny(json!({"Bool": {"aws:SecureTransport": "false"}})),
        "lists" => json!({
            "Effect": "Deny", "Principal": "*", "Action": ["s3:ListBucket", "s3:ListBucketVersions"],
            "Resource": "arn:aws:s3:::bucket",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}, "StringLike": {"s3:prefix": "home/*"}},
        }),
        "missing" => deny_writes(json!({"Null": {"s3:x-amz-server-side-encryption": "true"}})),
        "other" => {
            deny_writes(json!({"StringNotEqualsIfExists": {"s3:x-amz-server-side-encryption": "aws:kms"}}))
        }
        "kms" => deny_writes(json!({"StringEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}})),
        _ => deny(json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})),
    });
    json!({"Version": "2012-10-17", "Statement": statements.collect::<Vec<_>>()}).to_string()
}

fn group(says: &str, standing: Standing) -> Group {
    Group { says: says.into(), standing, count: 3, examples: vec!["data/1/ab/cd".into()] }
}

fn row(findings: &Findings, check: &str) -> Row {
    let rows = judge(findings);
    rows.into_iter().find(|row| row.check == check).unwrap_or_else(|| panic!("no row {check}"))
}

/// A remedy that begins as a command is one that can be typed as it stands.
fn can_be_typed(remedy: &str) {
    // What follows words of explanation is a command, too: it gets the options that reach the server.
    if let Some(words) = remedy.strip_prefix("hushfs ").or_else(|| Some(remedy.split_once(": hushfs ")?.1)) {
        let first = words.split(" && ").next().unwrap();
        let words = std::iter::once("hushfs").chain(first.split_whitespace());
        crate::cli::args::Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{remedy}: {error}"));
    }
    if remedy.starts_with("hushfs ") || remedy.starts_with("aws ") {
        let shell = std::process::Command::new("bash").args(["-n", "-c", remedy]).output().unwrap();
        assert!(shell.status.success(), "{remedy}: {}", String::from_utf8_lossy(&shell.stderr));
        assert!(!remedy.contains(", then"), "{remedy}");
    }
}

/// Changes the good bucket and expects a verdict; what is not ok has a remedy, but for what nobody can tell.
fn expect(check: &str, verdict: Verdict, words: &str, change: impl FnOnce(&mut Findings)) {
    let mut findings = good();
    change(&mut findings);
    let row = row(&findings, check);
    assert_eq!(row.verdict, verdict, "{row:?}");
    assert!(row.finding.contains(words), "{words}: {row:?}");
    assert_eq!(
        row.remedy == Remedy::none(),
        matches!(verdict, Verdict::Ok | Verdict::NotApplicable),
        "{row:?}"
    );
    can_be_typed(&row.remedy.reaching(&S3Args::default()));
}

#[test]
fn a_good_bucket_passes_every_check() {
    let rows = judge(&good());
    assert_eq!(rows.len(), 15);
    for row in rows {
        assert_eq!((row.verdict, &row.remedy), (Verdict::Ok, &Remedy::none()), "{row:?}");
    }
}

#[test]
fn the_connection_must_be_protected_on_its_way() {
    let http = |loopback| LinkStatus::PlainHttp { loopback, insecure_http: true };
    expect("connection", Verdict::Warn, "within this machine", |it| it.link = http(true));
    expect("connection", Verdict::Fail, "NOT PROTECTED", |it| it.link = http(false));
}

#[test]
fn a_default_is_missed_where_the_volume_relies_on_it() {
    let none = || Known::Is(BucketDefault::default());
    let bucket = || Some(Secret { kinds: vec![kind("bucket")], epoch: 2 });
    expect("default-encryption", Verdict::Ok, "asks for kms:k itself", |it| it.default = none());
    expect("default-encryption", Verdict::Warn, "none", |it| (it.default, it.secret) = (none(), bucket()));
    expect("default-encryption", Verdict::Warn, "none", |it| (it.default, it.secret) = (none(), None));
    expect("default-encryption", Verdict::Fail, "SSE-C", |it| {
        it.secret = Some(Secret { kinds: vec![kind("customer")], epoch: 2 });
        it.default = Known::Is(BucketDefault { blocks_customer_keys: true, ..BucketDefault::default() });
    });
}

#[test]
fn a_policy_is_judged_by_what_it_does() {
    let set =
        |parts: &'static [&'static str]| move |it: &mut Findings| it.policy = Known::Is(Some(policy(parts)));
    expect("policy-tls", Verdict::Warn, "no policy", |it| it.policy = Known::Is(None));
    expect("policy-tls", Verdict::Warn, "does not deny", set(&["missing", "other"]));
    expect("policy-tls", Verdict::Warn, "not for lists", set(&["tls"]));
    expect("policy-tls", Verdict::Unknown, "not understand", set(&["address"]));
    expect("policy-tls", Verdict::Unknown, "no JSON", |it| it.policy = Known::Is(Some("{".into())));
    expect("policy-encryption", Verdict::Warn, "no policy", |it| it.policy = Known::Is(None));
    // An absent header is not equal, with IfExists, too.
    expect("policy-encryption", Verdict::Ok, "every write", set(&["tls", "other"]));
    expect("policy-encryption", Verdict::Warn, "lets writes pass", set(&["tls", "missing"]));
    expect("policy-encryption", Verdict::Fail, "denies what the volume writes", set(&["kms"]));
    expect("policy-encryption", Verdict::Ok, "hushfs does", |it| {
        it.policy = Known::Is(Some(policy(&["missing"])));
        it.secret = Some(Secret { kinds: vec![kind("bucket")], epoch: 2 });
    });
    expect("policy-encryption", Verdict::Unknown, "some kind is demanded", |it| it.secret = None);
    expect("policy-encryption", Verdict::Ok, "leaves the choice", |it| {
        it.policy = Known::Is(Some(policy(&["tls"])));
        it.secret = Some(Secret { kinds: vec![kind("bucket")], epoch: 2 });
    });
}

#[test]
fn the_public_stays_outside() {
    let part = PublicAccessBlock { block_acls: true, ..PublicAccessBlock::default() };
    expect("public-access", Verdict::Warn, "in part", |it| it.public_block = Known::Is(Some(part)));
    expect("public-access", Verdict::Warn, "no block", |it| it.public_block = Known::Is(None));
    expect("public-access", Verdict::Fail, "lets the public in", |it| it.public_policy = Known::Is(true));
    // A server that does not say.
    for (principal, condition, verdict) in [
        (r#""*""#, "", Verdict::Fail),
        (r#"{"AWS": ["*"]}"#, "", Verdict::Fail),
        (r#""*""#, r#", "Condition": {"StringEquals": {"aws:SourceVpce": "vpce-1"}}"#, Verdict::Ok),
        (r#"{"AWS": "arn:aws:iam::1:root"}"#, "", Verdict::Ok),
    ] {
        let policy = format!(
            r#"{{"Version": "2012-10-17", "Statement": [{{"Sid": "Theirs", "Effect": "Allow", "Principal": {principal},
                "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/*"{condition}}}]}}"#
        );
        expect("public-access", verdict, "", |it| {
            it.public_policy = Known::Unsupported("501".into());
            it.policy = Known::Is(Some(policy));
        });
    }
}

#[test]
fn deletions_that_cannot_be_undone_and_those_that_cannot_happen_are_told() {
    expect("versioning", Verdict::Warn, "off", |it| it.versioning = Known::Is(Versioning::Off));
    expect("versioning", Verdict::Warn, "suspended", |it| it.versioning = Known::Is(Versioning::Suspended));
    let kept = ObjectLock { enabled: true, default_retention: Some("COMPLIANCE for 30 days".into()) };
    expect("object-lock", Verdict::Warn, "30 days", |it| it.object_lock = Known::Is(kept));
}

#[test]
fn a_lifecycle_rule_that_reaches_the_volumes_objects_fails() {
    let rule =
        |prefix: &str| LifecycleRule { id: "old".into(), prefix: prefix.into(), ..LifecycleRule::default() };
    let expires = |prefix: &str| vec![LifecycleRule { expires: true, ..rule(prefix) }];
    for prefix in ["", "ho", "home/", "home/data/", "home/log/00", "home/volume"] {
        expect("lifecycle-objects", Verdict::Fail, "\"old\" deletes", |it| {
            it.lifecycle = Known::Is(expires(prefix))
        });
    }
    for prefix in ["other/", "home/photos/", "homes/"] {
        expect("lifecycle-objects", Verdict::Ok, "no rule", |it| it.lifecycle = Known::Is(expires(prefix)));
    }
    let glacier = vec![LifecycleRule { transitions: vec!["GLACIER".into()], ..rule("") }];
    expect("lifecycle-objects", Verdict::Fail, "moves to GLACIER", |it| it.lifecycle = Known::Is(glacier));
    let tagged = vec![LifecycleRule { needs_tags: true, expires: true, ..rule("") }];
    expect("lifecycle-objects", Verdict::Ok, "no rule", |it| it.lifecycle = Known::Is(tagged));
    let elsewhere = vec![LifecycleRule { aborts_uploads: true, ..rule("other/") }];
    expect("lifecycle-uploads", Verdict::Warn, "no rule", |it| it.lifecycle = Known::Is(elsewhere));
}

#[test]
fn unfinished_uploads_are_named_tamely() {
    let uploads = Uploads { count: 2, examples: vec!["home/a\u{1b}[2J".into()], ..Uploads::default() };
    expect("incomplete-uploads", Verdict::Warn, "home/a\\u{1b}[2J", |it| it.uploads = Known::Is(uploads));
}

#[test]
fn objects_that_differ_are_told_by_how_much_it_matters() {
    let with = |standing| move |it: &mut Findings| it.objects.encryption.push(group("AES256", standing));
    expect("object-encryption", Verdict::Warn, "3 AES256 (as data/1/ab/cd)", with(Standing::Older));
    expect("object-encryption", Verdict::Fail, "3 AES256 (as data/1/ab/cd)", with(Standing::Wrong));
    expect("object-encryption", Verdict::Warn, "from before the choice was left to the bucket: 3", |it| {
        it.secret = Some(Secret { kinds: vec![kind("bucket"), kind("s3")], epoch: 2 });
        it.objects.encryption.push(group("AES256", Standing::Older));
    });
    expect("object-encryption", Verdict::Unknown, "3 aws:kms", |it| it.secret = None);
    expect("object-encryption", Verdict::Ok, "10 objects of 99 looked at", |it| it.objects.own = 99);
    expect("object-encryption", Verdict::Unknown, "could not be looked at (403)", |it| {
        (it.objects.unread, it.objects.unread_because) = (1, Some("403".into()));
    });
}

#[test]
fn what_is_not_hushfs_or_not_sealed_fails_by_name_and_size() {
    expect("stray-objects", Verdict::Fail, "tax.pdf (2.0 KiB)", |it| it.objects.foreign.add("tax.pdf", 2048));
    expect("sealed-objects", Verdict::Fail, "log/1 (3 bytes)", |it| it.objects.unsealed.add("log/1", 3));
    expect("stray-objects", Verdict::Fail, "7 objects", |it| {
        (0..7).for_each(|number| it.objects.foreign.add(&format!("s{number}"), 1));
    });
    for check in ["stray-objects", "sealed-objects", "object-encryption", "key-epochs"] {
        expect(check, Verdict::Unknown, "403", |it| it.objects.listing_failed = Some("403".into()));
    }
}

#[test]
fn another_volume_in_a_folder_of_this_ones_is_never_to_be_removed() {
    let remedy = |names: &[&str]| {
        let mut findings = good();
        names.iter().for_each(|name| findings.objects.foreign.add(name, 1));
        row(&findings, "stray-objects").remedy.reaching(&S3Args::default())
    };
    let theirs = ["sub/log/0000000000000001", "sub/volume"];
    assert_eq!(remedy(&theirs), "another volume seems to live in sub, whose objects stay");
    let mixed = remedy(&["sub/log/0000000000000001", "sub/tax.pdf"]);
    assert!(mixed.contains("rm s3://bucket/home/sub/tax.pdf") && !mixed.contains("log/"), "{mixed}");
    assert!(remedy(&["tax.pdf"]).starts_with("find out"));
}

#[test]
fn old_epochs_and_weak_slots_are_told() {
    expect("key-epochs", Verdict::Warn, "4 of epoch 1", |it| it.objects.epochs.push((1, 4)));
    expect("key-epochs", Verdict::Ok, "than 2", |it| it.objects.epochs.push((9, 1)));
    expect("key-epochs", Verdict::Warn, "4 of epoch 1", |it| {
        it.objects.epochs.push((1, 4));
        it.secret = None;
    });
    expect("key-slots", Verdict::Warn, "aa (19 MiB, 2 passes)", |it| it.slots[0].cost = Some(Cost::MINIMUM));
    expect("key-slots", Verdict::Warn, "so is the volume", |it| drop(it.slots.pop()));
}

#[test]
fn what_cannot_be_asked_is_unknown_with_its_reason_and_fails_nothing() {
    let mut findings = good();
    findings.policy = Known::Denied("s3:GetBucketPolicy");
    findings.versioning = Known::Unsupported("501 NotImplemented".into());
    findings.uploads = Known::Failed("timed out".into());
    for (check, words, remedy) in [
        ("policy-tls", "not permitted", "allow s3:GetBucketPolicy"),
        ("policy-encryption", "not permitted", "allow s3:GetBucketPolicy"),
        ("versioning", "501 NotImplemented", ""),
        ("incomplete-uploads", "timed out", "try again"),
    ] {
        let row = row(&findings, check);
        assert_eq!(row.verdict, Verdict::Unknown, "{row:?}");
        assert!(row.finding.contains(words) && row.remedy == remedy.into(), "{row:?}");
    }
    assert!(judge(&findings).iter().all(|row| row.verdict != Verdict::Fail));
}

#[test]
fn a_folder_is_judged_by_what_it_has() {
    let mut findings = good();
    findings.folder = true;
    let Findings { secret, slots, objects, .. } = findings;
    let folder = Findings { secret, slots, objects, ..Findings::of_folder("file:///srv/b".into()) };
    let rows = judge(&folder);
    let applicable = rows.iter().filter(|row| row.verdict != Verdict::NotApplicable).map(|row| row.check);
    let applicable: Vec<_> = applicable.collect();
    assert_eq!(applicable, ["stray-objects", "sealed-objects", "key-epochs", "key-slots"]);
}
