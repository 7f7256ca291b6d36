//! Errors of the vault, grouped by what the caller can do.

use std::fmt;

use thiserror::Error;

use crate::base::{Epoch, ObjectId};
use crate::crypto::CryptoError;
use crate::keyring::KeyringError;

/// An object or chunk that was not sealed or not opened.
#[derive(Debug, Error)]
pub enum VaultError {
    /// Not ours, damaged or forged: not trusted, not shown. No plaintext was released.
    #[error("{0}")]
    Tampered(Finding),
    /// The object names a newer format or another suite.
    #[error("{0}")]
    Unsupported(String),
    /// The object is sealed under an epoch that this keyring lacks: one that began later, one whose key was
    /// dropped, or a forgery.
    #[error("object {object} is sealed under epoch {epoch}, for which this keyring has no key")]
    UnknownEpoch { object: ObjectId, epoch: Epoch },
    /// The caller broke a bound: a chunk too long, too many chunks, a chunk after the last.
    #[error("{0}")]
    Bounds(String),
}

/// Why newer keys were not taken over.
#[derive(Debug, Error)]
pub enum RenewError {
    /// This vault was made from bare keys.
    #[error("this vault has no header to get newer keys from")]
    Fixed,
    /// The bucket shows a header that was replaced since (M6).
    #[error(
        "the volume header has generation {found}, but this process has seen {known}: an older copy was put in its place"
    )]
    Older { known: u64, found: u64 },
    /// The header is damaged, forged, newer than this hushfs, or sealed under another volume key.
    #[error(transparent)]
    Header(#[from] KeyringError),
}

/// What was found wrong with an object, and where. Holds no plaintext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub object: ObjectId,
    /// The chunk, or `None` when it concerns the object's header or its end.
    pub chunk: Option<u32>,
    /// Which check failed. A wrong commitment and a wrong tag read the same.
    pub reason: &'static str,
}

/// The one wording for commitments and tags: which of the two failed is nobody's business.
pub(super) const UNAUTHENTIC: &str = "does not authenticate: it is damaged, forged or belongs elsewhere";

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "object {}", self.object)?;
        if let Some(chunk) = self.chunk {
            write!(f, ", chunk {chunk},")?;
        }
        write!(f, " {}", self.reason)
    }
}

impl VaultError {
    /// A finding about a whole object.
    pub(super) fn object(object: ObjectId, reason: &'static str) -> Self {
        VaultError::Tampered(Finding { object, chunk: None, reason })
    }

    /// A finding about one chunk.
    pub(super) fn chunk(object: ObjectId, chunk: u32, reason: &'static str) -> Self {
        VaultError::Tampered(Finding { object, chunk: Some(chunk), reason })
    }

    /// What a failed cryptographic operation means for this object. It does not say which chunk did not
    /// authenticate: a wrong commitment, which no chunk has, must read the same.
    pub(super) fn crypto(object: ObjectId, error: CryptoError) -> Self {
        match error {
            CryptoError::WrongKey | CryptoError::Unauthentic => Self::object(object, UNAUTHENTIC),
            CryptoError::TooLong
            | CryptoError::NonceExhausted
            | CryptoError::Cost(_)
            | CryptoError::Argon2(_) => VaultError::Bounds(format!("object {object}: {error}")),
        }
    }
}
