//! One commit: cut, upload (M1), seal, append, absorb.
//!
//! Before the cut most of what is dirty is settled while writers go on, slowly. At the cut the gate is held alone: dirty
//! data becomes ops, the open segment is closed, pending becomes the batch in flight. Everything after happens while
//! system calls go on. A failed attempt leaves the batch in flight; the next one goes on where it stopped and sends
//! identical bytes. A lost race hands over to [`super::rebase`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::anchor::{ANCHOR_COMMIT, Whole};
use super::error::VolumeError;
use super::mounted::{DirtySource, Volume};
use super::payload::encode_ops;
use super::replay::Replay;
use super::state::{Batch, Layers, Transaction};
use super::witness::Witness;
use crate::base::{CommitId, ObjectId, Seq, Timestamp, with_causes};
use crate::commit_log::{Appended, Checkpoint, Entry, EntryHash, SealedEntry};
use crate::meta::apply::ApplyError;
use crate::meta::key::{self, Parsed};
use crate::meta::op::Op;
use crate::meta::overlay::Overlay;
use crate::meta::record::{ChunkRef, Orphan, SegmentRecord};

/// Bytes of ops in one entry, about; far below what an entry may hold.
const MOST_IN_ENTRY: usize = 24 << 20;

/// What lies on the desk of the one who commits; the commit lock guards it.
pub(super) struct Desk {
    /// The batch in flight as it was sent, until its fate is known.
    ready: Option<Ready>,
    /// Segments in flight that must not be committed under their names: see [`super::reseal`].
    pub spoilt: BTreeSet<ObjectId>,
    /// Segments of others' past that pending operations refer to, and that are condemned or gone; with their records where
    /// these could still be had.
    pub left_behind: BTreeMap<ObjectId, Option<Arc<SegmentRecord>>>,
    /// Time since boot when the newest known entry was last seen to be the tail.
    pub proof: Duration,
    /// Time since boot when the newest known entry itself was last seen in the bucket; `None`: it has to be looked for.
    pub anchor: Option<Duration>,
    /// The last look at all that was committed.
    pub whole: Whole,
}

/// A batch that is sealed, with what its success will mean.
struct Ready {
    sealed: SealedEntry,
    segments: Vec<ObjectId>,
    slot: u32,
    time: Timestamp,
    checkpoint: Seq,
}

/// What became of the batch in flight.
enum Finished {
    Committed,
    /// Others were first, or a segment was spoilt: its ops are pending again, on top of what is committed.
    Rebased,
}

impl Desk {
    pub fn new(newest: Seq, opened: Duration) -> Self {
        let whole = Whole::new(newest, opened);
        let (spoilt, left_behind) = (BTreeSet::new(), BTreeMap::new());
        Self { ready: None, spoilt, left_behind, proof: opened, anchor: Some(opened), whole }
    }

    /// The segments of the batch in flight, if it was sent as this entry.
    pub fn segments_of(&self, entry: EntryHash) -> Option<Vec<ObjectId>> {
        let ready = self.ready.as_ref().filter(|ready| ready.sealed.hash == entry);
        ready.map(|ready| ready.segments.clone())
    }

    /// The batch in flight will never be committed as it is.
    pub fn discard(&mut self) {
        self.ready = None;
    }
}

impl Volume {
    /// Commits everything acknowledged so far: one numbered attempt, whose outcome all waiting callers share.
    ///
    /// # Errors
    /// Why it failed; everything stays queued.
    pub(super) fn commit_once(&self) -> Result<(), VolumeError> {
        self.commit(false)
    }

    /// Like [`Volume::commit_once`]; with `closing` the session ends in the last entry.
    pub(super) fn commit(&self, closing: bool) -> Result<(), VolumeError> {
        let mut desk = self.desk.lock();
        self.bell.begin();
        let outcome = self.attempt(&mut desk, closing).map_err(Arc::new);
        self.note_outcome(&outcome);
        self.bell.finish(outcome.clone());
        drop(desk);
        Ok(outcome?)
    }

    fn attempt(&self, desk: &mut Desk, closing: bool) -> Result<(), VolumeError> {
        if closing {
            desk.doubt();
        }
        // What an earlier attempt left.
        self.finish_on_what_is_there(desk)?;
        let mut first = true;
        loop {
            self.reseal_spoilt(desk)?;
            let Some(more) = self.cut(first, closing)? else { break };
            let finished = self.finish_on_what_is_there(desk)?;
            if !more && matches!(finished, Finished::Committed) {
                break;
            }
            first = false;
        }
        Ok(())
    }

