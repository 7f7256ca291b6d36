//! The layers of state, newest first: pending, in flight, committed tail, folding, tree.
//!
//! Invariants
//! - Looking a record up from the newest layer to the tree gives what all acknowledged operations made of it.
//! - The tree is the state at `base_seq`; `folding` and `tail` take it to `seq`; both are changed by the holder
//!   of the commit lock only (a finished checkpoint swaps base and folding for the folded tree, which shows the
//!   same records).
//! - Overlays are shared by reference count. Nobody keeps a reference while system calls run, so that a change
//!   does not copy the layer: the commit thread drops its references before it opens the gate.

use std::sync::Arc;
use std::time::Duration;

use super::error::VolumeError;
use super::packs::Packs;
use super::payload::cost;
use crate::base::{CommitId, Epoch, Seq};
use crate::commit_log::{Checkpoint, EntryHash};
use crate::meta::op::Op;
use crate::meta::overlay::{Layered, Overlay};
use crate::meta::tree::{NodeSource, TreeRoot, TreeView};
use crate::meta::view::View;

/// A tree and layers over it: a state that nobody changes while it is looked at.
#[derive(Clone)]
pub(super) struct Layers {
    pub base: TreeRoot,
    /// Newest first.
    pub overlays: Vec<Arc<Overlay>>,
}

impl Layers {
    /// Runs `f` on these layers with `top` over them.
    pub fn with_view<T>(
        &self,
        nodes: &dyn NodeSource,
        top: Option<&Overlay>,
        f: impl FnOnce(&dyn View) -> T,
    ) -> T {
        let tree = TreeView { root: self.base, nodes };
        let layers = top.into_iter().chain(self.overlays.iter().map(Arc::as_ref)).collect();
        f(&Layered { base: &tree, layers })
    }

    /// Runs `f` on these layers until it no longer asks for a pack.
    ///
    /// # Errors
    /// As [`Packs::retry`].
    pub fn read<T>(
        &self,
        packs: &Packs,
        mut f: impl FnMut(&dyn View) -> Result<T, VolumeError>,
    ) -> Result<T, VolumeError> {
        packs.retry(|| self.with_view(&packs.nodes, None, &mut f))
    }
}

/// What the log says.
#[derive(Clone)]
pub(super) struct Committed {
    pub base: TreeRoot,
    pub base_seq: Seq,
    /// Frozen while a checkpoint folds it into the tree.
    pub folding: Option<Arc<Overlay>>,
    pub tail: Arc<Overlay>,
    /// The newest entry and its hash.
    pub seq: Seq,
    pub hash: EntryHash,
    /// The epoch of the newest entry.
    pub epoch: Epoch,
    /// The newest checkpoint known: published, or to be named by the next entry.
    pub checkpoint: Checkpoint,
}

impl Committed {
    pub fn layers(&self) -> Layers {
        let overlays = std::iter::once(&self.tail).chain(&self.folding).map(Arc::clone).collect();
        Layers { base: self.base, overlays }
    }

    /// Memory of what is not in the tree yet, about, in bytes.
    pub fn tail_bytes(&self) -> usize {
        self.tail.bytes() + self.folding.as_ref().map_or(0, |folding| folding.bytes())
    }
}

/// Ops that belong together: all of them stand in one commit, in order.
pub(super) type Transaction = Vec<Op>;

/// Acknowledged operations that no commit has taken yet.
#[derive(Default)]
pub(super) struct Pending {
    pub transactions: Vec<Transaction>,
    pub ops: usize,
    /// About what the ops take, in bytes.
    pub cost: usize,
    /// What they change. May also hold older changes (of a batch that was split), never newer ones.
    pub overlay: Arc<Overlay>,
}

impl Pending {
    /// Takes over a transaction that was applied with the result `changes`.
    pub fn push(&mut self, transaction: Transaction, changes: Overlay) {
        Arc::make_mut(&mut self.overlay).absorb(changes);
        if transaction.is_empty() {
            return;
        }
        self.ops += transaction.len();
        self.cost += transaction.iter().map(cost).sum::<usize>();
        self.transactions.push(transaction);
    }

    /// Whether the op that opens the session is among them; it stands at the front of its transaction.
    pub fn opens_session(&self) -> bool {
        self.transactions
            .iter()
            .any(|transaction| matches!(transaction.first(), Some(Op::OpenSession { .. })))
    }

