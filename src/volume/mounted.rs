//! The mounted volume: what fs/ and cli/ hold.
//!
//! Lock order: commit lock (`desk`) → gate → locks of fs/ → state lock. I/O happens under the commit lock and,
//! for packs of metadata only, under the gate; never under the state lock.
//!
//! `read`, `enter`, `transact` and `sync` block the calling thread: plain threads only, never a worker of the
//! runtime.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use super::bell::Bell;
use super::commit::Desk;
use super::environment::{Environment, VolumeOptions};
use super::error::{NeedsPack, VolumeError};
use super::gate::{Gate, Permit};
use super::packs::Packs;
use super::session::Session;
use super::state::State;
use super::transaction::OpTxn;
use crate::base::{Clock, Ino, Timestamp};
use crate::commit_log::Log;
use crate::data::DataStore;
use crate::meta::view::View;

/// Pending ops that make writers wait.
const MOST_PENDING_OPS: usize = 50_000;
/// Bytes of pending ops that make writers wait.
const MOST_PENDING_BYTES: usize = 16 << 20;
/// How long a writer waits for room while commits fail, before it is told why.
const PATIENCE: Duration = Duration::from_secs(120);

/// Who holds written data that is not an op yet (fs/).
pub trait DirtySource: Send + Sync {
    /// Called before a cut by the one who commits, with no permit: turns most of what is dirty into Write ops, as far as
    /// [`Volume::enter_soon`] lets it, so that the cut is short and what it adds to the memory is little.
    ///
    /// # Errors
    /// As [`Self::drain`].
    fn ease(&self, _volume: &Volume) -> Result<(), VolumeError> {
        Ok(())
    }
    /// Called at the cut with the gate held exclusively: turn everything dirty into Write ops now (memory only, no
    /// waiting for I/O except metadata). When it returns, pending ops are exactly the acknowledged operations (M2).
    ///
    /// # Errors
    /// Nothing is lost: the commit fails and the drain is repeated at the next one.
    fn drain(&self, volume: &Volume, permit: &Permit<'_>) -> Result<(), VolumeError>;
    /// Bytes that the next drain would turn into ops.
    fn dirty_bytes(&self) -> u64;
}

/// What a foreign commit (or a rebase) changed, for precise invalidation of kernel caches. Called from the commit
/// thread without locks of the volume: must not block on anything that waits for a commit, so it should queue.
pub trait Observer: Send + Sync {
    /// These raw metadata keys have other records now.
    fn changed(&self, keys: &[Vec<u8>]);
    /// So much happened while this machine was away that nobody knows what changed: anything may have.
    fn everything_changed(&self) {}
}

/// A mounted volume.
pub struct Volume {
    pub(super) me: Weak<Volume>,
    pub(super) env: Environment,
    pub(super) options: VolumeOptions,
    /// It only looks, for now.
    pub(super) read_only: AtomicBool,
    pub(super) log: Log,
    pub(super) data: DataStore,
    pub(super) packs: Arc<Packs>,
    pub(super) session: Session,
    /// The commit lock: its holder alone changes the committed state.
    pub(super) desk: Mutex<Desk>,
    pub(super) gate: Gate,
    pub(super) state: RwLock<State>,
    /// Held while a checkpoint is being made.
    pub(super) checkpointing: Mutex<()>,
    pub(super) bell: Arc<Bell>,
    /// When the log was last looked at, in seconds since boot.
    pub(super) looked: AtomicU64,
    /// Rings when a commit has failed, for writers who wait for room.
    pub(super) trouble: Notify,
    pub(super) dirty: RwLock<Option<Arc<dyn DirtySource>>>,
    pub(super) observer: RwLock<Option<Arc<dyn Observer>>>,
    /// The commit thread; none when tests drive by hand.
    pub(super) thread: Mutex<Option<JoinHandle<()>>>,
    /// Everything is in the bucket and the session is over.
    pub(super) closed: AtomicBool,
}

impl Volume {
    /// Bytes of a chunk.
    pub fn chunk_size(&self) -> u32 {
        self.options.chunk_size
    }

    /// Wall-clock time, for the times of files.
    pub fn now(&self) -> Timestamp {
        self.env.clock.now()
    }

    /// This session's slot: owner of its orphans. 0 when read-only.
    pub fn slot(&self) -> u32 {
        self.session.slot()
    }

