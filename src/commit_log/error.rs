//! Errors of the log, grouped by what the caller can do.

use thiserror::Error;

use crate::base::{DecodeError, Seq};
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
}
