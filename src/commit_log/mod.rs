//! The commit log: dense, sealed, hash-chained entries `log/<16 hex>`, each created once. Knows nothing of ops.
//!
//! Invariants
//! - Position `n` holds one entry for ever: it is created with a create-only put (M3), its object id is derived
//!   from `n`, so a store cannot move it, and it names the hash of the entry before it.
//! - An entry names the newest checkpoint its writer knew; that checkpoint lies before the entry.
//! - Identical bytes are sent again after a failed put. A put that is refused is compared by commit id, so a
//!   lost reply is told from a lost race.
//!
//! Failure: a missing, damaged, moved or misnumbered entry is an error that names its key; nothing here ever
//! guesses. Nothing here deletes.

mod entry;
mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod log;
mod sealed;
mod tail;
#[cfg(test)]
mod tests;

pub use entry::{Checkpoint, Entry, MAX_PAYLOAD, MAX_ROOT};
pub use error::LogError;
pub use log::{Appended, Log, Stored};
pub use sealed::{EntryHash, SealedEntry, entry_id, entry_key, parse_key};
