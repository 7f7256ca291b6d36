//! Whose statements they are and what they reach: a bucket as a whole, or what is under a prefix.

use sha2::{Digest, Sha256};

use super::PolicyError;

/// Every Sid of ours begins with it (letters and digits only, as IAM wants them).
const MARK: &str = "Hushfs";
/// In the place of a prefix's tag, for the bucket as a whole. No tag looks like it.
const WHOLE: &str = "Bucket";
/// Bytes of the hash of a prefix in a Sid.
const TAG_LEN: usize = 6;

/// A bucket, or the part of it under a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// `arn:aws:s3:::bucket`
    bucket_arn: String,
    /// Empty, or without leading and trailing slash.
    prefix: String,
}

impl Scope {
    /// `prefix` is empty or without leading and trailing slash; `partition` is AWS's (`aws`, `aws-cn`).
    ///
    /// # Errors
    /// A prefix that a policy would take for a pattern.
    pub fn new(partition: &str, bucket: &str, prefix: &str) -> Result<Self, PolicyError> {
        if is_pattern(prefix) {
            return Err(PolicyError::Wildcard(prefix.to_owned()));
        }
        Ok(Self { bucket_arn: format!("arn:{partition}:s3:::{bucket}"), prefix: prefix.to_owned() })
    }

    /// True without a prefix.
    pub fn is_whole_bucket(&self) -> bool {
        self.prefix.is_empty()
    }

    /// What each Sid of this scope begins with. Of a prefix it holds a hash: two volumes of one bucket differ.
    pub fn sid_mark(&self) -> String {
        if self.is_whole_bucket() {
            return format!("{MARK}{WHOLE}");
        }
        let hash = Sha256::digest(self.prefix.as_bytes());
        format!("{MARK}{}", data_encoding::HEXLOWER.encode(&hash[..TAG_LEN]))
    }

    /// The bucket itself.
    pub(super) fn bucket(&self) -> String {
        self.bucket_arn.clone()
    }

    /// The names under the prefix, as a pattern; `None` for a whole bucket.
    pub(super) fn names(&self) -> Option<String> {
        (!self.is_whole_bucket()).then(|| format!("{}/*", self.prefix))
    }

    /// Objects of the scope: `pattern` is a key under the prefix, and may end in `*`.
    pub(super) fn objects(&self, pattern: &str) -> String {
        match self.is_whole_bucket() {
            true => format!("{}/{pattern}", self.bucket_arn),
            false => format!("{}/{}/{pattern}", self.bucket_arn, self.prefix),
        }
    }
}

/// AWS's name of the group of Regions that `region` belongs to, as ARNs have it (AWS General Reference, "ARNs").
pub fn partition_of(region: &str) -> &'static str {
    match region.split('-').collect::<Vec<_>>().as_slice() {
        ["cn", ..] => "aws-cn",
        ["us", "gov", ..] => "aws-us-gov",
        ["us", "iso", ..] => "aws-iso",
        ["us", "isob", ..] => "aws-iso-b",
        ["eu", "isoe", ..] => "aws-iso-e",
        ["us", "isof", ..] => "aws-iso-f",
        ["eusc", ..] => "aws-eusc",
        _ => "aws",
    }
}

/// True for what a policy does not take literally: wildcards and variables.
pub(super) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?']) || text.contains("${")
}
