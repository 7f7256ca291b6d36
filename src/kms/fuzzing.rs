//! Targets for the fuzzers: the region that a key's name tells. KMS's answers are the SDK's to decode.

use super::region::region_of;
use crate::fuzzing::{Target, text};

pub(crate) static TARGETS: [Target; 1] =
    [Target::new("kms_region", &["kms/region.rs: region_of"], kms_region)];

/// What comes out becomes part of a host name that credentials are sent to.
fn kms_region(bytes: &[u8]) {
    if let Some(region) = text(bytes).and_then(region_of) {
        assert!(
            (4..=32).contains(&region.len())
                && region.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
        );
    }
}
