//! The cryptography of hushfs: one cipher suite, named key derivations, secrets that wipe themselves. No I/O.
//!
//! Invariants: a key leaves this folder only inside a type that wipes it on drop and has no `Debug`;
//! every derivation has a [`Purpose`] of its own; a nonce is made from a derived base and a counter
//! that refuses to wrap; parameters that arrive from the bucket are bounded before they cost anything.
//!
//! Failure: what does not authenticate is an error without detail. There is no fallback, no second
//! suite and no partial plaintext.

#[cfg(not(feature = "null-cipher"))]
mod aead;
mod argon2id;
mod compare;
mod error;
mod hkdf;
mod nonce;
// Only in builds that measure what encrypting costs (docs/adr, "the null cipher"); they know no other suite.
#[cfg(feature = "null-cipher")]
#[path = "null_cipher.rs"]
mod aead;
mod record;
mod sealing_keys;
mod secret;
mod suite;

pub use aead::{Cipher, TAG_LEN};
pub use argon2id::{Cost, CostError};
pub use compare::same;
pub use error::CryptoError;
pub use hkdf::{Purpose, expand};
pub use nonce::{Nonce, NonceBase, NonceSequence};
pub use record::{RECORD_OVERHEAD, open_record, seal_record};
pub use sealing_keys::{COMMITMENT_LEN, SALT_LEN, SealingKeys};
pub use secret::{SecretBytes, SecretKey};
pub use suite::Suite;

#[cfg(test)]
mod published_vectors;
#[cfg(test)]
mod second_implementation;
