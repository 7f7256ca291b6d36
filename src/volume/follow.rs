//! Following the log: what others committed becomes part of this machine's state.
//!
//! A *proof* is a moment at which the newest entry known here was seen to be the newest there is. While a session
//! is in the state, gc publishes its boundary long before it deletes, so "the next entry is not there" is a proof
//! as long as the last proof is recent. After a long sleep, or for a machine that gc cannot know of, only a
//! listing is one (M3).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::anchor::ANCHOR_IDLE;
use super::commit::Desk;
use super::error::VolumeError;
use super::mounted::Volume;
use super::recovery::{Chain, Recovery, decode_root};
use super::replay::Replay;
use super::state::{Committed, Layers};
use super::witness::Witness;
use crate::base::{Epoch, Seq};
use crate::commit_log::{Checkpoint, EntryHash};
use crate::meta::overlay::Overlay;

/// How long a proof lasts for a session that gc knows of.
const STALE: Duration = Duration::from_secs(600);
/// How long after a proof a mount that gc does not know of goes by the absence of the next entry in its regular looks.
/// That is no new proof: behind a gap it follows late, and commits nothing there.
const STALE_UNKNOWN: Duration = Duration::from_secs(60);
/// Bytes of a tail that make a follower adopt a newer checkpoint that somebody else made.
const ADOPT_BYTES: usize = 8 << 20;
/// Entries since its base that make it do so.
const ADOPT_ENTRIES: u64 = 128;
/// Shortest time between two looks at the log.
const POLL_FAST: Duration = Duration::from_secs(5);
/// Longest time between two looks, for a session that gc knows of and for a mount that has not committed yet. Each takes
/// one request: the next entry, or, every other time of an idle mount that has not committed, a listing.
const POLL_SLOW: Duration = Duration::from_secs(65);
const POLL_SLOW_UNKNOWN: Duration = Duration::from_secs(59);

/// What others did.
pub(super) enum News {
    /// Entries that follow what is known here, and what they changed.
    Entries { changes: Arc<Overlay>, seq: Seq, hash: EntryHash, epoch: Epoch, checkpoint: Checkpoint },
    /// The log went on beyond what gc has deleted: the state was read from the bucket again.
    Reloaded(Box<Committed>),
}

impl News {
    /// The committed state with the news.
    pub fn on(&self, known: &Committed) -> Layers {
        match self {
            News::Entries { changes, .. } => {
                let mut layers = known.layers();
                layers.overlays.insert(0, Arc::clone(changes));
                layers
            }
            News::Reloaded(committed) => committed.layers(),
        }
    }

    /// Position and hash of the newest entry.
    pub fn witness(&self) -> Witness {
        match self {
            News::Entries { seq, hash, .. } => Witness { seq: *seq, hash: *hash },
            News::Reloaded(committed) => Witness { seq: committed.seq, hash: committed.hash },
        }
    }
}

