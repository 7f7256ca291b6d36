//! Errors of the volume, grouped by what the caller can do, and the question "is only a pack missing?".

use std::sync::Arc;

use crate::commit_log::LogError;
use crate::data::DataError;
use crate::meta::apply::ApplyError;
use crate::meta::tree::PackRef;
use crate::meta::view::ReadError;
use crate::object::{BucketError, ErrorKind};
use crate::vault::{RenewError, VaultError};

/// Why something about a volume failed.
#[derive(Debug, thiserror::Error)]
pub enum VolumeError {
    /// The bucket failed; its kind says whether trying again helps.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// Chunks or the local cache failed.
    #[error(transparent)]
    Data(#[from] DataError),
    /// An operation does not apply to the state, or metadata could not be read.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// An object is not what this volume's keys sealed.
    #[error("object {key}: {source}")]
    Tampered {
        key: String,
        #[source]
        source: VaultError,
    },
    /// The keys of the volume changed, and the new ones are not to be had here.
    #[error("the keys of the volume have changed, and this process cannot follow")]
    Keys(#[source] RenewError),
    /// The bucket shows less than this machine saw before (M6), a broken chain, or a fork.
    #[error("{0}")]
    RolledBack(String),
    /// Something in the bucket contradicts itself.
    #[error("{0}")]
    Corrupt(String),
    /// `init` did not finish.
    #[error("{0}")]
    HalfInitialised(String),
    #[error("the volume is mounted read-only")]
    ReadOnly,
    /// Files of this machine (keyring, cache) failed.
    #[error("local state: {0}")]
    Local(#[from] std::io::Error),
    /// One failed commit, told to everyone who waited for it.
    #[error(transparent)]
    Shared(#[from] Arc<VolumeError>),
}

impl VolumeError {
    /// The volume key is another one now: nothing here can be committed any more.
    pub fn is_locked_out(&self) -> bool {
        matches!(self.root(), Self::Keys(RenewError::Header(error)) if error.is_replaced_key())
    }

    /// The object that was asked for does not exist (any more).
    pub fn is_gone(&self) -> bool {
        match self.root() {
            Self::Bucket(error) => error.kind == ErrorKind::NotFound,
            Self::Data(error) => error.is_gone(),
            _ => false,
        }
    }

    /// Metadata is not what its reference promised.
    pub fn is_damage(&self) -> bool {
        matches!(self.root(), Self::Apply(ApplyError::Read(ReadError::Corrupt(_))))
    }

    /// What sort of failure of the bucket it is, if it is one.
    pub fn kind(&self) -> Option<ErrorKind> {
        match self.root() {
            Self::Bucket(error) => Some(error.kind),
            Self::Data(error) => error.kind(),
            Self::Apply(ApplyError::Read(ReadError::Unfetched(kind, _))) => Some(*kind),
            _ => None,
        }
    }

    /// The error itself, also when many share it.
    pub fn root(&self) -> &VolumeError {
        match self {
            Self::Shared(shared) => shared.root(),
            other => other,
        }
    }
}

impl From<ReadError> for VolumeError {
    fn from(error: ReadError) -> Self {
        Self::Apply(ApplyError::Read(error))
    }
}

impl From<LogError> for VolumeError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Bucket(error) => Self::Bucket(error),
            LogError::Sealed { key, source } => Self::Tampered { key, source },
            LogError::Malformed { .. } => Self::Corrupt(error.to_string()),
            LogError::Missing(_) | LogError::Unchained(_) | LogError::OldEpoch { .. } => {
                Self::RolledBack(error.to_string())
            }
        }
    }
}

/// An error that may say "fetch this pack and call me again".
pub trait NeedsPack {
    /// The pack to fetch; `None` when the error is a real one.
    fn needs_pack(&self) -> Option<PackRef>;
}

impl NeedsPack for ReadError {
    fn needs_pack(&self) -> Option<PackRef> {
        match self {
            ReadError::Missing(pack) => Some(*pack),
            ReadError::Corrupt(_) | ReadError::Unfetched(..) => None,
        }
    }
}

impl NeedsPack for ApplyError {
    fn needs_pack(&self) -> Option<PackRef> {
        match self {
            ApplyError::Read(error) => error.needs_pack(),
            _ => None,
        }
    }
}

impl NeedsPack for VolumeError {
    fn needs_pack(&self) -> Option<PackRef> {
        match self {
            VolumeError::Apply(error) => error.needs_pack(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_metadata_is_told_from_metadata_that_was_not_to_be_had() {
        let damaged = VolumeError::from(ReadError::Corrupt("node 3 ends early".into()));
        assert!(damaged.is_damage() && damaged.kind().is_none());
        let away = VolumeError::from(ReadError::Unfetched(ErrorKind::Transient, "away".into()));
        assert!(!away.is_damage());
        assert_eq!(VolumeError::from(Arc::new(away)).kind(), Some(ErrorKind::Transient));
    }
}
