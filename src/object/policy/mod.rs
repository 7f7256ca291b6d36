//! Bucket policies: what a bucket refuses whoever asks. Pure: documents in, documents out; no requests.
//!
//! - [`PolicyDocument`]: a policy as a server sent it, untrusted, with everybody's statements.
//! - [`Requirements`]: what hushfs can demand of a bucket, and the statements that demand it within a [`Scope`].
//! - [`Merge`]: one put into the other, or taken out again.
//!
//! Invariants: statements of others keep their bytes and their order, whatever fields they have; ours are told from
//! theirs by their Sid alone, which names the scope; every statement of ours denies. Failure: what is no policy, too
//! long, or cannot be demanded without reaching outside the scope is a [`PolicyError`], and nothing is changed.

pub mod condition_key;
mod demanded;
mod document;
mod merge;
mod requirements;
mod scope;
mod statement;
#[cfg(test)]
mod tests;

use thiserror::Error;

pub use document::PolicyDocument;
pub use merge::Merge;
pub use requirements::Requirements;
pub use scope::{Scope, partition_of};
pub use statement::{Statement, Topic};

/// The longest policy that S3 takes, in bytes (S3 user guide, "Policies and permissions").
pub const MAX_POLICY_LEN: usize = 20_480;

/// Why a policy cannot be read, made or sent.
#[derive(Debug, Error)]
pub enum PolicyError {
    #[error("the bucket's policy has {0} bytes, more than any S3 server takes")]
    Oversized(usize),
    #[error("the bucket's policy is no policy document")]
    Malformed(#[source] serde_json::Error),
    #[error(
        "the policy would have {0} bytes, S3 takes {MAX_POLICY_LEN}; shorten the bucket's other statements first"
    )]
    TooLong(usize),
    #[error(
        "{0:?} cannot be named in a policy, which reads *, ? and ${{ as wildcards and variables: that would reach \
         outside the prefix"
    )]
    Wildcard(String),
    #[error(
        "a policy cannot demand the alias {0:?}: S3 compares the ARN of the key behind it; give that \
         (aws kms describe-key --key-id ALIAS --query KeyMetadata.Arn)"
    )]
    Alias(String),
    #[error("a policy cannot demand the key {0:?}: it reads *, ? and ${{ as wildcards and variables")]
    WildcardKey(String),
    #[error("the kind `bucket` asks for nothing, so nothing can be demanded; give s3, kms, dsse or customer")]
    NothingToDemand,
    #[error("customer demands SSE-C, and SSE-C is to be denied: leave one out")]
    Contradiction,
}
