//! Targets for the fuzzers: locations, keys, settings of encryption, the lock object, bucket policies.

use super::encryption::{EncryptionContext, ServerEncryption, StoredEncryption};
use super::key::{check_key, check_prefix};
use super::location::Location;
use super::lock;
use super::policy::{Merge, PolicyDocument, Requirements, Scope, Topic};
use super::range::{check_range, resolve_range};
use super::s3;
use crate::fuzzing::{Target, assert_tame, text};

pub(crate) static TARGETS: [Target; 7] = [
    Target::new(
        "location",
        &[
            "object/location.rs: parse",
            "object/location.rs: from_str",
            "object/location.rs: parse_folder",
            "object/location.rs: parse_s3",
        ],
        location,
    ),
    Target::new("object_key", &["object/key.rs: check_key", "object/key.rs: check_prefix"], object_key),
    Target::new(
        "server_encryption",
        &[
            "object/encryption/setting.rs: from_str",
            "object/encryption/setting.rs: parse",
            "object/s3/transport/tls.rs: from_str",
        ],
        server_encryption,
    ),
    Target::new(
        "stored_encryption",
        &["object/encryption/stored.rs: repeats", "object/encryption/stored.rs: from_slice"],
        stored_encryption,
    ),
    Target::new("single_writer_lock", &["object/lock.rs: decode"], single_writer_lock),
    Target::new(
        "s3_answer",
        &[
            "object/s3/get.rs: extent_of",
            "object/s3/list.rs: unescape_key",
            "object/s3/mod.rs: unquote",
            "object/s3/error.rs: kind_of_reply",
        ],
        s3_answer,
    ),
    Target::new(
        "bucket_policy",
        &[
            "object/policy/document.rs: parse",
            "object/policy/document.rs: from_str",
            "object/policy/demanded.rs: from_str",
            "object/policy/statement.rs: parse",
            "object/policy/statement.rs: from_str",
        ],
        bucket_policy,
    ),
];

fn location(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    match Location::parse(text) {
        Ok(location) => {
            let shown = location.to_string();
            assert_eq!(shown.parse().as_ref(), Ok(&location), "{shown:?} is another place");
            if let Location::S3 { bucket, prefix } = &location {
                assert!((3..=63).contains(&bucket.len()) && !bucket.contains('/'));
                assert!(prefix.is_empty() || check_key("open", prefix).is_ok());
            }
        }
        Err(error) => assert_tame(&error.to_string()),
    }
}

fn object_key(bytes: &[u8]) {
    let Some(key) = text(bytes) else { return };
    if check_key("get", key).is_ok() {
        let parts = std::path::Path::new(key).components();
        assert!(
            parts.into_iter().all(|part| matches!(part, std::path::Component::Normal(_))),
            "{key:?} leads out"
        );
        assert_tame(key);
        assert!(check_prefix(key).is_ok() && check_prefix(&format!("{key}/")).is_ok());
    }
}

fn server_encryption(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let mut lines = text.split('\n');
    let kind = lines.next().unwrap_or_default();
    match kind.parse::<ServerEncryption>() {
        Ok(kind) => assert_eq!(kind.to_string().parse(), Ok(kind)),
        Err(error) => assert_tame(&error.to_string()),
    }
    if let Ok(least) = kind.parse::<s3::transport::TlsMin>() {
        assert!(["1.2", "1.3"].contains(&kind), "{kind:?} is {least:?}");
    }
    if let Ok(context) = EncryptionContext::parse(lines) {
        assert!(context.pairs().len() <= EncryptionContext::MAX_PAIRS);
        let pairs: Vec<String> = context.pairs().map(|(name, value)| format!("{name}={value}")).collect();
        // A name that holds an equals sign could not be written back; the first one ends it.
        assert_eq!(EncryptionContext::parse(pairs.iter().map(String::as_str)), Ok(context));
    }
}

