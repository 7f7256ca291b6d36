//! The state machine: layers of state, transactions, commit, rebase, checkpoint, recovery, gc, fsck.
//!
//! State = tree at the checkpoint ← folding layer ← committed tail ← batch in flight ← pending ([`state`]).
//! System calls change the pending layer in transactions ([`transaction`]) while they hold a permit ([`gate`]). The
//! commit thread ([`committer`]) cuts, uploads, seals and appends ([`commit`]); a lost race is rebased ([`rebase`],
//! [`conflict`]); others' entries are followed ([`follow`]); the tail is folded now and then ([`checkpoint`]).
//! Opening replays what the checkpoint does not hold ([`recovery`], [`replay`]). New epochs of keys are met and announced in [`keys`];
//! [`reencrypt`] moves what is sealed under older ones.
//!
//! Invariants: M1 in [`commit`], M2 by the cut, M3 in [`follow`] and [`commit`], M4 in [`replay`], M5 in [`gc`], M6 in
//! [`recovery`], M7 by back-pressure ([`mounted`]) and checkpoints.
//!
//! Failure: nothing acknowledged is dropped while the process lives; a commit that fails is tried again for ever,
//! and everybody who waits for it is told.

mod anchor;
mod bell;
mod checkpoint;
mod commit;
mod committer;
mod conflict;
mod conflict_copy;
mod conflict_gc;
mod conflict_name;
mod environment;
mod error;
mod follow;
mod fsck;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod gate;
mod gc;
mod keys;
mod mounted;
mod object_name;
mod open;
mod packs;
mod payload;
mod quota;
mod reaper;
mod rebase;
mod recovery;
mod reencrypt;
mod refit;
mod relocate;
mod replay;
mod reseal;
mod session;
mod snapshot;
mod state;
mod status;
#[cfg(test)]
mod tests;
mod transaction;
mod witness;
mod writers;

pub use environment::{Environment, VolumeOptions};
pub use error::{NeedsPack, VolumeError};
pub use fsck::{FsckReport, fsck};
pub use gate::Permit;
pub use gc::{GcReport, GcRequest, Progress, gc};
pub use keys::Announced;
pub use mounted::{DirtySource, Observer, Volume};
pub use object_name::ObjectName;
pub use reencrypt::{
    Amount, Leftovers, Plan, ReencryptReport, ReencryptRequest, Watcher, plan_reencryption, reencrypt,
};
pub use status::VolumeStatus;
pub use transaction::OpTxn;
pub use witness::{Witness, WitnessStore};
pub use writers::Writer;