    /// How many transactions from the front make a batch of at most `bound` bytes; at least one.
    pub fn batch_len(&self, bound: usize) -> usize {
        let mut bytes = 0;
        let fits = self.transactions.iter().take_while(|transaction| {
            bytes += transaction.iter().map(cost).sum::<usize>();
            bytes <= bound
        });
        fits.count().max(1).min(self.transactions.len())
    }

    /// Takes `count` transactions from the front.
    pub fn split_off_front(&mut self, count: usize) -> Vec<Transaction> {
        let rest = self.transactions.split_off(count);
        let front = std::mem::replace(&mut self.transactions, rest);
        for op in front.iter().flatten() {
            self.ops -= 1;
            self.cost -= cost(op);
        }
        front
    }
}

/// A batch on its way into the log.
pub(super) struct Batch {
    /// Random, and the same as long as the batch is.
    pub commit: CommitId,
    pub transactions: Arc<Vec<Transaction>>,
    pub overlay: Arc<Overlay>,
}

/// Everything under the state lock. Held for look-ups and short changes, never for I/O.
pub(super) struct State {
    pub committed: Committed,
    pub in_flight: Option<Batch>,
    pub pending: Pending,
    /// Counts replacements of the committed state by another reading of the bucket; a checkpoint that began
    /// before such a replacement is worthless.
    pub generation: u64,
    /// Counts how often somebody else's commits were taken over. Who decided something on a state that must be the
    /// newest compares.
    pub taken_over: u64,
    /// The newest checkpoint that an entry names.
    pub published: Seq,
    /// Orphans that nobody keeps may exist: the reaper has work.
    pub reapable: bool,
    /// The session's record is in the committed state, and how many commits it has there.
    pub session_open: bool,
    pub commits: u64,
    /// The op that opens it is pending or in flight.
    pub session_pending: bool,
    /// Time since boot of the last commit of anybody.
    pub last_commit: Duration,
    /// Time since boot of the last commit of somebody else.
    pub last_foreign: Option<Duration>,
    /// Why commits fail at the moment, and since when (time since boot).
    pub failing: Option<(Arc<VolumeError>, Duration)>,
    /// Why the last look at the log failed, and whether trying again is of no help.
    pub unfollowed: Option<Unfollowed>,
    /// Why nothing can be committed any more, when the volume key was replaced.
    pub locked_out: Option<Arc<VolumeError>>,
    /// The newest first-named conflicts, bounded.
    pub conflicts: Vec<String>,
}

/// A log that cannot be followed.
pub(super) struct Unfollowed {
    pub why: String,
    /// It is not the bucket that failed: what it shows is not what this mount has seen, or not sealed by this volume.
    pub refused: bool,
}

impl State {
    pub fn new(committed: Committed, now: Duration) -> Self {
        Self {
            published: committed.checkpoint.seq,
            committed,
            in_flight: None,
            pending: Pending::default(),
            generation: 0,
            taken_over: 0,
            reapable: false,
            session_open: false,
            commits: 0,
            session_pending: false,
            last_commit: now,
            last_foreign: None,
            failing: None,
            unfollowed: None,
            locked_out: None,
            conflicts: Vec::new(),
        }
    }

    /// All layers, newest first.
    pub fn layers(&self) -> Layers {
        let mut layers = self.committed.layers();
        let local =
            std::iter::once(&self.pending.overlay).chain(self.in_flight.as_ref().map(|batch| &batch.overlay));
        layers.overlays.splice(0..0, local.map(Arc::clone).collect::<Vec<_>>());
        layers
    }

    /// Runs `f` on the current state, without touching any reference count.
    pub fn with_view<T>(&self, nodes: &dyn NodeSource, f: impl FnOnce(&dyn View) -> T) -> T {
        let tree = TreeView { root: self.committed.base, nodes };
        let mut layers: Vec<&Overlay> = Vec::with_capacity(4);
        layers.push(&self.pending.overlay);
        layers.extend(self.in_flight.as_ref().map(|batch| batch.overlay.as_ref()));
        layers.push(&self.committed.tail);
        layers.extend(self.committed.folding.as_deref());
        f(&Layered { base: &tree, layers })
    }

    /// A checkpoint is done and no entry names it yet.
    pub fn has_unpublished(&self) -> bool {
        self.committed.checkpoint.seq > self.published
    }

    /// Nothing acknowledged waits for a commit.
    pub fn is_clean(&self) -> bool {
        self.in_flight.is_none() && self.pending.transactions.is_empty()
    }
}
