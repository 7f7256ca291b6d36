//! GetBucketPolicy, PutBucketPolicy, DeleteBucketPolicy: the policy as text; what it says is read in `object::policy`.
//!
//! S3 has no conditional writes for it: whoever changes it reads it again right before.

use super::{ask, is_refused_with, repeated, unless_missing};
use crate::object::error::BucketResult;
use crate::object::policy::partition_of;
use crate::object::s3::S3Bucket;
use crate::object::s3::configuration::FALLBACK_REGION;

/// How S3 says that a bucket has no policy.
const NONE: &str = "NoSuchBucketPolicy";
const POLICY: &str = "?policy";

impl S3Bucket {
    /// The bucket's policy, byte for byte; `None` where it has none.
    ///
    /// # Errors
    /// `Denied` without `s3:GetBucketPolicy`.
    pub async fn policy(&self) -> BucketResult<Option<String>> {
        let request = self.client.get_bucket_policy().bucket(&self.bucket).customize();
        let reply = ask("get", POLICY, request.config_override(repeated()).send()).await;
        Ok(unless_missing(reply, NONE)?.and_then(|reply| reply.policy))
    }

    /// Replaces the bucket's policy as a whole.
    ///
    /// # Errors
    /// `Denied` without `s3:PutBucketPolicy`; `Invalid` for one that the server does not take.
    pub async fn replace_policy(&self, text: &str) -> BucketResult<()> {
        let request = self.client.put_bucket_policy().bucket(&self.bucket).policy(text).customize();
        ask("put", POLICY, request.config_override(repeated()).send()).await.map(|_| ())
    }

    /// Takes the bucket's policy away. One that is gone already is no error.
    ///
    /// # Errors
    /// `Denied` without `s3:DeleteBucketPolicy`.
    pub async fn delete_policy(&self) -> BucketResult<()> {
        let request = self.client.delete_bucket_policy().bucket(&self.bucket).customize();
        match ask("delete", POLICY, request.config_override(repeated()).send()).await {
            Err(error) if !is_refused_with(&error, NONE) => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// AWS's name of the group of Regions that the bucket is in, for ARNs.
    pub fn partition(&self) -> &'static str {
        partition_of(self.client.config().region().map_or(FALLBACK_REGION, |region| region.as_ref()))
    }
}
