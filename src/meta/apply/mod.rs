//! The only function that changes metadata.
//!
//! Invariants: the result depends on the state, the op and the context's slot alone: no clock, no randomness,
//! no order of a hash map, no local setting (M4). `Context::enforce_quota` only refuses; what it lets pass
//! has the same result. Link counts, entry counts, allocated bytes and the superblock's counters stay true.
//! Failure: fields of ops and records are untrusted, so arithmetic is checked: a count that would overflow or
//! fall below zero is `Corrupt`. On error the transaction may hold part of the change; its caller drops it,
//! and the state is as before.

use super::op::Op;
use super::overlay::Txn;
use super::view::ReadError;
use crate::base::Ino;

mod attr;
mod clone;
mod content;
mod create;
mod edit;
mod genesis;
mod link;
mod reap;
mod remove;
mod rename;
mod segment;
mod session;
mod upkeep;
mod xattr;

use edit::Edit;
pub use genesis::genesis;
pub use session::note_commit;

/// Why an op cannot be applied to this state. Local callers turn it into errno, a rebase into a conflict.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Also: unlinked, and the writing session is not the one that keeps it open.
    #[error("inode {0} does not exist")]
    NoInode(Ino),
    #[error("no such entry")]
    NoEntry,
    #[error("the entry exists already")]
    Exists,
    #[error("not a directory")]
    NotDirectory,
    #[error("is a directory")]
    IsDirectory,
    #[error("the directory is not empty")]
    NotEmpty,
    #[error("a directory cannot move into itself")]
    Loop,
    #[error("too many links")]
    TooManyLinks,
    #[error("no such attribute")]
    NoXattr,
    #[error("the attribute exists already")]
    XattrExists,
    /// The entry or content is not what the caller built on: somebody else changed it first.
    #[error("changed by another writer")]
    Changed,
    #[error("over the quota")]
    Quota,
    #[error("the op breaks a bound: {0}")]
    Invalid(&'static str),
}

/// Where an op stands in the log; pending ops are applied with what they will have.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// Slot of the writing session.
    pub slot: u32,
    /// Refuse ops that grow the volume beyond its quota. Only for ops that the local machine is about to
    /// accept: replay of committed ops never fails for that reason.
    pub enforce_quota: bool,
}

/// Applies `op`. On error `txn` may hold part of the change: the caller drops it.
pub fn apply(txn: &mut Txn<'_>, op: &Op, context: Context) -> Result<(), ApplyError> {
    op.check().map_err(ApplyError::Invalid)?;
    let mut edit = Edit::new(txn, context);
    dispatch(&mut edit, op)?;
    edit.finish();
    Ok(())
}

fn dispatch(edit: &mut Edit<'_, '_>, op: &Op) -> Result<(), ApplyError> {
    match op {
        Op::Create { .. } => create::create(edit, op),
        Op::Link { ino, parent, name, time } => link::link(edit, *ino, *parent, name, *time),
        Op::Unlink { parent, name, ino, last, time } => {
            remove::unlink(edit, *parent, name, *ino, *last, *time)
        }
        Op::Rmdir { parent, name, ino, time } => remove::rmdir(edit, *parent, name, *ino, *time),
        Op::Rename { .. } => rename::rename(edit, op),
        Op::SetAttr { .. } => attr::set_attr(edit, op),
        Op::Write { .. } => content::write(edit, op),
        Op::Clone { .. } => clone::clone(edit, op),
        Op::Collapse { .. } => clone::collapse(edit, op),
        Op::SetXattr { .. } => xattr::set(edit, op),
        Op::RemoveXattr { ino, name, perm, ctime } => xattr::remove(edit, *ino, name, *perm, *ctime),
        Op::Reap { ino } => reap::reap(edit, *ino),
        Op::AddSegment { id, record } => segment::add(edit, *id, record),
        Op::RemoveSegments { ids } => segment::remove(edit, ids),
        Op::Relocate { ino, index, from, to } => segment::relocate(edit, *ino, *index, from, to),
        Op::OpenSession { .. } => session::open(edit, op),
        Op::CloseSession { slot } => session::close(edit, *slot),
        Op::Condemn { objects, time } => upkeep::condemn(edit, objects, *time),
        Op::Pardon { objects } => upkeep::pardon(edit, objects),
        Op::PublishBoundary { boundary, time } => upkeep::publish_boundary(edit, *boundary, *time),
        Op::SetQuota { bytes, inodes } => upkeep::set_quota(edit, *bytes, *inodes),
    }
}

#[cfg(test)]
mod tests;
