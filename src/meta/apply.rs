//! The only function that changes metadata.
use super::op::Op;
use super::overlay::Txn;
use super::view::ReadError;
use crate::base::{Ino, Timestamp, ObjectId, Seq};

/// Why an op cannot be applied to this state. Local callers turn it into errno, a rebase into a conflict.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    #[error(transparent)] Read(#[from] ReadError),
    #[error("the inode does not exist")] NoInode(Ino),
    #[error("no such entry")] NoEntry,
    #[error("the entry exists already")] Exists,
    #[error("not a directory")] NotDirectory,
    #[error("is a directory")] IsDirectory,
    #[error("the directory is not empty")] NotEmpty,
    #[error("a directory cannot move into itself")] Loop,
    #[error("too many links")] TooManyLinks,
    #[error("no such attribute")] NoXattr,
    #[error("the attribute exists already")] XattrExists,
    /// The entry or content is not what the caller built on: somebody else changed it first.
    #[error("changed by another writer")] Changed,
    #[error("over the quota")] Quota,
    #[error("the op breaks a bound: {0}")] Invalid(&'static str),
}

/// Where an op stands in the log; pending ops are applied with what they will have.
#[derive(Debug, Clone, Copy)]
pub struct Context { /// Slot of the writing session.
    pub slot: u32 }

/// Applies `op`. On error `txn` may hold part of the change: the caller drops it.
pub fn apply(_txn: &mut Txn<'_>, _op: &Op, _context: Context) -> Result<(), ApplyError> { todo!() }

/// Records a commit in its session's record (M6): last position, hash, time, counter.
pub fn note_commit(_txn: &mut Txn<'_>, _slot: u32, _seq: Seq, _hash: [u8; 32], _time: Timestamp) -> Result<(), ApplyError> { todo!() }

/// The state of a new volume: the superblock and the root directory.
pub fn genesis(_txn: &mut Txn<'_>, _time: Timestamp, _uid: u32, _gid: u32) -> Result<(), ApplyError> { todo!() }

#[allow(unused)] fn _unused(_: ObjectId) {}
