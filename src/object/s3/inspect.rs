//! One look at an object, for audits: its first bytes and what the server says of its encryption, in one request.

use bytes::Bytes;

use super::S3Bucket;
use crate::object::encryption::StoredEncryption;
use crate::object::error::BucketResult;
use crate::object::key::check_key;

/// What a look shows.
#[derive(Debug, Clone)]
pub struct Inspected {
    /// The first 128 bytes, or all of a shorter object.
    pub start: Bytes,
    pub encryption: StoredEncryption,
}

impl S3Bucket {
    /// Looks at an object under the rules of the moment; make them accept anything first.
    ///
    /// # Errors
    /// `NotFound`; `Encryption` for an object with a customer key that is not known here; `Invalid` for one without a
    /// byte; `Denied`, `Transient`.
    pub async fn inspect(&self, key: &str) -> BucketResult<Inspected> {
        check_key("get", key)?;
        let start = self.read_start(key).await?;
        Ok(Inspected { start: start.bytes, encryption: start.said })
    }
}
