//! Targets for the fuzzers: what comes over the control socket and the pipe of a mount in the background, and what people
//! and mount(8) write.

use std::ffi::OsString;

use super::bucket::audit::fuzzing as audit;
use super::control::{Reply, Request};
use super::invocation;
use super::kept::limit;
use super::mount::fuzzing as mount;
use super::size::parse_size;
use super::unlock::RawCredential;
use crate::base::VolumeId;
use crate::crypto::SecretKey;
use crate::fuzzing::{Target, text};
use crate::keyring::SlotKind;

pub(crate) static TARGETS: [Target; 7] = [
    Target::new("control_request", &["cli/control/server.rs: from_str"], control_request),
    Target::new(
        "control_reply",
        &["cli/control/client.rs: from_str", "cli/control/client.rs: receive"],
        control_reply,
    ),
    Target::new(
        "mount_pipe",
        &["cli/mount/background.rs: from_slice", "cli/mount/background.rs: from_str"],
        mount::mount_pipe,
    ),
    // The longest credential is taken at its word: 64 KiB.
    Target::new(
        "credential",
        &["cli/unlock/raw_credential.rs: receive", "cli/unlock/raw_credential.rs: into_credential"],
        credential,
    )
    .plus(256 << 10),
    Target::new(
        "policy_effect",
        &[
            "cli/bucket/audit/judge.rs: parsed",
            "cli/bucket/audit/judge.rs: from_str",
            "cli/demanded.rs: from_str",
        ],
        audit::policy_effect,
    ),
    Target::new("size", &["cli/size.rs: parse_size", "cli/kept/limit.rs: parse"], size),
    // The argument parser builds its table of all commands each time.
    Target::new("arguments", &["cli/invocation.rs: parse"], arguments).plus(16 << 20),
];

fn control_request(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if let Ok(request) = serde_json::from_str::<Request>(text) {
        let again = serde_json::to_string(&request).expect("JSON");
        assert_eq!(serde_json::from_str::<Request>(&again).ok(), Some(request));
    }
}

fn control_reply(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if let Ok(reply) = serde_json::from_str::<Reply>(text) {
        let again = serde_json::to_string(&reply).expect("JSON");
        assert!(serde_json::from_str::<Reply>(&again).is_ok(), "a reply does not read back");
    }
}

fn credential(bytes: &[u8]) {
    let mut pipe = bytes;
    let Ok(received) = RawCredential::receive(&mut pipe) else { return };
    let mut sent = Vec::new();
    received.send(&mut sent).expect("a vector takes everything");
    let again = RawCredential::receive(&mut sent.as_slice()).expect("what was sent");
    assert!(again.kind() == received.kind() && again.secret().expose() == received.secret().expose());
    assert_eq!(again.trust(), received.trust());
    let outside = received.secret().len() == SecretKey::LEN;
    let kind = received.kind();
    if received.into_credential(VolumeId([7; 16])).is_ok() {
        assert!(outside || !matches!(kind, Some(SlotKind::Kms | SlotKind::Age)));
    }
}

fn size(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if let Ok(size) = parse_size(text) {
        assert_eq!(parse_size(&size.to_string()), Ok(size));
    }
    if let Ok(limit) = limit::parse(text) {
        assert_eq!(limit::parse(&format!("{}s", limit.as_secs())), Ok(limit));
    }
}

/// One argument a line, as mount(8) passes an fstab's line.
fn arguments(bytes: &[u8]) {
    use std::os::unix::ffi::OsStringExt;
    let words: Vec<OsString> =
        bytes.split(|byte| *byte == b'\n').take(16).map(|word| OsString::from_vec(word.to_vec())).collect();
    // Help and version end a process, but only when an error is told to.
    drop(invocation::parse(&words));
}
