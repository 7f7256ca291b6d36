//! The AWS Key Management Service, for key slots: it wraps and unwraps a secret of 32 bytes.
//!
//! - [`Kms::wrap`] and [`Kms::unwrap`] are one request each, Encrypt and Decrypt. Both name the key and give
//!   an [`EncryptionContext`] that says which volume and which slot it is for, so that every use stands in
//!   the audit trail (CloudTrail) with them, and so that KMS refuses a secret in another slot's place.
//! - What KMS keeps is never asked for: the volume key does not go there, only a secret that wraps it.
//!
//! Invariants: HTTPS, but for loopback; replies are bounded; the secret is wiped here. Failure: [`KmsError`],
//! grouped by what the user can do.

mod client;
mod context;
mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod region;

pub use client::{Kms, KmsOptions, Wrapped};
pub use context::EncryptionContext;
pub use error::{KmsError, KmsErrorKind};