    /// Makes the next batch. `None` when there is nothing to commit; else whether more is left.
    fn cut(&self, first: bool, closing: bool) -> Result<Option<bool>, VolumeError> {
        if first && let Some(source) = self.dirty_source() {
            source.ease(self)?;
        }
        let alone = self.gate.alone();
        if first {
            self.drain(&alone)?;
            if closing && self.has_session() {
                let slot = self.slot();
                self.transact::<_, VolumeError>(&alone, |txn| Ok(txn.apply(Op::CloseSession { slot })?))?;
            }
        }
        self.data.close_segment();
        let owes_an_entry = self.owes_an_entry();
        let (count, total) = {
            let state = self.state.read();
            if state.pending.transactions.is_empty() && !state.has_unpublished() && !owes_an_entry {
                return Ok(None);
            }
            (state.pending.batch_len(MOST_IN_ENTRY), state.pending.transactions.len())
        };
        let front = if count < total { Some(self.replay_front(count)?) } else { None };
        let mut state = self.state.write();
        let transactions = Arc::new(state.pending.split_off_front(count));
        let overlay = match front {
            Some(changes) => Arc::new(changes),
            None => std::mem::take(&mut state.pending.overlay),
        };
        let commit = CommitId::generate(&*self.env.random);
        state.in_flight = Some(Batch { commit, transactions, overlay });
        Ok(Some(count < total))
    }

    fn has_session(&self) -> bool {
        let state = self.state.read();
        state.session_open || state.session_pending
    }

    /// Asks for everything dirty.
    pub(super) fn drain(&self, alone: &super::gate::Permit<'_>) -> Result<(), VolumeError> {
        self.dirty_source().map_or(Ok(()), |source| source.drain(self, alone))
    }

    fn dirty_source(&self) -> Option<Arc<dyn DirtySource>> {
        self.dirty.read().clone()
    }

    /// What the first `count` pending transactions alone make of the committed state.
    fn replay_front(&self, count: usize) -> Result<Overlay, VolumeError> {
        let (ground, front): (Layers, Vec<Transaction>) = {
            let state = self.state.read();
            (state.committed.layers(), state.pending.transactions[..count].to_vec())
        };
        let mut replay = Replay::new(&self.packs, &ground, Overlay::default());
        for op in front.iter().flatten() {
            replay.try_apply(op, self.slot())??;
        }
        Ok(replay.changes)
    }

    /// As [`Self::finish_in_flight`]. Where gc has deleted the tree that is known here, what others committed comes first.
    fn finish_on_what_is_there(&self, desk: &mut Desk) -> Result<Finished, VolumeError> {
        match self.finish_in_flight(desk) {
            Err(error) if error.is_gone() => {
                self.catch_up(desk)?;
                if self.state.read().in_flight.is_some() { Err(error) } else { Ok(Finished::Rebased) }
            }
            outcome => outcome,
        }
    }

    /// Brings the batch in flight, if there is one, into the log.
    fn finish_in_flight(&self, desk: &mut Desk) -> Result<Finished, VolumeError> {
        if self.state.read().in_flight.is_none() {
            return Ok(Finished::Committed);
        }
        let ready = match desk.ready.take() {
            Some(ready) => ready,
            None => match self.prepare(desk)? {
                Some(ready) => ready,
                None => return Ok(Finished::Rebased),
            },
        };
        // Whatever happens below, the same bytes are sent again until their fate is known.
        let sealed = ready.sealed.clone();
        desk.ready = Some(ready);
        self.check_anchor(desk, ANCHOR_COMMIT)?;
        let hash = match self.append(&sealed)? {
            Appended::Done(hash) => hash,
            Appended::Lost => return self.step_back(desk),
        };
        if self.landed_in_a_gap(desk, &sealed, hash)? {
            log::warn!(
                "log entry {} landed where older entries had been deleted; committing again",
                sealed.seq
            );
            return self.step_back(desk);
        }
        desk.proof = self.env.clock.boot();
        desk.anchor = Some(desk.proof);
        if let Some(ready) = &desk.ready {
            self.absorb(ready, hash)?;
        }
        desk.ready = None;
        Ok(Finished::Committed)
    }

    /// Whoever stands at that position may have a newer epoch.
    fn append(&self, sealed: &SealedEntry) -> Result<Appended, VolumeError> {
        self.with_newest_keys(|| Ok(self.env.runtime.block_on(self.log.append(sealed))?))
    }

