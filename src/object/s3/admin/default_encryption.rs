//! GetBucketEncryption, PutBucketEncryption, DeleteBucketEncryption: what the bucket does with objects that are
//! written without asking for anything, and which kinds of encryption it blocks.

use std::fmt;

use aws_sdk_s3::error::BuildError;
use aws_sdk_s3::types::{
    BlockedEncryptionTypes, EncryptionType, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
};

use super::{ask, repeated, unless_missing};
use crate::object::encryption::tame;
use crate::object::error::{BucketError, BucketResult, ErrorKind};
use crate::object::s3::S3Bucket;

/// How S3 says that a bucket has no default encryption.
const NONE: &str = "ServerSideEncryptionConfigurationNotFoundError";
const ENCRYPTION: &str = "?encryption";
/// As S3 names SSE-C among the kinds that a bucket can block, and "nothing is blocked".
const CUSTOMER: &str = "SSE-C";
const NOTHING: &str = "NONE";

/// A bucket's default encryption.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BucketDefault {
    /// `AES256`, `aws:kms`, `aws:kms:dsse`; `None` when the bucket has no default.
    pub algorithm: Option<String>,
    pub kms_key: Option<String>,
    pub bucket_key: bool,
    /// Writes with customer keys (SSE-C) are refused.
    pub blocks_customer_keys: bool,
    /// What else the server says to block, also that it is nothing. Kept as it is.
    pub other_blocks: Vec<String>,
    /// More rules than the one that S3 has. Such a configuration can be read, not changed.
    pub has_more_rules: bool,
}

impl BucketDefault {
    /// Says aloud that customer keys are (not) blocked; S3's new buckets block them in silence.
    pub fn set_blocks_customer_keys(&mut self, blocks: bool) {
        self.blocks_customer_keys = blocks;
        if !blocks && self.other_blocks.is_empty() {
            self.other_blocks.push(NOTHING.to_owned());
        }
    }

    /// True when both have the same effect.
    pub fn same_effect(&self, other: &Self) -> bool {
        let effect = |default: &Self| Self {
            other_blocks: default.blocks().into_iter().filter(|kind| kind != NOTHING).collect(),
            ..default.clone()
        };
        effect(self) == effect(other)
    }

    /// The kinds to block, as S3 takes them; empty where nothing is to be said of it.
    fn blocks(&self) -> Vec<String> {
        let mut blocks: Vec<String> =
            self.other_blocks.iter().filter(|kind| *kind != NOTHING).cloned().collect();
        if self.blocks_customer_keys {
            blocks.push(CUSTOMER.to_owned());
        }
        if blocks.is_empty() { self.other_blocks.clone() } else { blocks }
    }

    fn read(rules: &[ServerSideEncryptionRule]) -> Self {
        let mut default = Self { has_more_rules: rules.len() > 1, ..Self::default() };
        for rule in rules {
            if let Some(chosen) = rule.apply_server_side_encryption_by_default() {
                default.algorithm = Some(chosen.sse_algorithm().as_str().to_owned());
                default.kms_key = chosen.kms_master_key_id().map(str::to_owned);
            }
            default.bucket_key |= rule.bucket_key_enabled().unwrap_or(false);
            let blocked = rule.blocked_encryption_types().map(BlockedEncryptionTypes::encryption_type);
            for kind in blocked.unwrap_or_default().iter().map(EncryptionType::as_str) {
                match kind {
                    CUSTOMER => default.blocks_customer_keys = true,
                    other => default.other_blocks.push(other.to_owned()),
                }
            }
        }
        default
    }

    fn rule(&self) -> Result<ServerSideEncryptionRule, BuildError> {
        let chosen = self.algorithm.as_deref().map(|algorithm| {
            ServerSideEncryptionByDefault::builder()
                .sse_algorithm(ServerSideEncryption::from(algorithm))
                .set_kms_master_key_id(self.kms_key.clone())
                .build()
        });
        let blocks: Vec<EncryptionType> =
            self.blocks().iter().map(|kind| EncryptionType::from(kind.as_str())).collect();
        let blocked = (!blocks.is_empty())
            .then(|| BlockedEncryptionTypes::builder().set_encryption_type(Some(blocks)).build());
        Ok(ServerSideEncryptionRule::builder()
            .set_apply_server_side_encryption_by_default(chosen.transpose()?)
            .set_bucket_key_enabled(self.bucket_key.then_some(true))
            .set_blocked_encryption_types(blocked)
            .build())
    }
}

