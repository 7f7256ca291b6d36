//! Where the passphrase, key file or recovery code comes from.
//!
//! Invariants: a secret never stands in argv or the environment; it is read into memory that is wiped;
//! nothing is asked for before the volume was found. Failure: a source that was named and yields
//! nothing is an error, never a reason to try the next one.

mod args;
mod challenge;
mod raw_credential;
mod read;
mod terminal;

pub use args::{IgnoredUnlockArgs, UnlockArgs};
pub use challenge::Challenge;
pub use raw_credential::RawCredential;
pub use read::create_key_file;

#[cfg(test)]
mod tests;
