//! age (<https://age-encryption.org/v1>), for key slots: a secret of 32 bytes as an age file.
//!
//! - [`wrap`] makes the file for a recipient: X25519, a hardware key's tag, or whatever a plugin of age
//!   understands. [`unwrap`] opens it with the identities of an identity file.
//! - Plugins are programs named `age-plugin-NAME` on the PATH; they may talk to the user through a
//!   [`Conversation`].
//!
//! Invariants: what an age file holds is bounded before it is read; secrets are wiped; no plugin is waited for without end
//! (`watch.rs`). Failure:
//! [`AgeError`]. age does not tell who made a file: whoever knows a recipient can.

mod conversation;
mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod unwrap;
mod watch;
mod wrap;

pub use conversation::Conversation;
pub use error::AgeError;
pub use unwrap::unwrap;
pub use wrap::wrap;

#[cfg(test)]
mod tests;
