//! The meaning of a byte range, the same in every store.

use std::ops::Range;

use super::error::{BucketError, BucketResult, ErrorKind};

/// Cuts `range` (or the whole object) at the object's end.
///
/// # Errors
/// `Invalid` when the range is empty, reversed, or starts at or past the end.
pub fn resolve_range(key: &str, range: Option<&Range<u64>>, object_len: u64) -> BucketResult<Range<u64>> {
    let Some(range) = range else { return Ok(0..object_len) };
    check_range(key, range)?;
    if range.start >= object_len {
        let why = format!("the range starts at {} in an object of {object_len} bytes", range.start);
        return Err(BucketError::new(ErrorKind::Invalid, "get", key, why));
    }
    Ok(range.start..range.end.min(object_len))
}

/// Refuses ranges that can be seen to be wrong without knowing the object.
///
/// # Errors
/// `Invalid` when the range is empty or reversed.
pub fn check_range(key: &str, range: &Range<u64>) -> BucketResult<()> {
    if range.is_empty() {
        let why = format!("the range {}..{} holds no bytes", range.start, range.end);
        return Err(BucketError::new(ErrorKind::Invalid, "get", key, why));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_at_the_end_and_refused_beyond_it() {
        assert_eq!(resolve_range("k", None, 10).unwrap(), 0..10);
        assert_eq!(resolve_range("k", Some(&(3..7)), 10).unwrap(), 3..7);
        assert_eq!(resolve_range("k", Some(&(3..u64::MAX)), 10).unwrap(), 3..10);
        for bad in [10..11, 11..12, 3..3] {
            assert_eq!(resolve_range("k", Some(&bad), 10).unwrap_err().kind, ErrorKind::Invalid);
        }
        assert!(resolve_range("k", Some(&(0..1)), 0).is_err());
    }
}
