//! Errors of the vault, grouped by what the caller can do.

use std::fmt;

use thiserror::Error;

use crate::base::ObjectId;
use crate::crypto::CryptoError;

/// An object or chunk that was not sealed or not opened.
#[derive(Debug, Error)]
pub enum VaultError {
    /// Not ours, damaged or forged: not trusted, not shown. No plaintext was released.
    #[error("{0}")]
    Tampered(Finding),
    /// The object names a newer format, another suite or an epoch that this keyring lacks.
    #[error("{0}")]
    Unsupported(String),
    /// The caller broke a bound: a chunk too long, too many chunks, a chunk after the last.
    #[error("{0}")]
    Bounds(String),
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

    /// What a failed cryptographic operation means for this object.
    pub(super) fn crypto(object: ObjectId, chunk: Option<u32>, error: CryptoError) -> Self {
        match error {
            CryptoError::WrongKey | CryptoError::Unauthentic => {
                VaultError::Tampered(Finding { object, chunk, reason: UNAUTHENTIC })
            }
            CryptoError::TooLong
            | CryptoError::NonceExhausted
            | CryptoError::Cost(_)
            | CryptoError::Argon2(_) => VaultError::Bounds(format!("object {object}: {error}")),
        }
    }
}
