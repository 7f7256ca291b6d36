//! Replaying entries of the log on top of a state: recovery, following others, and the first half of a rebase.
//!
//! Replay is deterministic (M4): the records depend on the tree, the entries and their hashes only. The quota is
//! not asked: what stands in the log has been accepted.

use super::error::VolumeError;
use super::packs::Packs;
use super::payload::{self, Payload};
use super::state::Layers;
use crate::base::{Seq, SessionId};
use crate::commit_log::{Stored, entry_key};
use crate::meta::apply::{ApplyError, Context, apply, genesis, note_commit};
use crate::meta::op::Op;
use crate::meta::overlay::{Overlay, Txn};
use crate::meta::read;
use crate::meta::view::View;

/// Changes in the making over layers that stand still.
pub(super) struct Replay<'a> {
    packs: &'a Packs,
    ground: &'a Layers,
    pub changes: Overlay,
}

impl<'a> Replay<'a> {
    /// Starts with `changes` over `ground`.
    pub fn new(packs: &'a Packs, ground: &'a Layers, changes: Overlay) -> Self {
        Self { packs, ground, changes }
    }

    /// Runs `f` on the state so far.
    pub fn read<T>(&self, mut f: impl FnMut(&dyn View) -> Result<T, VolumeError>) -> Result<T, VolumeError> {
        self.packs.retry(|| self.ground.with_view(&self.packs.nodes, Some(&self.changes), &mut f))
    }

    /// Applies one op as the session of `slot`; `Ok(Err(…))` when the state does not allow it, and nothing has
    /// changed then.
    pub fn try_apply(&mut self, op: &Op, slot: u32) -> Result<Result<(), ApplyError>, VolumeError> {
        let outcome = self.read(|view| {
            let mut txn = Txn::new(view);
            match apply(&mut txn, op, Context { slot, enforce_quota: false }) {
                Ok(()) => Ok(Ok(txn.finish())),
                Err(ApplyError::Read(error)) => Err(error.into()),
                Err(refused) => Ok(Err(refused)),
            }
        })?;
        Ok(outcome.map(|changes| self.changes.absorb(changes)))
    }

    /// Applies an entry: its ops, then the note of the commit in its session's record.
    ///
    /// # Errors
    /// `Corrupt` when the payload does not decode or an op does not apply; `RolledBack` when the writer counts
    /// its commits differently (M6).
    pub fn entry(&mut self, stored: &Stored) -> Result<(), VolumeError> {
        let entry = &stored.entry;
        let payload = payload::decode(entry.seq, &entry.payload)
            .map_err(|error| VolumeError::Corrupt(format!("object {}: {error}", entry_key(entry.seq))))?;
        match payload {
            Payload::Genesis(start) => {
                let changes = self.read(|view| {
                    let mut txn = Txn::new(view);
                    genesis(&mut txn, start.time, start.uid, start.gid, start.chunk_size)?;
                    Ok(txn.finish())
                })?;
                self.changes.absorb(changes);
            }
            Payload::Ops(ops) => {
                for (number, op) in ops.iter().enumerate() {
                    self.try_apply(op, entry.slot)?.map_err(|error| {
                        let key = entry_key(entry.seq);
                        VolumeError::Corrupt(format!("object {key}, op {number} does not apply: {error}"))
                    })?;
                }
            }
        }
        self.note(stored)
    }

    /// Notes the commit in its session's record and checks the writer's own count.
    fn note(&mut self, stored: &Stored) -> Result<(), VolumeError> {
        let entry = &stored.entry;
        let commits = self.note_commit(entry.slot, entry.session, entry.seq, stored.hash, entry.time)?;
        match commits {
            Some(commits) if commits != entry.counter => Err(VolumeError::RolledBack(format!(
                "log entry {} is commit {} of its writer, but the log holds {} of them: entries were dropped",
                entry.seq, entry.counter, commits
            ))),
            _ => Ok(()),
        }
    }

    /// Notes a commit; how many the session has made now, if it is open.
    pub fn note_commit(
        &mut self,
        slot: u32,
        session: SessionId,
        seq: Seq,
        hash: [u8; 32],
        time: crate::base::Timestamp,
    ) -> Result<Option<u64>, VolumeError> {
        let (changes, commits) = self.read(|view| {
            let mut txn = Txn::new(view);
            if read::session(&txn, slot)?.is_none_or(|known| known.id != session) {
                return Ok((txn.finish(), None));
            }
            note_commit(&mut txn, slot, seq, hash, time)?;
            let commits = read::session(&txn, slot)?.map(|known| known.commits);
            Ok((txn.finish(), commits))
        })?;
        self.changes.absorb(changes);
        Ok(commits)
    }
}
