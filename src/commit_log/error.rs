//! Errors of the log, grouped by what the caller can do.

use thiserror::Error;

use crate::base::{DecodeError, Epoch, Seq};
use crate::object::BucketError;
use crate::vault::VaultError;

/// Why the log could not be read or written.
#[derive(Debug, Error)]
pub enum LogError {
    /// The bucket failed; its kind says whether trying again helps.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// The object is not what this volume's keys sealed for this position.
    #[error("object {key}: {source}")]
    Sealed {
        key: String,
        #[source]
        source: VaultError,
    },
    /// The object opens, but is not an entry this version understands.
    #[error("object {key}: {source}")]
    Malformed {
        key: String,
        #[source]
        source: DecodeError,
    },
    /// An entry that must be there is not.
    #[error("log entry {0} is missing from the bucket")]
    Missing(Seq),
    /// An entry names another predecessor than the one that stands before it.
    #[error("log entry {0} does not follow the entry before it: the log was changed or forked")]
    Unchained(Seq),
    /// An entry is sealed under an older epoch than the one before it. No writer does that: whoever made it had an
    /// old key, but not the current one.
    #[error(
        "log entry {seq} is sealed under epoch {epoch}, but the log had reached epoch {before} before it: it was forged with a key that is no longer in use"
    )]
    OldEpoch { seq: Seq, epoch: Epoch, before: Epoch },
}
