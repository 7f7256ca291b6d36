//! Targets for the fuzzers: access control lists, which applications write and which come back from the bucket.

use super::Acl;
use crate::fuzzing::Target;

pub(crate) static TARGETS: [Target; 1] =
    [Target::new("acl", &["fs/acl/format.rs: decode", "fs/acl/format.rs: from_xattr"], acl)];

/// Entries may come in another order than they are kept in; what is kept reads back as itself.
fn acl(bytes: &[u8]) {
    if let Ok(Some(acl)) = Acl::from_xattr(bytes) {
        let once = acl.to_xattr();
        let again = Acl::from_xattr(&once).ok().flatten().map(|acl| acl.to_xattr());
        assert_eq!(again, Some(once), "a list does not read back");
    }
}
