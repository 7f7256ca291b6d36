//! Seals and opens whole objects; the only code that touches ciphertext of the bucket.
//!
//! An object is a plain header of [`HEADER_LEN`] bytes and frames, each a chunk sealed by itself, the
//! last one marked final. docs/format.md has every byte.
//!
//! Invariants: a key, a nonce base and a commitment belong to one object and come from one derivation
//! that covers the whole header; chunk numbers of an object are used once; nothing is returned before
//! its tag was verified; what is returned was sealed for exactly this volume, epoch, kind, object,
//! chunk number and position (last or not).
//!
//! Failure: [`VaultError::Tampered`] for anything that is not what was asked for, whatever check
//! noticed it; the caller reports the object and never uses the bytes.

mod compression;
mod error;
mod following_bucket;
mod frame;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod header;
mod kind;
mod opener;
mod ring;
mod sealer;
mod server_keys;
#[allow(clippy::module_inception, reason = "one type per file, named after it")]
mod vault;

pub use crate::keyring::{HEADER_KEY, MAX_HEADER_LEN};
pub use error::{Finding, RenewError, VaultError};
pub use following_bucket::FollowingBucket;
pub use frame::{FRAME_OVERHEAD, MAX_CHUNK};
pub use header::{Claim, HEADER_LEN};
pub use kind::ObjectKind;
pub use opener::Opener;
pub use ring::Renewed;
pub use sealer::Sealer;
pub use server_keys::ServerKeys;
pub use vault::Vault;

#[cfg(test)]
mod tests;
