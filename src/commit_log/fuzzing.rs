//! Targets for the fuzzers: entries and their names.

use super::entry::Entry;
use super::sealed::{entry_key, parse_key};
use crate::fuzzing::{Target, text};

pub(crate) static TARGETS: [Target; 2] = [
    Target::new("log_entry", &["commit_log/entry.rs: decode"], log_entry),
    Target::new("log_key", &["commit_log/sealed.rs: parse_key"], log_key),
];

fn log_entry(bytes: &[u8]) {
    if let Ok(entry) = Entry::decode(bytes) {
        assert_eq!(entry.encode(), bytes, "another spelling of an entry");
        assert!(entry.checkpoint.seq < entry.seq);
    }
}

fn log_key(bytes: &[u8]) {
    let Some(key) = text(bytes) else { return };
    if let Some(seq) = parse_key(key) {
        assert_eq!(entry_key(seq), key, "another spelling of a name");
    }
}