impl fmt::Display for BucketDefault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&tame(self.algorithm.as_deref().unwrap_or("none")))?;
        if let Some(key) = &self.kms_key {
            write!(f, ", key {}", tame(key))?;
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
    /// `Denied` without `s3:GetEncryptionConfiguration`; `Unsupported` where the server does not know the question.
    pub async fn default_encryption(&self) -> BucketResult<BucketDefault> {
        let request = self.client.get_bucket_encryption().bucket(&self.bucket).customize();
        let reply = ask("get", ENCRYPTION, request.config_override(repeated()).send()).await;
        let Some(reply) = unless_missing(reply, NONE)? else { return Ok(BucketDefault::default()) };
        let configuration = reply.server_side_encryption_configuration();
        Ok(BucketDefault::read(configuration.map(|it| it.rules()).unwrap_or_default()))
    }

    /// Replaces the bucket's default encryption as a whole.
    ///
    /// # Errors
    /// `Denied` without `s3:PutEncryptionConfiguration`; `Invalid` for one that the server does not take.
    pub async fn replace_default_encryption(&self, default: &BucketDefault) -> BucketResult<()> {
        let invalid = |error: BuildError| BucketError::new(ErrorKind::Invalid, "put", ENCRYPTION, error);
        let rule = default.rule().map_err(invalid)?;
        let configuration = ServerSideEncryptionConfiguration::builder().rules(rule).build();
        let request = self
            .client
            .put_bucket_encryption()
            .bucket(&self.bucket)
            .server_side_encryption_configuration(configuration.map_err(invalid)?)
            .customize();
        ask("put", ENCRYPTION, request.config_override(repeated()).send()).await.map(|_| ())
    }

    /// Takes the configuration away: AWS encrypts with SSE-S3 then. One that is gone already is no error.
    ///
    /// # Errors
    /// `Denied` without `s3:PutEncryptionConfiguration`.
    pub async fn delete_default_encryption(&self) -> BucketResult<()> {
        let request = self.client.delete_bucket_encryption().bucket(&self.bucket).customize();
        let reply = ask("delete", ENCRYPTION, request.config_override(repeated()).send()).await;
        unless_missing(reply, NONE).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_back(default: &BucketDefault) -> BucketDefault {
        BucketDefault::read(&[default.rule().unwrap()])
    }

    #[test]
    fn what_is_written_is_what_was_read_whatever_it_blocks() {
        for (customer, others) in
            [(false, vec![]), (true, vec![]), (false, vec!["NONE"]), (true, vec!["SSE-X"])]
        {
            let default = BucketDefault {
                algorithm: Some("aws:kms".into()),
                kms_key: Some("k".into()),
                bucket_key: true,
                blocks_customer_keys: customer,
                other_blocks: others.into_iter().map(str::to_owned).collect(),
                has_more_rules: false,
            };
            assert_eq!(read_back(&default), default);
        }
    }

    #[test]
    fn allowing_customer_keys_is_said_aloud_and_blocking_them_takes_that_back() {
        let mut default = BucketDefault { algorithm: Some("AES256".into()), ..BucketDefault::default() };
        let silent = default.clone();
        default.set_blocks_customer_keys(false);
        assert_eq!(default.blocks(), ["NONE"]);
        assert!(default.same_effect(&silent));
        default.set_blocks_customer_keys(true);
        assert_eq!(default.blocks(), ["SSE-C"]);
        assert!(read_back(&default).same_effect(&default) && !default.same_effect(&silent));
        default.other_blocks = vec!["SSE-X".into()];
        default.set_blocks_customer_keys(false);
        assert_eq!(default.blocks(), ["SSE-X"]);
    }
}