fn stored_encryption(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let mut lines = text.split('\n').map(|line| Some(line.to_owned()).filter(|line| !line.is_empty()));
    let mut next = || lines.next().flatten();
    let said = StoredEncryption {
        algorithm: next(),
        kms_key: next(),
        context: next(),
        bucket_key: next().is_some(),
        customer_algorithm: next(),
        customer_key_md5: next(),
    };
    let context = EncryptionContext::parse(["team=home"]).expect("a pair");
    let asked = ServerEncryption::Kms { key: Some("alias/k".into()), context, bucket_key: true };
    if said.check_written(&asked, None).is_ok() {
        assert!(said.algorithm.as_deref() == Some("aws:kms") && said.bucket_key && !said.is_customer());
    }
    if said.check_written(&ServerEncryption::Customer, Some("md5")).is_ok() {
        assert_eq!(said.customer_key_md5.as_deref(), Some("md5"));
    }
    assert_tame(&said.to_string());
    assert_tame(&said.mismatch(&asked).to_string());
}

fn single_writer_lock(bytes: &[u8]) {
    match lock::decode(bytes) {
        Ok(holder) => assert_tame(&holder.to_string()),
        Err(error) => assert_tame(&error.to_string()),
    }
}

/// The length of a body in eight bytes, then, line by line, what an answer says in its headers.
fn s3_answer(bytes: &[u8]) {
    let Some((len, rest)) = bytes.split_first_chunk::<8>() else { return };
    let len = u64::from_le_bytes(*len);
    let Some(text) = text(rest) else { return };
    let mut lines = text.split('\n');
    let content_range = lines.next();
    if let Some((start, object_len)) = s3::fuzzing::extent_of(content_range, len) {
        assert!(start.checked_add(len).is_some_and(|end| end <= object_len), "a part beyond its object");
        for wanted in [0..1, start..start.saturating_add(len), 5..u64::MAX] {
            if check_range("k", &wanted).is_ok()
                && let Ok(range) = resolve_range("k", Some(&wanted), object_len)
            {
                assert!(range.start < range.end && range.end <= object_len);
            }
        }
    }
    let etag = lines.next();
    if let Some(etag) = s3::fuzzing::unquote(etag) {
        assert!(!etag.is_empty());
        assert_tame(&etag);
    }
    s3::fuzzing::kind_of_reply(lines.next(), (len % 1000) as u16);
    for name in lines {
        assert!(s3::fuzzing::unescape_key(name).len() <= name.len(), "a name that has grown");
    }
}

/// What others wrote survives our coming and our going.
fn bucket_policy(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let document = match PolicyDocument::parse(text) {
        Ok(document) => document,
        Err(error) => return assert_tame(&error.to_string()),
    };
    let scope = Scope::new("aws", "bucket", "home").expect("no pattern");
    if let Some(kind) = Requirements::encryption_demanded_by(&document, &scope) {
        assert_eq!(kind.to_string().parse().as_ref(), Ok(&kind), "it can be asked for");
    }
    let tls = Requirements { tls: Some(super::s3::transport::TlsMin::V12), ..Requirements::default() };
    let ours = tls.statements(&scope).expect("nothing depends on the input");
    let others = |document: &PolicyDocument| -> Vec<String> {
        let others = document.statements().iter().filter(|statement| statement.topic(&scope).is_none());
        others.map(|statement| statement.json().to_owned()).collect()
    };
    let merged = Merge::demand(Some(&document), &scope, &[Topic::Tls], ours).expect("nothing to refuse");
    let merged = merged.document.expect("ours are in it");
    assert_eq!(others(&merged), others(&document), "others' statements changed");
    let left = Merge::withdraw(&merged, &scope).document;
    assert_eq!(left.as_ref().map(others).unwrap_or_default(), others(&document));
    if let Ok(wire) = merged.to_wire() {
        let again = PolicyDocument::parse(&wire).expect("what we wrote");
        assert_eq!(again.to_wire().ok(), Some(wire), "another spelling of a policy");
    }
}
