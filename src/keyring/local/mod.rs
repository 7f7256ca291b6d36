//! The local keyring: a folder in which a machine remembers the volumes it has seen.
//!
//! ```text
//! machine               this machine's id, made on first use
//! <volume id>.state     sealed record: identity, header generation, witness, places
//! <volume id>.lock      flock'ed by the mount; holds its process id
//! <volume id>.kept      where the volume key is kept; or the key itself, wrapped under a passphrase
//! place-<sha256>        plain: which volume and fingerprint a bucket URL had
//! ```
//!
//! Invariants: the folder is 0700, files are 0600, both belong to the caller, and nothing is followed
//! through a symbolic link; anything else is refused by name, not repaired. Files are replaced
//! atomically, so a reader sees the old or the new one. A record is sealed under a key that only the
//! volume key gives, so nobody who merely reads the folder learns where it points or can forge it.
//!
//! A witness that lags behind the bucket is safe, it only notices less; one that is ahead of it would
//! cry wolf. It is therefore written only after the commit that it names succeeded.

mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod kept;
mod local_keyring;
mod local_volume;
mod lock;
mod pin;
mod private_dir;

pub use error::LocalError;
pub use kept::{KeptNote, KeptPlace};
pub use local_keyring::LocalKeyring;
pub use local_volume::{LocalRecord, LocalVolume, Witness};
pub use lock::{Attempt, Contender, Holder, VolumeLock};
pub use pin::Pin;
pub use private_dir::Durability;

#[cfg(test)]
mod kept_tests;
#[cfg(test)]
mod tests;