impl Volume {
    pub(super) fn recovery(&self) -> Recovery<'_> {
        Recovery { env: &self.env, log: &self.log, packs: &self.packs }
    }

    /// Whether the newest entry known here must be looked at again before a success is believed. Always
    /// without a session in the state: gc waits for nobody then, and may have deleted the next entry a moment ago.
    pub(super) fn proof_is_stale(&self, desk: &Desk) -> bool {
        !self.state.read().session_open || self.env.clock.boot().saturating_sub(desk.proof) >= STALE
    }

    /// Looks whether somebody committed, with one request when nobody did. Not while a batch is in flight: its own
    /// attempt finds out.
    ///
    /// # Errors
    /// What the bucket says; nothing has changed then.
    pub(super) fn poll_once(&self) -> Result<(), VolumeError> {
        self.poll(Duration::ZERO)
    }

    /// Without a session in the state, an absence is believed for so long after a proof.
    fn poll(&self, unknown: Duration) -> Result<(), VolumeError> {
        let mut desk = self.desk.lock();
        let (next, is_known) = {
            let state = self.state.read();
            if state.in_flight.is_some() {
                return Ok(());
            }
            (state.committed.seq.next(), state.session_open)
        };
        self.check_anchor(&mut desk, ANCHOR_IDLE)?;
        let now = self.env.clock.boot();
        let limit = if is_known { STALE } else { unknown };
        if now.saturating_sub(desk.proof) < limit && self.is_the_tail(next)? {
            if is_known {
                desk.proof = now;
            }
            return Ok(());
        }
        self.catch_up(&mut desk)?;
        self.adopt_checkpoint()
    }

    /// The commit thread's look at the log, one request when nothing has happened: who is alone sees every few minutes whether
    /// the newest entry still stands instead of whether another one follows it.
    ///
    /// # Errors
    /// As [`Volume::poll_once`].
    pub(super) fn look(&self) -> Result<(), VolumeError> {
        if !self.has_company() {
            let mut desk = self.desk.lock();
            let due = |seen: Duration| self.env.clock.boot().saturating_sub(seen) >= ANCHOR_IDLE;
            if desk.anchor.is_some_and(due) && self.state.read().in_flight.is_none() {
                return self.check_anchor(&mut desk, ANCHOR_IDLE);
            }
        }
        self.poll(STALE_UNKNOWN)
    }

    fn is_the_tail(&self, next: Seq) -> Result<bool, VolumeError> {
        let found = self.with_newest_keys(|| Ok(self.env.runtime.block_on(self.log.read(next))?))?;
        Ok(found.is_none())
    }

    /// Reads everything after the newest entry known here and rebases what is not committed onto it.
    ///
    /// # Errors
    /// What the bucket says; a broken chain. Nothing has changed then.
    pub(super) fn catch_up(&self, desk: &mut Desk) -> Result<(), VolumeError> {
        let known = self.state.read().committed.clone();
        let asked = self.env.clock.boot();
        let tail = self.env.runtime.block_on(self.log.find_tail(known.seq))?;
        if tail > known.seq {
            let news = self.with_newest_keys(|| self.news(&known, tail))?;
            drop(known);
            self.rebase(desk, news)?;
            desk.anchor = Some(asked);
        }
        desk.proof = asked;
        Ok(())
    }

    /// The entries after `known` up to `tail`; the state anew if they do not follow because gc deleted some, or if it
    /// deleted the packs that `known` hangs on and that are not in memory.
    fn news(&self, known: &Committed, tail: Seq) -> Result<News, VolumeError> {
        let ground = known.layers();
        let mut replay = Replay::new(&self.packs, &ground, Overlay::default());
        // Only what the entries name counts: the own newest checkpoint may not be published yet.
        let chain = || Chain::after(known.hash, known.epoch);
        let committed = match self.recovery().replay_range(&mut replay, known.seq.next(), tail, chain()) {
            Ok(chain) => {
                return Ok(News::Entries {
                    changes: Arc::new(replay.changes),
                    seq: tail,
                    hash: chain.hash,
                    epoch: chain.epoch,
                    checkpoint: chain.checkpoint,
                });
            }
            // A gap, or an entry of another sleeper that fell into it.
            Err(VolumeError::RolledBack(gap)) => {
                self.recovery().reload(Witness { seq: known.seq, hash: known.hash }, gap)?
            }
            Err(error) if error.is_gone() => {
                log::info!(
                    "{error}; gc has deleted it while this machine was away, so the state is read anew"
                );
                self.recovery().anew(chain(), known.seq, tail)?
            }
            Err(error) => return Err(error),
        };
        self.check_own_commits(&committed)?;
        Ok(News::Reloaded(Box::new(committed)))
    }

    /// A state that was read anew must count all commits of this session: the entries that would show a fork may have
    /// been deleted by its gc (M6). A session that is not there was closed by somebody else.
    fn check_own_commits(&self, committed: &Committed) -> Result<(), VolumeError> {
        let known = self.state.read().commits;
        let layers = committed.layers();
        match layers.read(&self.packs, |view| Ok(self.session.find(view)?))? {
            Some(found) if found < known => Err(VolumeError::RolledBack(format!(
                "the log counts {found} commits of this mount, which has made {known}: the bucket was rolled back or \
                 shows another history"
            ))),
            Some(_) | None => Ok(()),
        }
    }

    /// Takes over a newer checkpoint that somebody else made, when the own tail is large: memory stays bounded on
    /// machines that only follow (M7). The records stay the same.
    ///
    /// # Errors
    /// What the bucket says; nothing has changed then.
    pub(super) fn adopt_checkpoint(&self) -> Result<(), VolumeError> {
        let known = self.state.read().committed.clone();
        let large = known.tail_bytes() > ADOPT_BYTES || known.seq.0 - known.base_seq.0 >= ADOPT_ENTRIES;
        if known.folding.is_some() || known.checkpoint.seq <= known.base_seq || !large {
            return Ok(());
        }
        let ground = Layers { base: decode_root(&known.checkpoint)?, overlays: Vec::new() };
        let mut replay = Replay::new(&self.packs, &ground, Overlay::default());
        let (hash, epoch) = (known.checkpoint.hash, Epoch::default());
        let chain = Chain { hash, epoch, checkpoint: known.checkpoint.clone(), watch: Seq(0), seen: None };
        let chain =
            self.recovery().replay_range(&mut replay, known.checkpoint.seq.next(), known.seq, chain)?;
        if chain.hash != known.hash {
            return Err(VolumeError::RolledBack(format!(
                "the entries from the checkpoint at {} to {} are not those this machine has seen",
                known.checkpoint.seq, known.seq
            )));
        }
        let mut state = self.state.write();
        if state.committed.folding.is_none() {
            state.committed.base = ground.base;
            state.committed.base_seq = known.checkpoint.seq;
            state.committed.tail = Arc::new(replay.changes);
        }
        Ok(())
    }

    /// Takes over what others committed, if anything; says how often that has happened so far. For who is about to
    /// delete: a bucket that does not show all that was committed here is refused.
    ///
    /// # Errors
    /// As [`Volume::poll_once`].
    pub(super) fn look_for_others(&self) -> Result<u64, VolumeError> {
        self.doubt();
        self.poll_once()?;
        Ok(self.taken_over())
    }

    /// Takes over what others committed, if anything, for who has found that an object is gone: gc, which waits for
    /// nobody that it does not know of, may have deleted it. Called without permits and locks. A look that fails is
    /// repeated by the commit thread, which tells about it.
    pub fn look_for_newer(&self) {
        if let Err(error) = self.poll_once() {
            log::warn!("looking for what others have committed: {error}");
        }
    }

    /// How often others' commits were taken over.
    pub(super) fn taken_over(&self) -> u64 {
        self.state.read().taken_over
    }

    /// How long to wait before the next look that nobody asks for: a minute for whoever is alone (somebody who has mounted
    /// the volume just now is met by then, or by the next use of the mount); in company short while anybody commits,
    /// longer the longer nobody has.
    pub(super) fn poll_pause(&self) -> Duration {
        let (last, known) = {
            let state = self.state.read();
            (state.last_commit, state.session_open)
        };
        let slow = if known { POLL_SLOW } else { POLL_SLOW_UNKNOWN };
        if !self.has_company() {
            return slow;
        }
        let idle = self.env.clock.boot().saturating_sub(last);
        (idle / 10).clamp(POLL_FAST, slow)
    }

    /// Whether another machine may be writing. What cannot be read is answered on the safe side.
    fn has_company(&self) -> bool {
        self.others_are_active()
            || self.other_writers().map_or(true, |writers| writers.iter().any(|writer| !writer.here))
    }

    /// Somebody uses the mount. If the last look at the log is a while ago, the commit thread looks now, in the
    /// background: a machine that is used follows the others closely, and one that is not costs a request a minute. Two
    /// loads and a clock, mostly.
    pub fn note_use(&self) {
        let now = self.env.clock.boot().as_secs();
        let last = self.looked.load(Ordering::Relaxed);
        let due = now >= last.saturating_add(POLL_FAST.as_secs());
        if due && self.looked.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.bell.look();
        }
    }

    /// The newest entry was looked for just now, whatever came of it.
    pub(super) fn looked_now(&self) {
        self.looked.store(self.env.clock.boot().as_secs(), Ordering::Relaxed);
    }
}
