//! GetPublicAccessBlock and GetBucketPolicyStatus: whether strangers can get at the bucket.

use super::{ask, repeated, unless_missing};
use crate::object::error::BucketResult;
use crate::object::s3::S3Bucket;

/// How S3 says that a bucket has no block.
const NONE: &str = "NoSuchPublicAccessBlockConfiguration";
/// And no policy.
const NO_POLICY: &str = "NoSuchBucketPolicy";

/// The four switches that keep the public out. An account may have its own besides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PublicAccessBlock {
    pub block_acls: bool,
    pub ignore_acls: bool,
    pub block_policy: bool,
    pub restrict_buckets: bool,
}

impl PublicAccessBlock {
    /// True when all four are on.
    pub fn is_complete(&self) -> bool {
        self.block_acls && self.ignore_acls && self.block_policy && self.restrict_buckets
    }
}

impl S3Bucket {
    /// Reads the bucket's block of public access; `None` where it has none of its own.
    ///
    /// # Errors
    /// `Denied` without `s3:GetBucketPublicAccessBlock`; `Unsupported` where the server does not know the question.
    pub async fn public_access_block(&self) -> BucketResult<Option<PublicAccessBlock>> {
        let request = self.client.get_public_access_block().bucket(&self.bucket).customize();
        let reply = ask("get", "?publicAccessBlock", request.config_override(repeated()).send()).await;
        let configuration = unless_missing(reply, NONE)?.and_then(|it| it.public_access_block_configuration);
        Ok(configuration.map(|it| PublicAccessBlock {
            block_acls: it.block_public_acls().unwrap_or(false),
            ignore_acls: it.ignore_public_acls().unwrap_or(false),
            block_policy: it.block_public_policy().unwrap_or(false),
            restrict_buckets: it.restrict_public_buckets().unwrap_or(false),
        }))
    }

    /// Whether the server takes the bucket's policy for public.
    ///
    /// # Errors
    /// `Denied` without `s3:GetBucketPolicyStatus`; `Unsupported` where the server does not know the question.
    pub async fn policy_is_public(&self) -> BucketResult<bool> {
        let request = self.client.get_bucket_policy_status().bucket(&self.bucket).customize();
        let reply = ask("get", "?policyStatus", request.config_override(repeated()).send()).await;
        let status = unless_missing(reply, NO_POLICY)?.and_then(|reply| reply.policy_status);
        Ok(status.and_then(|status| status.is_public()).unwrap_or(false))
    }
}
