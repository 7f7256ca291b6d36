//! Whole objects of a length that is known not to be exceeded.

use bytes::Bytes;

use super::bucket::{Bucket, Fetched};
use super::error::{BucketError, BucketResult, ErrorKind};

/// Reads an object of at most `most` bytes. Asks for one byte more than that and no further, so that a store that has
/// put something huge in its place costs neither memory nor time.
///
/// # Errors
/// As [`Bucket::get`]; `Corrupt` for a longer object, and for a body that is not the whole object.
pub async fn get_at_most(bucket: &dyn Bucket, key: &str, most: u64) -> BucketResult<Fetched> {
    let corrupt = |why: String| BucketError::new(ErrorKind::Corrupt, "get", key, why);
    let fetched = match bucket.get(key, Some(0..most.saturating_add(1))).await {
        // An empty object has no range at all (RFC 9110, 15.5.17).
        Err(error) if error.kind == ErrorKind::Invalid => {
            let info = bucket.head(key).await?;
            if info.len != 0 {
                return Err(error);
            }
            return Ok(Fetched { bytes: Bytes::new(), etag: info.etag, object_len: 0 });
        }
        reply => reply?,
    };
    let got = fetched.bytes.len() as u64;
    if fetched.object_len > most || got > most {
        let len = fetched.object_len.max(got);
        return Err(corrupt(format!(
            "the object has {len} bytes, and what belongs there has at most {most}"
        )));
    }
    if got != fetched.object_len {
        return Err(corrupt(format!("{got} of the object's {} bytes were sent", fetched.object_len)));
    }
    Ok(fetched)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::object::{Liar, MemoryBucket};

    #[tokio::test]
    async fn objects_up_to_the_bound_are_read_whole_and_longer_ones_refused() {
        let memory = MemoryBucket::new();
        for len in [0, 1, 9, 10] {
            memory.overwrite_raw("a", vec![7; len]);
            assert_eq!(get_at_most(&memory, "a", 10).await.unwrap().bytes, vec![7; len]);
        }
        for len in [11, 10_000] {
            memory.overwrite_raw("a", vec![7; len]);
            assert_eq!(get_at_most(&memory, "a", 10).await.unwrap_err().kind, ErrorKind::Corrupt);
        }
        assert_eq!(get_at_most(&memory, "b", 10).await.unwrap_err().kind, ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn a_body_that_is_not_what_was_announced_is_refused() {
        let memory = MemoryBucket::new();
        memory.overwrite_raw("a", vec![7; 5]);
        let liar = Liar::new(Arc::new(memory));
        for (bytes, object_len) in
            [(vec![7; 4], 5), (vec![7; 6], 5), (vec![7; 5], u64::MAX), (vec![7; 50], 5)]
        {
            liar.on_get(move |_, reply| {
                reply.map(|fetched| Fetched { bytes: bytes.clone().into(), object_len, ..fetched })
            });
            assert_eq!(get_at_most(&liar, "a", 10).await.unwrap_err().kind, ErrorKind::Corrupt);
        }
    }
}
