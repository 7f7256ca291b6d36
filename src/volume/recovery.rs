//! Reading the state from the bucket: find the tail, check it against the witness, replay since the checkpoint.
//!
//! A clean volume costs one listing, one entry, the entries since the checkpoint and the packs they need.
//! Blocks the calling thread, which must not be a worker of the runtime.

use std::sync::Arc;

use super::environment::Environment;
use super::error::VolumeError;
use super::packs::Packs;
use super::replay::Replay;
use super::state::{Committed, Layers};
use super::witness::Witness;
use crate::base::{DecodeError, Epoch, Reader, Seq, Writer};
use crate::commit_log::{Checkpoint, EntryHash, Log, LogError, Stored, entry_key};
use crate::meta::overlay::Overlay;
use crate::meta::read;
use crate::meta::tree::TreeRoot;

/// Entries replayed before the next are fetched, so that memory does not grow with the tail.
const WINDOW: u64 = 8;

/// How far a replay of the log has come.
pub(super) struct Chain {
    /// Hash of the last entry.
    pub hash: EntryHash,
    /// The epoch it was sealed under; 0 when unknown.
    pub epoch: Epoch,
    /// The newest checkpoint named.
    pub checkpoint: Checkpoint,
    /// A position of interest, and the hash that was seen there.
    pub watch: Seq,
    pub seen: Option<EntryHash>,
}

impl Chain {
    /// After an entry of which no more than this is known.
    pub fn after(hash: EntryHash, epoch: Epoch) -> Self {
        Self { hash, epoch, checkpoint: Checkpoint::default(), watch: Seq(0), seen: None }
    }

    fn pass(&mut self, stored: &Stored) {
        (self.hash, self.epoch) = (stored.hash, stored.epoch);
        if stored.entry.checkpoint.seq > self.checkpoint.seq {
            self.checkpoint = stored.entry.checkpoint.clone();
        }
        if stored.entry.seq == self.watch {
            self.seen = Some(stored.hash);
        }
    }
}

/// Reads the log and the tree of one volume.
pub(super) struct Recovery<'a> {
    pub env: &'a Environment,
    pub log: &'a Log,
    pub packs: &'a Packs,
}

