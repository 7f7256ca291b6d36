//! Errors of the data side, grouped by what the caller can do.

use std::io;
use std::sync::Arc;

use thiserror::Error;

use crate::base::ObjectId;
use crate::object::{BucketError, ErrorKind};
use crate::vault::{Finding, VaultError};

/// Why a chunk could not be read or a segment not uploaded. Clones share their causes: one failed request
/// may have many waiters.
#[derive(Debug, Clone, Error)]
pub enum DataError {
    /// The bucket refused, is away, or lacks the object.
    #[error("object {segment}: {source}")]
    Bucket {
        segment: ObjectId,
        #[source]
        source: Arc<BucketError>,
    },
    /// The bytes are not what was sealed here: damaged, moved or forged. Nothing of them was released.
    #[error("segment {segment}, chunk {number}: {source}")]
    Tampered {
        segment: ObjectId,
        number: u32,
        #[source]
        source: Arc<VaultError>,
    },
    /// A reference to a segment that is neither in flight nor recorded, or to a frame outside it.
    #[error("segment {segment}, chunk {number}: {what}")]
    Dangling { segment: ObjectId, number: u32, what: &'static str },
    /// The spool could not be read back, or a background task was stopped.
    #[error("local cache or spool: {0}")]
    Local(#[source] Arc<io::Error>),
}

impl From<io::Error> for DataError {
    fn from(error: io::Error) -> Self {
        Self::Local(Arc::new(error))
    }
}

impl DataError {
    /// The object that holds the chunk does not exist (any more).
    pub fn is_gone(&self) -> bool {
        self.kind() == Some(ErrorKind::NotFound)
    }

    /// What is there does not open, or nothing can be there: no attempt will read it.
    pub fn is_unreadable(&self) -> bool {
        matches!(self, Self::Tampered { .. } | Self::Dangling { .. })
    }

    /// What sort of failure of the bucket it is, if it is one.
    pub fn kind(&self) -> Option<ErrorKind> {
        match self {
            Self::Bucket { source, .. } => Some(source.kind),
            Self::Tampered { .. } | Self::Dangling { .. } | Self::Local(_) => None,
        }
    }

    /// A request about `segment` that the bucket did not fulfil.
    pub(super) fn bucket(segment: ObjectId, source: BucketError) -> Self {
        Self::Bucket { segment, source: Arc::new(source) }
    }

    /// A chunk that the vault did not seal or open.
    pub(super) fn vault(segment: ObjectId, number: u32, source: VaultError) -> Self {
        Self::Tampered { segment, number, source: Arc::new(source) }
    }

    /// An object whose bytes contradict what is known about it, for a reason the vault does not see.
    pub(super) fn tampered(segment: ObjectId, number: u32, reason: &'static str) -> Self {
        let finding = Finding { object: segment, chunk: Some(number), reason };
        Self::vault(segment, number, VaultError::Tampered(finding))
    }

    /// A background task that ended without a result (it panicked, or the runtime is shutting down).
    pub(super) fn abandoned(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::from(io::Error::other(cause))
    }
}
