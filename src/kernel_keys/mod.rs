//! The kernel's keyrings (keyrings(7)), as a place that keeps a secret for each volume.
//!
//! - [`KernelKeys`] puts keys of the type "user", named `hushfs:<volume id>`, into the **user keyring** of the
//!   caller's uid: every process of the user finds them, from any login, cron job or service, until they are
//!   forgotten, their time is up, or the machine is restarted (docs/adr/0007).
//!
//! Invariants: a key's permissions are its possessor's and its owner's alone; a secret that cannot get the
//! permissions or the time limit it was to have is taken back. Failure: [`KernelKeysError`], grouped by what
//! the user can do. A kernel without keyrings, or a container that forbids them, is told from a missing key.

mod error;
mod store;

pub use error::KernelKeysError;
pub use store::KernelKeys;

#[cfg(test)]
mod tests;
