//! Targets for the fuzzers: age files in key slots, recipients, and what a plugin wants the user to see.

use std::sync::Arc;

use super::conversation::printable;
use super::wrap::parse;
use super::{Conversation, unwrap};
use crate::base::turns_text;
use crate::crypto::SecretBytes;
use crate::fuzzing::{Target, assert_tame, text};

pub(crate) static TARGETS: [Target; 3] = [
    Target::new("age_file", &["age_keys/unwrap.rs: unwrap"], age_file).plus(1 << 20),
    Target::new("age_recipient", &["age_keys/wrap.rs: parse"], age_recipient).plus(1 << 20),
    Target::new("age_plugin_words", &["age_keys/conversation.rs: printable"], age_plugin_words),
];

/// Made for this; the same as the fixture's.
const IDENTITY: &[u8] = include_bytes!("../../tests/fixtures/sealing/slot.age-identity");

struct Nobody;

impl Conversation for Nobody {
    fn show(&self, message: &str) {
        assert_tame(message);
    }

    fn confirm(&self, _: &str, _: &str, _: Option<&str>) -> Option<bool> {
        None
    }

    fn ask(&self, _: &str) -> Option<String> {
        None
    }

    fn ask_secret(&self, _: &str) -> Option<SecretBytes> {
        None
    }
}

/// Anybody who knows the recipient can make a file that opens; what counts is that the rest is an error in words.
fn age_file(bytes: &[u8]) {
    let identities = SecretBytes::new(IDENTITY.to_vec());
    if let Err(error) = unwrap(bytes, &identities, Arc::new(Nobody)) {
        assert_tame(&error.to_string());
    }
}

fn age_recipient(bytes: &[u8]) {
    if let Some(text) = text(bytes)
        && let Err(error) = parse(text, Arc::new(Nobody))
    {
        assert_tame(&error.to_string());
    }
}

/// What reaches the terminal moves no cursor and turns no text around; plain words stay as they are.
fn age_plugin_words(bytes: &[u8]) {
    let Some(words) = text(bytes) else { return };
    let shown = printable(words);
    assert_tame(&shown);
    assert!(!shown.chars().any(turns_text));
    assert_eq!(printable(&shown), shown);
    if words.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        assert_eq!(shown, words);
    }
}
