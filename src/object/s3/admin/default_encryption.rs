//! GetBucketEncryption: what the bucket does with objects that are written without asking for anything.

use std::fmt;

use super::{ask, repeated, unless_missing};
use crate::object::error::BucketResult;
use crate::object::s3::S3Bucket;

/// How S3 says that a bucket has no default encryption.
const NONE: &str = "ServerSideEncryptionConfigurationNotFoundError";

/// A bucket's default encryption.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BucketDefault {
    /// `AES256`, `aws:kms`, `aws:kms:dsse`; `None` when the bucket has no default.
    pub algorithm: Option<String>,
    pub kms_key: Option<String>,
    pub bucket_key: bool,
    /// Writes with customer keys (SSE-C) are refused.
    pub blocks_customer_keys: bool,
}

impl fmt::Display for BucketDefault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.algorithm.as_deref().unwrap_or("none"))?;
        if let Some(key) = &self.kms_key {
            write!(f, ", key {key}")?;
        }
        if self.bucket_key {
            f.write_str(", bucket key")?;
        }
        if self.blocks_customer_keys {
            f.write_str(", SSE-C is blocked")?;
        }
        Ok(())
    }
}

impl S3Bucket {
    /// Reads the bucket's default encryption. A bucket without one is no error.
    ///
    /// # Errors
    /// `Denied` without `s3:GetEncryptionConfiguration`; `Invalid` where the server does not know the question.
    pub async fn default_encryption(&self) -> BucketResult<BucketDefault> {
        let request = self.client.get_bucket_encryption().bucket(&self.bucket).customize();
        let reply = ask("get", "?encryption", request.config_override(repeated()).send()).await;
        let Some(reply) = unless_missing(reply, NONE)? else { return Ok(BucketDefault::default()) };
        let mut default = BucketDefault::default();
        for rule in reply.server_side_encryption_configuration().map(|it| it.rules()).unwrap_or_default() {
            if let Some(chosen) = rule.apply_server_side_encryption_by_default() {
                default.algorithm = Some(chosen.sse_algorithm().as_str().to_owned());
                default.kms_key = chosen.kms_master_key_id().map(str::to_owned);
            }
            default.bucket_key |= rule.bucket_key_enabled().unwrap_or(false);
            let blocked = rule.blocked_encryption_types().map(|blocked| blocked.encryption_type());
            default.blocks_customer_keys |=
                blocked.unwrap_or_default().iter().any(|kind| kind.as_str() == "SSE-C");
        }
        Ok(default)
    }
}
