//! Targets for the fuzzers: the region that a key's name tells, and what is made of KMS's answers beyond what the SDK decodes.

use super::client::may_name;
use super::error::kind_of_reply;
use super::region::region_of;
use crate::fuzzing::{Target, text};

pub(crate) static TARGETS: [Target; 2] = [
    Target::new("kms_region", &["kms/region.rs: region_of"], kms_region),
    Target::new("kms_answer", &["kms/client.rs: may_name", "kms/error.rs: kind_of_reply"], kms_answer),
];

/// What comes out becomes part of a host name that credentials are sent to.
fn kms_region(bytes: &[u8]) {
    if let Some(region) = text(bytes).and_then(region_of) {
        assert!(
            (4..=32).contains(&region.len())
                && region.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
        );
    }
}

/// A status in two bytes, then, line by line, the code of an error, the key that was asked for and the one that was used. No
/// other key than the one that was named passes for it, but where an alias was named.
fn kms_answer(bytes: &[u8]) {
    let Some((status, rest)) = bytes.split_first_chunk() else { return };
    let Some(text) = text(rest) else { return };
    let mut lines = text.split('\n');
    let mut next = || lines.next().unwrap_or_default();
    let (code, asked, used) = (next(), next(), next());
    kind_of_reply((!code.is_empty()).then_some(code), u16::from_le_bytes(*status));
    if may_name(asked, used) && !asked.contains("alias/") {
        let id = |name: &str| name.rsplit(":key/").next().map(str::to_owned);
        assert_eq!(id(asked), id(used), "{asked:?} and {used:?} are two keys");
        assert!(!(asked.starts_with("arn:") && used.starts_with("arn:")) || asked == used);
    }
}
