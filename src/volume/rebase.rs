//! Putting what is not committed here on top of what others committed.
//!
//! The gate is held alone, and everything dirty is drained first: all local changes are ops, made against what this
//! machine saw. They are applied again, in order, to the state with the news ([`super::conflict`] says what happens
//! to those that do not fit any more). Only when all went well the new state replaces the old one, in one step; an
//! error leaves everything as it was. The batch in flight becomes pending again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::commit::{Desk, names_nobodys_orphan, segments_of};
use super::conflict::Conflicts;
use super::error::VolumeError;
use super::follow::News;
use super::mounted::Volume;
use super::state::{Layers, Pending, State, Transaction};
use crate::base::{ObjectId, Seq};
use crate::commit_log::EntryHash;
use crate::meta::overlay::Overlay;
use crate::meta::read;
use crate::meta::record::SegmentRecord;

/// Conflicts kept for `status`; all are logged.
const MOST_CONFLICTS: usize = 100;

/// What stood before, and all that waits to be done again.
struct Local {
    old: Layers,
    before: Layers,
    after: Layers,
    transactions: Vec<Transaction>,
    /// Changes of the old local layers, newest first.
    overlays: Vec<Arc<Overlay>>,
}

impl Volume {
    /// Takes the news over.
    ///
    /// # Errors
    /// What drain, bucket or metadata say; nothing has changed then.
    pub(super) fn rebase(&self, desk: &mut Desk, news: News) -> Result<(), VolumeError> {
        let reloaded = matches!(news, News::Reloaded(_));
        let witness = news.witness();
        let stored = self.last_commit_in(&news)?.and_then(|entry| desk.segments_of(entry));
        let mut spoilt = self.spoilt_by(&news);
        spoilt.retain(|segment| stored.as_ref().is_none_or(|stored| !stored.contains(segment)));
        let keys = {
            let alone = self.gate.alone();
            if self.dirty_bytes() > 0 {
                self.drain(&alone)?;
            }
            let local = self.local(&news, stored.is_some());
            let mut conflicts = Conflicts::new(self, &local.old, &local.before, &local.after);
            conflicts.begin_session(!local.transactions.is_empty())?;
            for transaction in &local.transactions {
                conflicts.transaction(transaction)?;
            }
            let (pending, session, stories) = conflicts.finish();
            let left_behind = self.left_behind(&local, &pending)?;
            let mut keys = differing(&local.overlays, &pending.overlay);
            if let News::Entries { changes, .. } = &news {
                keys.extend(changes.iter().map(|(key, _)| key.to_vec()));
            }
            drop(local);
            let mut state = self.state.write();
            self.replace(&mut state, news, pending);
            state.session_open = session.commits.is_some();
            state.commits = session.commits.unwrap_or(0);
            state.session_pending = session.reopened;
            self.session.set_slot(session.slot);
            remember(&mut state, stories);
            desk.discard();
            desk.spoilt.extend(spoilt);
            desk.left_behind.extend(left_behind);
            keys
        };
        if let Some(segments) = stored {
            log::info!("a commit whose answer was lost stands in the log");
            self.data.committed(&segments);
        }
        self.save_witness(witness);
        self.tell_observer(reloaded, keys);
        Ok(())
    }

    /// This session's newest commit that is part of the news. It is the batch in flight if the answer to that was lost and
    /// its entry has been deleted since, so that it did not meet itself.
    fn last_commit_in(&self, news: &News) -> Result<Option<EntryHash>, VolumeError> {
        let after = news.on(&self.state.read().committed);
        after.read(&self.packs, |view| Ok(self.session.last_commit(view)?))
    }

    /// `stored`: the batch in flight is not to be done again.
    fn local(&self, news: &News, stored: bool) -> Local {
        let state = self.state.read();
        let in_flight =
            state.in_flight.iter().filter(|_| !stored).flat_map(|batch| batch.transactions.iter());
        let overlays =
            std::iter::once(&state.pending.overlay).chain(state.in_flight.iter().map(|batch| &batch.overlay));
        Local {
            old: state.layers(),
            before: state.committed.layers(),
            after: news.on(&state.committed),
            transactions: in_flight.chain(&state.pending.transactions).cloned().collect(),
            overlays: overlays.map(Arc::clone).collect(),
        }
    }

    /// Segments that what waits refers to and that the new state does not have, or not for long: a copy of what a file was
    /// here refers to segments that gc may have deleted since others replaced it.
    fn left_behind(
        &self,
        local: &Local,
        pending: &Pending,
    ) -> Result<BTreeMap<ObjectId, Option<Arc<SegmentRecord>>>, VolumeError> {
        let find = |layers: &Layers, id| {
            layers.read(&self.packs, |view| match read::segment(view, id)? {
                Some(record) if read::condemned(view, &record.object_key(id))?.is_none() => Ok(Some(record)),
                Some(_) | None => Ok(None),
            })
        };
        let mut left_behind = BTreeMap::new();
        for id in segments_of(pending.transactions.iter().flatten()) {
            if self.data.in_flight(id) || find(&local.after, id)?.is_some() {
                continue;
            }
            let record = match find(&local.old, id) {
                Ok(record) => record,
                Err(error) if error.is_gone() => None,
                Err(error) => return Err(error),
            };
            left_behind.insert(id, record.map(Arc::new));
        }
        Ok(left_behind)
    }

    fn replace(&self, state: &mut State, news: News, pending: Pending) {
        state.in_flight = None;
        state.pending = pending;
        state.taken_over += 1;
        state.last_commit = self.env.clock.boot();
        state.last_foreign = Some(state.last_commit);
        match news {
            News::Entries { changes, seq, hash, epoch, checkpoint } => {
                Arc::make_mut(&mut state.committed.tail).absorb(Arc::unwrap_or_clone(changes));
                state.committed.seq = seq;
                state.committed.hash = hash;
                state.committed.epoch = epoch;
                state.published = state.published.max(checkpoint.seq);
                // Its own checkpoint may have been finished while the news were read.
                if checkpoint.seq > state.committed.checkpoint.seq {
                    state.committed.checkpoint = checkpoint;
                }
            }
            News::Reloaded(committed) => {
                state.reapable |= names_nobodys_orphan(&committed.tail);
                state.published = committed.checkpoint.seq;
                state.committed = *committed;
                state.generation += 1;
            }
        }
    }

    fn tell_observer(&self, reloaded: bool, keys: BTreeSet<Vec<u8>>) {
        let Some(observer) = self.observer.read().clone() else { return };
        if reloaded {
            observer.everything_changed();
        }
        let keys: Vec<Vec<u8>> = keys.into_iter().collect();
        observer.changed(&keys);
    }

    /// The newest position known here.
    pub fn seq(&self) -> Seq {
        self.state.read().committed.seq
    }
}

/// Keys that the old local layers and the new one change differently.
fn differing(old: &[Arc<Overlay>], new: &Overlay) -> BTreeSet<Vec<u8>> {
    let before = |key: &[u8]| old.iter().find_map(|layer| layer.change(key));
    let old_keys = old.iter().flat_map(|layer| layer.iter().map(|(key, _)| key));
    let all = old_keys.chain(new.iter().map(|(key, _)| key));
    all.filter(|key| before(key) != new.change(key)).map(<[u8]>::to_vec).collect()
}

pub(super) fn remember(state: &mut State, stories: Vec<String>) {
    state.conflicts.extend(stories);
    let excess = state.conflicts.len().saturating_sub(MOST_CONFLICTS);
    state.conflicts.drain(..excess);
}
