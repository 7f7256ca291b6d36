//! GetBucketVersioning: whether what is overwritten and deleted stays.

use aws_sdk_s3::types::BucketVersioningStatus;

use super::{ask, repeated};
use crate::object::error::BucketResult;
use crate::object::s3::S3Bucket;

/// What becomes of an object that is overwritten or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versioning {
    /// It is gone: versioning was never on.
    Off,
    /// It stays as an old version.
    On,
    /// It is gone, but versions from earlier stay.
    Suspended,
}

impl S3Bucket {
    /// Reads the bucket's versioning.
    ///
    /// # Errors
    /// `Denied` without `s3:GetBucketVersioning`; `Unsupported` where the server does not know the question.
    pub async fn versioning(&self) -> BucketResult<Versioning> {
        let request = self.client.get_bucket_versioning().bucket(&self.bucket).customize();
        let reply = ask("get", "?versioning", request.config_override(repeated()).send()).await?;
        Ok(match reply.status() {
            Some(BucketVersioningStatus::Enabled) => Versioning::On,
            Some(_) => Versioning::Suspended,
            None => Versioning::Off,
        })
    }
}
