//! What can go wrong below the formats. Deliberately poor in detail: it may reach people who forge bytes.

use thiserror::Error;

use super::argon2id::CostError;

/// A cryptographic operation that did not happen.
#[derive(Debug, Error)]
pub enum CryptoError {
    /// The commitment in front of the bytes was made with another key.
    #[error("the key is not the one the bytes were sealed with")]
    WrongKey,
    /// The tag does not match: damaged, forged, or bound to another place.
    #[error("the bytes do not authenticate")]
    Unauthentic,
    /// Longer than the primitive allows (RFC 8452 section 6, RFC 5869 section 2.3).
    #[error("the message is longer than the primitive allows")]
    TooLong,
    /// All chunk numbers of one object are used up.
    #[error("the object has no chunk numbers left")]
    NonceExhausted,
    /// Argon2id parameters outside of the bounds; nothing was derived.
    #[error(transparent)]
    Cost(#[from] CostError),
    /// Argon2id itself refused, in practice for want of memory.
    #[error("the passphrase could not be stretched")]
    Argon2(#[source] argon2::Error),
}
