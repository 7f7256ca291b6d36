//! Which keys and list prefixes every backend accepts.
//!
//! One rule for all stores, so that a volume can be copied from a folder to S3 and back: a key that is
//! fine in one must not turn into a path outside the bucket in another.

use std::fmt;

use super::error::{BucketError, BucketResult, ErrorKind};

/// S3's limit for a whole key in bytes (including the volume's prefix, which the store checks).
pub const MAX_KEY_LEN: usize = 1024;
/// The longest part of a key in bytes: what a file name may have.
pub const MAX_PART_LEN: usize = 255;

/// Why a key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct BadKey(&'static str);

impl fmt::Display for BadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for BadKey {}

/// Accepts a relative key: non-empty parts separated by `/`, none of them `.` or `..`, no control
/// characters, within [`MAX_KEY_LEN`] and [`MAX_PART_LEN`].
///
/// # Errors
/// `Invalid` with the reason, in the name of `operation`.
pub fn check_key(operation: &'static str, key: &str) -> BucketResult<()> {
    examine(key).map_err(|bad| BucketError::new(ErrorKind::Invalid, operation, key, bad))
}

/// Accepts a list prefix: empty, or the beginning of a valid key (it may end in `/` or inside a part).
///
/// # Errors
/// `Invalid` with the reason.
pub fn check_prefix(prefix: &str) -> BucketResult<()> {
    let parts = prefix.strip_suffix('/').unwrap_or(prefix);
    if prefix.is_empty() {
        return Ok(());
    }
    examine(parts).map_err(|bad| BucketError::new(ErrorKind::Invalid, "list", prefix, bad))
}

fn examine(key: &str) -> Result<(), BadKey> {
    if key.is_empty() {
        return Err(BadKey("a key cannot be empty"));
    }
    if key.len() > MAX_KEY_LEN {
        return Err(BadKey("a key has at most 1024 bytes"));
    }
    if key.chars().any(char::is_control) {
        return Err(BadKey("a key has no control characters"));
    }
    for part in key.split('/') {
        match part {
            "" => return Err(BadKey("a key has no empty part, no leading and no trailing slash")),
            "." | ".." => return Err(BadKey("a key has no `.` or `..` part")),
            part if part.len() > MAX_PART_LEN => return Err(BadKey("a part of a key has at most 255 bytes")),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_could_escape_or_collide_are_refused() {
        let long = "x".repeat(MAX_PART_LEN + 1);
        let deep = ["abc"; 300].join("/");
        for key in
            ["", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a\0b", "a\nb", &long, &deep]
        {
            let error = check_key("put", key).unwrap_err();
            assert_eq!((error.kind, error.operation), (ErrorKind::Invalid, "put"), "{key:?}");
        }
        for key in ["volume", "log/0000000000000001", "data/1/ab/...", "ä b/%2e%2e"] {
            check_key("put", key).unwrap();
        }
    }

    #[test]
    fn a_prefix_is_the_beginning_of_a_key() {
        for prefix in ["", "log/", "log/00", "data/1/ab/"] {
            check_prefix(prefix).unwrap();
        }
        for prefix in ["/", "..", "../", "a//", "/a", "a/../"] {
            assert_eq!(check_prefix(prefix).unwrap_err().kind, ErrorKind::Invalid, "{prefix:?}");
        }
    }
}