impl Recovery<'_> {
    /// The newest state the bucket has, not older than what this machine saw (M6).
    ///
    /// # Errors
    /// `HalfInitialised` without a log that was never seen, `RolledBack` when the witness knows better or the log has a gap, and what
    /// the bucket says.
    pub fn open(&self) -> Result<Committed, VolumeError> {
        let witness = self.env.witness.load()?;
        let known = witness.map_or(Seq(0), |witness| witness.seq);
        let tail = self.env.runtime.block_on(self.log.find_tail(known))?;
        if tail == Seq(0) && known > Seq(0) {
            return Err(VolumeError::RolledBack(format!(
                "{} has no log any more, and this machine has seen commit {known}",
                self.env.bucket.describe()
            )));
        }
        if tail == Seq(0) {
            return Err(VolumeError::HalfInitialised(format!(
                "{} holds a volume header but no log: `hushfs init` did not finish. If nothing was ever stored \
                 there, delete the object `volume` and run `hushfs init` again",
                self.env.bucket.describe()
            )));
        }
        let newest = self.newest(tail, witness)?;
        let (committed, seen) = self.load(newest, known)?;
        if let Some(witness) = witness {
            self.check_witness(witness, &committed, seen)?;
        }
        Ok(committed)
    }

    /// The state at the entry `newest`: the checkpoint it names, and everything since. Also the hash of the entry
    /// at `watch`, when the chain passes it.
    fn load(&self, newest: Stored, watch: Seq) -> Result<(Committed, Option<EntryHash>), VolumeError> {
        let checkpoint = newest.entry.checkpoint.clone();
        let (base, base_seq) = (decode_root(&checkpoint)?, checkpoint.seq);
        let ground = Layers { base, overlays: Vec::new() };
        let mut replay = Replay::new(self.packs, &ground, Overlay::default());
        let before = Seq(newest.entry.seq.0 - 1);
        let (hash, epoch) = (checkpoint.hash, Epoch::default());
        let chain = Chain { hash, epoch, checkpoint: checkpoint.clone(), watch, seen: None };
        let mut chain = self.replay_range(&mut replay, base_seq.next(), before, chain)?;
        if newest.entry.previous != chain.hash {
            return Err(LogError::Unchained(newest.entry.seq).into());
        }
        newest.check_epoch(chain.epoch)?;
        replay.entry(&newest)?;
        chain.pass(&newest);
        let seen = if watch == base_seq { Some(checkpoint.hash) } else { chain.seen };
        let (seq, hash, epoch) = (newest.entry.seq, newest.hash, newest.epoch);
        let tail = Arc::new(replay.changes);
        Ok((Committed { base, base_seq, folding: None, tail, seq, hash, epoch, checkpoint }, seen))
    }

    /// Replays `first..=last`, which must follow the entry that `chain` ends with.
    pub fn replay_range(
        &self,
        replay: &mut Replay<'_>,
        first: Seq,
        last: Seq,
        chain: Chain,
    ) -> Result<Chain, VolumeError> {
        self.follow_range(first, last, chain, |stored| replay.entry(stored))
    }

    /// Gives `first..=last`, which must follow the entry that `chain` ends with, to `each`.
    fn follow_range(
        &self,
        first: Seq,
        last: Seq,
        mut chain: Chain,
        mut each: impl FnMut(&Stored) -> Result<(), VolumeError>,
    ) -> Result<Chain, VolumeError> {
        let mut next = first;
        while next <= last {
            let end = Seq(last.0.min(next.0 + WINDOW - 1));
            for stored in
                self.env.runtime.block_on(self.log.read_chain(next, end, chain.hash, chain.epoch))?
            {
                each(&stored)?;
                chain.pass(&stored);
            }
            next = end.next();
        }
        Ok(chain)
    }

    /// Reads on from an entry to the end of the log, and believes nothing of it but that it follows.
    ///
    /// # Errors
    /// `RolledBack` when it does not: an entry is missing, or continues another history. What the bucket says.
    pub fn follow_to_the_tail(&self, seq: Seq, hash: EntryHash, epoch: Epoch) -> Result<(), VolumeError> {
        let tail = self.env.runtime.block_on(self.log.find_tail(seq))?;
        self.follow_range(seq.next(), tail, Chain::after(hash, epoch), |_| Ok(()))?;
        Ok(())
    }

    /// Reads the state again from the newest entry, wherever it is now, because the entries after `known` do not
    /// follow it (`gap` says how). Only gc can have deleted them, and only up to its boundary (M3); anything else is
    /// a fork or a rollback (M6).
    pub fn reload(&self, known: Witness, gap: String) -> Result<Committed, VolumeError> {
        let tail = self.env.runtime.block_on(self.log.find_tail(known.seq))?;
        let newest = self.env.runtime.block_on(self.log.read(tail))?.ok_or(LogError::Missing(tail))?;
        let (committed, _) = self.load(newest, known.seq)?;
        let explained = committed.seq >= known.seq && self.boundary(&committed)? > known.seq.next();
        if !explained || self.is_left_aside(known)? {
            return Err(VolumeError::RolledBack(gap));
        }
        log::info!("{gap}; gc has deleted entries while this machine was away, so the state was read anew");
        Ok(committed)
    }

    /// Reads the state at `tail` again from the checkpoint that it names, because gc has deleted what the state known here
    /// hangs on. The entries up to `tail` must follow the one that `chain` ends with, like those that are replayed.
    ///
    /// # Errors
    /// As [`Recovery::open`].
    pub fn anew(&self, chain: Chain, known: Seq, tail: Seq) -> Result<Committed, VolumeError> {
        let chain = self.follow_range(known.next(), tail, chain, |_| Ok(()))?;
        let newest = self.env.runtime.block_on(self.log.read(tail))?.ok_or(LogError::Missing(tail))?;
        if newest.hash != chain.hash {
            return Err(LogError::Unchained(tail).into());
        }
        Ok(self.load(newest, known)?.0)
    }

    /// Whether the log goes on from another entry in the place of `known`: what gc may delete, it need not have deleted
    /// yet. An entry there that nothing follows is a sleeper's stray (M3) and proves nothing.
    fn is_left_aside(&self, known: Witness) -> Result<bool, VolumeError> {
        let read = |seq| self.env.runtime.block_on(self.log.read(seq));
        let Some(there) = read(known.seq)?.filter(|there| there.hash != known.hash) else { return Ok(false) };
        Ok(read(known.seq.next())?.is_some_and(|after| after.entry.previous == there.hash))
    }

    /// The entry at `tail`, which is the witness's own when nothing newer was found.
    fn newest(&self, tail: Seq, witness: Option<Witness>) -> Result<Stored, VolumeError> {
        let found = self.env.runtime.block_on(self.log.read(tail))?;
        match (found, witness) {
            (Some(stored), _) => Ok(stored),
            (None, Some(witness)) if witness.seq == tail => Err(rolled_back(witness, "that entry is gone")),
            (None, _) => Err(LogError::Missing(tail).into()),
        }
    }

    /// The log must contain what this machine saw; `seen` is the witness's place in the chain just replayed.
    fn check_witness(
        &self,
        witness: Witness,
        committed: &Committed,
        seen: Option<EntryHash>,
    ) -> Result<(), VolumeError> {
        let hash = match seen {
            Some(hash) => Some(hash),
            None => self.env.runtime.block_on(self.log.read(witness.seq))?.map(|stored| stored.hash),
        };
        match hash {
            Some(hash) if hash == witness.hash => Ok(()),
            Some(_) => Err(rolled_back(witness, "another one stands there now")),
            None if witness.seq < self.boundary(committed)? => Ok(()),
            None => Err(rolled_back(witness, "that entry is gone")),
        }
    }

    /// Entries before this one may have been deleted by gc; it stays itself.
    pub fn boundary(&self, committed: &Committed) -> Result<Seq, VolumeError> {
        let layers = committed.layers();
        layers.read(self.packs, |view| Ok(read::superblock(view)?.gc_boundary))
    }
}

fn rolled_back(witness: Witness, what: &str) -> VolumeError {
    VolumeError::RolledBack(format!(
        "this machine has seen entry {} of the log ({}), but {what}: the bucket was rolled back or the volume was \
         replaced. Nothing was changed; restore the newer bucket, or forget what this machine knows of the volume",
        witness.seq,
        entry_key(witness.seq)
    ))
}

/// The tree's root as a checkpoint names it.
pub(super) fn encode_root(root: TreeRoot) -> Vec<u8> {
    let mut w = Writer::new();
    root.encode(&mut w);
    w.finish()
}

/// The inverse; the empty state before the first entry has no root.
pub(super) fn decode_root(checkpoint: &Checkpoint) -> Result<TreeRoot, VolumeError> {
    if checkpoint.seq == Seq(0) && checkpoint.root.is_empty() {
        return Ok(TreeRoot::EMPTY);
    }
    let decode = || -> Result<TreeRoot, DecodeError> {
        let mut r = Reader::new(&checkpoint.root);
        let root = TreeRoot::decode(&mut r)?;
        r.end()?;
        Ok(root)
    };
    decode().map_err(|error| VolumeError::Corrupt(format!("checkpoint at entry {}: {error}", checkpoint.seq)))
}
