//! The desktop's Secret Service (<https://specifications.freedesktop.org/secret-service>), as a place that
//! keeps a secret for each volume: GNOME Keyring, KWallet, KeePassXC.
//!
//! - [`DesktopKeys::connect`] finds the session bus and the service; the secrets themselves cross the bus
//!   encrypted (Diffie-Hellman, AES-128-CBC: the algorithm `dh-ietf1024-sha256-aes128-cbc-pkcs7`).
//! - An item's attributes are the application's name and the volume id, its label the same: nothing of the
//!   bucket, as services keep both in the clear.
//! - A locked collection makes the service ask for its password, in a window of its own ([`Prompts`]).
//!
//! Invariants: only a local bus of the caller's own user is talked to (see `bus.rs`); every answer is waited
//! for with a limit; no plain session is ever opened. Failure: [`DesktopKeysError`], grouped by what the user
//! can do; that there is no service is told from a service that refuses.

mod bus;
mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod service;

pub use error::DesktopKeysError;
pub use service::{DesktopKeys, Prompts};