    /// A number no other inode of the volume has.
    pub fn next_ino(&self) -> Ino {
        self.session.next_ino(&*self.env.random)
    }

    /// The volume's chunks.
    pub fn data(&self) -> &DataStore {
        &self.data
    }

    /// Where asynchronous work runs.
    pub fn runtime(&self) -> &tokio::runtime::Handle {
        &self.env.runtime
    }

    /// The clock everything here goes by.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.env.clock
    }

    /// Whether this mount only looks.
    pub fn is_read_only(&self) -> bool {
        self.read_only.load(Ordering::Acquire)
    }

    /// What the volume was given from outside.
    pub fn environment(&self) -> &Environment {
        &self.env
    }

    /// Whether another writer committed within the last ten minutes, as far as this machine knows.
    pub fn others_are_active(&self) -> bool {
        let now = self.env.clock.boot();
        let last = self.state.read().last_foreign;
        last.is_some_and(|last| now.saturating_sub(last) < Duration::from_secs(600))
    }

    /// Runs `f` on the current state. When `f` needs a pack it is fetched (blocking this thread, no lock held) and
    /// `f` runs again from the start: it must have no side effects until it succeeds, and must not call back into
    /// the volume.
    ///
    /// # Errors
    /// What `f` says; what went wrong with a pack.
    pub fn read<T, E: NeedsPack + From<VolumeError>>(
        &self,
        mut f: impl FnMut(&dyn View) -> Result<T, E>,
    ) -> Result<T, E> {
        self.packs.retry(|| self.state.read().with_view(&self.packs.nodes, &mut f))
    }

    /// As [`Self::read`], from memory alone: None when `f` needs a pack that would have to be fetched.
    pub fn peek<T, E: NeedsPack>(
        &self,
        mut f: impl FnMut(&dyn View) -> Result<T, E>,
    ) -> Option<Result<T, E>> {
        let answer = self.state.read().with_view(&self.packs.nodes, &mut f);
        let needs = answer.as_ref().err().and_then(NeedsPack::needs_pack);
        needs.is_none().then_some(answer)
    }

