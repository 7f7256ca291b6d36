//! Names of directory entries: any bytes but NUL and `/`, at most 255 of them.

use super::error::FsError;
use crate::meta::record::MAX_NAME;

/// Checks a name that the kernel passed on. The kernel itself refuses NUL, `/`, and resolves `.` and `..`
/// before it asks to create anything, but it lets longer names through.
///
/// # Errors
/// `NameTooLong` above 255 bytes; `Invalid` for what no entry can be called.
pub fn check(name: &[u8]) -> Result<(), FsError> {
    if name.len() > MAX_NAME {
        return Err(FsError::NameTooLong);
    }
    if name.is_empty() || name == b"." || name == b".." || name.iter().any(|byte| matches!(byte, 0 | b'/')) {
        return Err(FsError::Invalid("name of an entry"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_any_255_bytes() {
        assert!(check(&[0xff; 255]).is_ok());
        assert!(check(b"\n *?\xc3\x28").is_ok());
        assert!(matches!(check(&[b'a'; 256]), Err(FsError::NameTooLong)));
        for name in [b"".as_slice(), b".", b"..", b"a/b", b"a\0b"] {
            assert!(matches!(check(name), Err(FsError::Invalid(_))), "{name:?}");
        }
    }
}