    /// A machine that slept may have written behind gc's back (M3): after a long time a success is believed only
    /// when nothing stands after it, or the log goes on from it to its end.
    fn landed_in_a_gap(
        &self,
        desk: &Desk,
        sealed: &SealedEntry,
        hash: EntryHash,
    ) -> Result<bool, VolumeError> {
        if !self.proof_is_stale(desk) || self.env.runtime.block_on(self.log.next_after(sealed.seq))?.is_none()
        {
            return Ok(false);
        }
        match self.with_newest_keys(|| self.recovery().follow_to_the_tail(sealed.seq, hash, sealed.epoch)) {
            Ok(()) => Ok(false),
            Err(VolumeError::RolledBack(gap)) => {
                log::debug!("{gap}");
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    /// Somebody else was first: their entries are taken over and the batch goes on top of them.
    ///
    /// # Errors
    /// `Corrupt` when the bucket refused the entry, but shows nothing that is newer than what is known here. The
    /// batch stays in flight then: had this passed for a rebase, the batch would count as committed.
    fn step_back(&self, desk: &mut Desk) -> Result<Finished, VolumeError> {
        self.catch_up(desk)?;
        let state = self.state.read();
        if state.in_flight.is_some() {
            let next = state.committed.seq.next();
            return Err(VolumeError::Corrupt(format!(
                "the bucket contradicts itself: it says that the log entry {next} exists, but neither shows it nor \
                 anything newer. Nothing was committed; what waits is tried again"
            )));
        }
        Ok(Finished::Rebased)
    }

    /// Uploads what the batch refers to (M1), puts the records of new segments in front of it, and seals it. These
    /// records depend on no others, so it does not matter that they come into the layers late.
    /// `None`: a segment turned out to be spoilt only now, and the batch is pending again.
    fn prepare(&self, desk: &mut Desk) -> Result<Option<Ready>, VolumeError> {
        let (commit, transactions, ground, epoch) = {
            let state = self.state.read();
            let Some(batch) = &state.in_flight else {
                return Err(VolumeError::Corrupt("there is no batch to prepare".into()));
            };
            let mut ground = state.committed.layers();
            ground.overlays.insert(0, Arc::clone(&batch.overlay));
            (batch.commit, Arc::clone(&batch.transactions), ground, state.committed.epoch)
        };
        let mut segments = segments_of(transactions.iter().flatten());
        segments.retain(|segment| self.data.in_flight(*segment));
        let segments: Vec<ObjectId> = segments.into_iter().collect();
        let records = match segments.is_empty() {
            true => Vec::new(),
            false => self.env.runtime.block_on(self.data.uploaded(&segments))?,
        };
        let mut replay = Replay::new(&self.packs, &ground, Overlay::default());
        let mut front = Vec::new();
        for (id, record) in records {
            // Sealed while the news of a newer epoch came in.
            let is_old = record.epoch < epoch;
            let op = Op::AddSegment { id, record };
            match replay.try_apply(&op, self.slot())? {
                Ok(()) if !is_old => front.push(op),
                Ok(()) | Err(ApplyError::Changed) => drop(desk.spoilt.insert(id)),
                Err(error) => return Err(error.into()),
            }
        }
        let changes = replay.changes;
        drop(ground);
        if !desk.spoilt.is_empty() {
            self.take_back(transactions);
            return Ok(None);
        }
        let ops = front.iter().chain(transactions.iter().flatten());
        let ready = self.seal(commit, encode_ops(ops), segments)?;
        let mut state = self.state.write();
        if let Some(batch) = &mut state.in_flight {
            Arc::make_mut(&mut batch.overlay).absorb(changes);
        }
        Ok(Some(ready))
    }

    /// The batch in flight is pending again, in front of everything that came after it.
    fn take_back(&self, transactions: Arc<Vec<Transaction>>) {
        let mut state = self.state.write();
        let Some(batch) = state.in_flight.take() else { return };
        let newer = std::mem::take(&mut state.pending);
        for transaction in transactions.iter().chain(&newer.transactions) {
            state.pending.push(transaction.clone(), Overlay::default());
        }
        let mut overlay = Arc::unwrap_or_clone(batch.overlay);
        overlay.absorb(Arc::unwrap_or_clone(newer.overlay));
        state.pending.overlay = Arc::new(overlay);
    }

    fn seal(
        &self,
        commit: CommitId,
        payload: Vec<u8>,
        segments: Vec<ObjectId>,
    ) -> Result<Ready, VolumeError> {
        let (seq, previous, checkpoint, commits): (Seq, EntryHash, Checkpoint, u64) = {
            let state = self.state.read();
            let committed = &state.committed;
            (committed.seq.next(), committed.hash, committed.checkpoint.clone(), state.commits)
        };
        let (slot, time) = (self.slot(), self.now());
        let named = checkpoint.seq;
        let entry = Entry {
            seq,
            commit,
            slot,
            session: self.session.id,
            counter: commits + 1,
            previous,
            time,
            checkpoint,
            payload,
        };
        let sealed = self.log.seal(&entry)?;
        Ok(Ready { sealed, segments, slot, time, checkpoint: named })
    }

    /// The batch stands in the log: it becomes part of the committed tail.
    fn absorb(&self, ready: &Ready, hash: EntryHash) -> Result<(), VolumeError> {
        let seq = ready.sealed.seq;
        let (note, commits) = {
            let ground = {
                let state = self.state.read();
                let mut ground = state.committed.layers();
                ground
                    .overlays
                    .splice(0..0, state.in_flight.as_ref().map(|batch| Arc::clone(&batch.overlay)));
                ground
            };
            let mut replay = Replay::new(&self.packs, &ground, Overlay::default());
            let commits = replay.note_commit(ready.slot, self.session.id, seq, hash, ready.time)?;
            (replay.changes, commits)
        };
        {
            let mut state = self.state.write();
            let state = &mut *state;
            if let Some(batch) = state.in_flight.take() {
                state.reapable |= names_nobodys_orphan(&batch.overlay);
                let tail = Arc::make_mut(&mut state.committed.tail);
                tail.absorb(Arc::unwrap_or_clone(batch.overlay));
                // What is left of a batch that was split still shows the session as it was opened.
                for (key, noted) in note.iter() {
                    if matches!(state.pending.overlay.change(key), Some(Some(_))) {
                        Arc::make_mut(&mut state.pending.overlay).set(key.to_vec(), noted.cloned());
                    }
                }
                tail.absorb(note);
            }
            state.committed.seq = seq;
            state.committed.hash = hash;
            state.committed.epoch = ready.sealed.epoch;
            state.published = state.published.max(ready.checkpoint);
            state.session_open = commits.is_some();
            state.commits = commits.unwrap_or(0);
            state.session_pending = state.pending.opens_session();
            state.last_commit = self.env.clock.boot();
        }
        self.data.committed(&ready.segments);
        self.save_witness(Witness { seq, hash });
        Ok(())
    }

    /// Failing to save it weakens M6 on this machine, but must not stop the mount.
    pub(super) fn save_witness(&self, witness: Witness) {
        if let Err(error) = self.env.witness.save(witness) {
            log::warn!(
                "the witness of entry {} could not be saved in the local keyring: {error}",
                witness.seq
            );
        }
    }

    fn note_outcome(&self, outcome: &Result<(), Arc<VolumeError>>) {
        let now = self.env.clock.boot();
        let mut state = self.state.write();
        match outcome {
            Ok(()) => {
                if let Some((_, since)) = state.failing.take() {
                    log::info!("commits work again after {} s", now.saturating_sub(since).as_secs());
                }
            }
            Err(error) => {
                let since = state.failing.as_ref().map_or(now, |(_, since)| *since);
                log::error!("commit failed, trying again: {}", with_causes(error));
                state.failing = Some((Arc::clone(error), since));
                drop(state);
                self.trouble.notify_waiters();
            }
        }
    }
}

/// The segments that ops refer to.
pub(super) fn segments_of<'a>(ops: impl Iterator<Item = &'a Op>) -> BTreeSet<ObjectId> {
    let mut segments = BTreeSet::new();
    let mut note = |chunk: &ChunkRef| {
        if let ChunkRef::Segment { segment, .. } = chunk {
            segments.insert(*segment);
        }
    };
    for op in ops {
        match op {
            Op::Write { chunks, .. } => {
                chunks.iter().filter_map(|(_, chunk)| chunk.as_ref()).for_each(&mut note)
            }
            Op::Relocate { to, .. } => note(to),
            _ => {}
        }
    }
    segments
}

/// Whether a layer leaves an inode for the reaper.
pub(super) fn names_nobodys_orphan(layer: &Overlay) -> bool {
    layer.iter().any(|(key, value)| {
        let orphan = value.filter(|_| matches!(key::parse(key), Some(Parsed::Orphan(_))));
        orphan.is_some_and(|bytes| Orphan::decode(bytes).is_ok_and(|orphan| orphan.slot == 0))
    })
}