    /// Waits while too much is pending (back-pressure), then opens the gate for one system call. Call without
    /// locks held; never twice in one thread.
    ///
    /// # Errors
    /// `ReadOnly`; `Keys` when the volume key was replaced; why commits fail, when there has been no room for two minutes because of it.
    pub fn enter(&self) -> Result<Permit<'_>, VolumeError> {
        self.may_change()?;
        self.wait_for_data()?;
        Ok(self.gate.pass())
    }

    /// As [`Self::enter`], for a call that sends nothing on its way to the bucket: it does not wait for room there.
    ///
    /// # Errors
    /// As `enter`.
    pub fn enter_with_dirty_data(&self) -> Result<Permit<'_>, VolumeError> {
        self.may_change()?;
        Ok(self.gate.pass())
    }

    /// As [`Self::enter`], for the one who commits, for whom nobody else can make room among what is pending: waits no longer
    /// than `patience` for room in the data layer. `None`: there was none.
    pub fn enter_soon(&self, patience: Duration) -> Option<Permit<'_>> {
        let room = async { tokio::time::timeout(patience, self.data.room()).await };
        self.env.runtime.block_on(room).ok()?;
        Some(self.gate.pass())
    }

    fn may_change(&self) -> Result<(), VolumeError> {
        if self.is_read_only() {
            return Err(VolumeError::ReadOnly);
        }
        self.check_locked_out()?;
        self.wait_for_pending()
    }

    /// Runs `f` against the current state under the state lock; its ops become visible and pending all together or
    /// not at all. Same repeat rule as `read`.
    ///
    /// # Errors
    /// What `f` says; what went wrong with a pack.
    pub fn transact<T, E: NeedsPack + From<VolumeError>>(
        &self,
        _permit: &Permit<'_>,
        mut f: impl FnMut(&mut OpTxn<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let slot = self.slot();
        self.packs.retry(|| {
            let mut state = self.state.write();
            let opens = !state.session_open && !state.session_pending;
            let (value, changes, ops) = state.with_view(&self.packs.nodes, |view| {
                let mut txn = OpTxn::new(view, slot);
                if opens {
                    txn.apply(self.session.open_op(&self.env, slot)).map_err(VolumeError::from)?;
                }
                let value = f(&mut txn)?;
                let (changes, ops) = txn.finish();
                Ok::<_, E>((value, changes, ops))
            })?;
            // A session is not worth a commit of its own.
            if ops.len() > usize::from(opens) {
                state.pending.push(ops, changes);
                state.session_pending |= opens;
            }
            let much =
                state.pending.ops > MOST_PENDING_OPS / 2 || state.pending.cost > MOST_PENDING_BYTES / 2;
            // A failing commit has its own pauses.
            let urgent = much && state.failing.is_none();
            drop(state);
            if urgent {
                self.bell.nudge();
            }
            Ok(value)
        })
    }

    /// Everything acknowledged before this call is in the bucket when it returns (fsync, sync). Group commit:
    /// callers share one. No request at all when nothing waits.
    ///
    /// # Errors
    /// Why the commit failed; everything stays queued and is tried again in the background.
    pub fn sync(&self) -> Result<(), VolumeError> {
        if self.is_read_only() {
            return Ok(());
        }
        let has_work = {
            // Not in the middle of a cut, when dirty data is on its way from one place to the other.
            let _permit = self.gate.pass();
            self.has_local_work()
        };
        if !has_work {
            return Ok(());
        }
        if self.is_driven_by_hand() {
            return self.commit_once();
        }
        Ok(self.bell.commit_and_wait()?)
    }

    /// Who is asked for dirty data at every cut.
    pub fn set_dirty_source(&self, source: Arc<dyn DirtySource>) {
        *self.dirty.write() = Some(source);
    }

    /// Who is told what others changed.
    pub fn set_observer(&self, observer: Arc<dyn Observer>) {
        *self.observer.write() = Some(observer);
    }

    /// Tells the same listener of records that are not what the caller of an operation believes.
    pub fn announce(&self, keys: &[Vec<u8>]) {
        if let Some(observer) = self.observer.read().clone() {
            observer.changed(keys);
        }
    }

    /// Bytes written that are not ops yet.
    pub(super) fn dirty_bytes(&self) -> u64 {
        let source = self.dirty.read().clone();
        source.map_or(0, |source| source.dirty_bytes())
    }

    /// Something acknowledged is not in the bucket yet.
    pub(super) fn has_local_work(&self) -> bool {
        // Not one expression: the guard would live to its end, and a second read would wait for ever for a writer
        // that came in between.
        let clean = self.state.read().is_clean();
        !clean || self.dirty_bytes() > 0 || self.owes_an_entry()
    }

    /// There is no commit thread (any more): who wants a commit makes it.
    fn is_driven_by_hand(&self) -> bool {
        self.bell.is_stopped() || self.thread.lock().is_none()
    }

    fn wait_for_pending(&self) -> Result<(), VolumeError> {
        loop {
            let seen = self.bell.finished();
            let failing = {
                let state = self.state.read();
                if state.pending.ops <= MOST_PENDING_OPS && state.pending.cost <= MOST_PENDING_BYTES {
                    return Ok(());
                }
                state.failing.is_some()
            };
            self.check_commits()?;
            if self.is_driven_by_hand() {
                self.commit_once()?;
                continue;
            }
            if !failing {
                self.bell.nudge();
            }
            self.bell.wait_for_any_end(seen);
        }
    }

    fn wait_for_data(&self) -> Result<(), VolumeError> {
        if self.data.has_room() {
            return Ok(());
        }
        loop {
            // First: writers wait one after the other, and only the first of them hears of trouble while it waits.
            self.check_commits()?;
            let has_room = self.env.runtime.block_on(async {
                tokio::select! {
                    biased;
                    () = self.data.room() => true,
                    () = self.trouble.notified() => false,
                }
            });
            if has_room {
                return Ok(());
            }
        }
    }

    /// Whether commits have failed for so long that callers should be told: no waiting, no request.
    ///
    /// # Errors
    /// Why commits fail, once they have failed for two minutes. Everything stays queued.
    pub fn check_commits(&self) -> Result<(), VolumeError> {
        let state = self.state.read();
        match &state.failing {
            Some((why, since)) if self.env.clock.boot().saturating_sub(*since) >= PATIENCE => {
                Err(VolumeError::Shared(Arc::clone(why)))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        self.bell.stop();
    }
}
