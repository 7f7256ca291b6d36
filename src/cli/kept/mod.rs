//! Keys that this machine keeps, so that nobody is asked again: `hushfs unlock` and `hushfs lock`.
//!
//! - [`lookup`] is where every command looks when no way to unlock was named; [`keep`] and [`forget`] know the
//!   three places: the desktop's Secret Service, the kernel keyring, a file of the local keyring.
//! - A note in the local keyring says which of them has a volume's key (`keyring/local/kept.rs`), so that a
//!   machine that keeps nothing asks no service, and a command asks one at most.
//!
//! Invariants: a key is kept in one place; it is believed only as far as it opens the volume's header and has
//! the pinned fingerprint; one that no longer opens it is forgotten, and said to be. Failure: a place that does
//! not give the key back is told in a line, and the volume's own credential is asked for. `lock` succeeds only
//! when the key is gone.

mod forget;
mod keep;
pub(super) mod limit;
mod lock;
mod lookup;
mod place;
mod show;
mod unlock;

pub use lock::{LockArgs, run as lock};
pub use lookup::{discard, find, find_if_somebody_is_there};
pub use unlock::{UnlockCommandArgs, run as unlock};
