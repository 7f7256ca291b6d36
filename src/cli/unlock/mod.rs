//! Where the passphrase, key file or recovery code comes from.
//!
//! Invariants: a secret never stands in argv or the environment; it is read into memory that is wiped;
//! nothing is asked for before the volume was found, nor before it was looked whether this machine keeps the
//! volume's key (`cli/kept/`). Failure: a source that was named and yields
//! nothing is an error, never a reason to try the next one.

mod args;
mod challenge;
mod kms_args;
mod new_passphrase;
mod outside;
mod plugin;
mod raw_credential;
mod read;
mod strength;
pub(in crate::cli) mod terminal;

pub use args::{IgnoredUnlockArgs, UnlockArgs};
pub use challenge::Challenge;
pub(in crate::cli) use kms_args::KmsArgs;
pub use new_passphrase::NewPassphraseArgs;
pub(in crate::cli) use plugin::Person;
pub use raw_credential::{RawCredential, Trust};
pub use read::create_key_file;
pub(in crate::cli) use read::key_file;

#[cfg(test)]
mod tests;
