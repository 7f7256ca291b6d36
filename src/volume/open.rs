//! Creating, opening and closing a volume.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use super::bell::Bell;
use super::commit::Desk;
use super::environment::{Environment, VolumeOptions};
use super::error::VolumeError;
use super::gate::Gate;
use super::keys::with_newest_keys;
use super::mounted::Volume;
use super::packs::Packs;
use super::payload::Genesis;
use super::recovery::Recovery;
use super::session::{Left, Session, free_slot, leftovers};
use super::state::{Committed, State};
use super::witness::Witness;
use crate::base::{CommitId, Seq, SessionId, with_causes};
use crate::commit_log::{Appended, Checkpoint, Entry, Log};
use crate::data::DataStore;
use crate::meta::op::Op;
use crate::meta::record::Superblock;
use crate::meta::tree::NodeStore;

/// Who makes the volume commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drive {
    /// The commit thread.
    Thread,
    /// The test.
    #[cfg(test)]
    ByHand,
}

impl Volume {
    /// Writes the first log entry of a new volume (the `volume` object is already there). Create-only: one request.
    ///
    /// # Errors
    /// What the bucket says; `HalfInitialised` when there is a log already.
    pub async fn create(env: &Environment, chunk_size: u32, uid: u32, gid: u32) -> Result<(), VolumeError> {
        if !Superblock::is_chunk_size(chunk_size) {
            return Err(VolumeError::Corrupt(format!("{chunk_size} is no chunk size")));
        }
        let time = env.clock.now();
        let entry = Entry {
            seq: Seq(1),
            commit: CommitId::generate(&*env.random),
            slot: 0,
            session: SessionId::default(),
            counter: 0,
            previous: [0; 32],
            time,
            checkpoint: Checkpoint::default(),
            payload: Genesis { time, uid, gid, chunk_size }.encode(),
        };
        let log = Log::new(Arc::clone(&env.bucket), env.vault.clone(), Arc::clone(&env.random));
        match log.append(&log.seal(&entry)?).await? {
            Appended::Done(_) => Ok(()),
            Appended::Lost => Err(VolumeError::HalfInitialised(format!(
                "{} holds a commit log already: another volume is or was there",
                env.bucket.describe()
            ))),
        }
    }

    /// Finds the tail, checks it against the witness, replays since the checkpoint, takes a session and starts the
    /// commit thread. The caller holds this machine's lock of the volume, unless it opens read-only.
    ///
    /// # Errors
    /// `HalfInitialised`, `RolledBack` (M6), `Tampered`, `Corrupt`, and what the bucket says.
    pub async fn open(env: Environment, options: VolumeOptions) -> Result<Arc<Volume>, VolumeError> {
        let runtime = env.runtime.clone();
        let opened = runtime.spawn_blocking(move || Self::open_blocking(env, options, Drive::Thread)).await;
        opened.unwrap_or_else(|ended| Err(std::io::Error::other(ended).into()))
    }

    /// [`Volume::open`] on a plain thread.
    pub(super) fn open_blocking(
        env: Environment,
        options: VolumeOptions,
        drive: Drive,
    ) -> Result<Arc<Volume>, VolumeError> {
        let log = Log::new(Arc::clone(&env.bucket), env.vault.clone(), Arc::clone(&env.random));
        let (random, runtime) = (Arc::clone(&env.random), env.runtime.clone());
        let bucket = Arc::clone(&env.bucket);
        let data = DataStore::new(env.vault.clone(), bucket, random, runtime.clone(), options.data_config())?;
        let nodes = NodeStore::new(env.vault.clone(), options.node_memory(), options.pack_memory());
        let packs = Packs::new(nodes, data.clone(), runtime);
        let started = env.clock.boot();
        let committed = with_newest_keys(&env, || Recovery { env: &env, log: &log, packs: &packs }.open())?;
        let witness = Witness { seq: committed.seq, hash: committed.hash };
        let read_only = options.read_only;
        let (session, left) = begin_session(&env, &options, &packs, &committed)?;
        let mut state = State::new(committed, started);
        state.reapable = left.reapable;
        let volume = Arc::new_cyclic(|me| Volume {
            me: me.clone(),
            env,
            options,
            read_only: AtomicBool::new(read_only),
            log,
            data,
            packs,
            session,
            desk: Mutex::new(Desk::new(witness.seq, started)),
            gate: Gate::default(),
            state: RwLock::new(state),
            checkpointing: Mutex::default(),
            bell: Arc::new(Bell::default()),
            looked: AtomicU64::new(started.as_secs()),
            trouble: Notify::new(),
            dirty: RwLock::new(None),
            observer: RwLock::new(None),
            thread: Mutex::new(None),
            closed: AtomicBool::new(false),
        });
        volume.save_witness(witness);
        volume.close_sessions(left.close)?;
        if drive == Drive::Thread {
            volume.start_thread()?;
        }
        Ok(volume)
    }

    /// Writes from now on where it only looked: takes a session in the newest state. The caller holds this machine's lock
    /// of the volume. Blocks; not for threads of the runtime. Nothing has changed after an error.
    ///
    /// # Errors
    /// What the bucket says; `Tampered`, `Corrupt`, `RolledBack`.
    pub fn begin_writing(&self) -> Result<(), VolumeError> {
        self.poll_once()?;
        let slot = self.read(|view| Ok::<_, VolumeError>(free_slot(&*self.env.random, view)?))?;
        let left = self.read(|view| leftovers(view, self.env.machine))?;
        self.session.take(slot);
        self.state.write().reapable = left.reapable;
        self.close_sessions(left.close)?;
        self.read_only.store(false, Ordering::Release);
        self.bell.nudge();
        Ok(())
    }

    /// Ends what earlier mounts of this machine left open; their orphans are reaped later.
    fn close_sessions(&self, close: Vec<Op>) -> Result<(), VolumeError> {
        if close.is_empty() {
            return Ok(());
        }
        let permit = self.gate.pass();
        self.transact(&permit, |txn| {
            for op in &close {
                txn.apply(op.clone())?;
            }
            Ok::<_, VolumeError>(())
        })
    }

    /// Commits everything, checkpoints if worth it, closes the session, stops the threads. On error the volume stays
    /// usable and the call can be repeated.
    ///
    /// # Errors
    /// Why something acknowledged is not in the bucket.
    pub async fn close(&self) -> Result<(), VolumeError> {
        let Some(volume) = self.me.upgrade() else { return Ok(()) };
        let closed = self.env.runtime.spawn_blocking(move || volume.close_blocking()).await;
        closed.unwrap_or_else(|ended| Err(std::io::Error::other(ended).into()))
    }

    /// [`Volume::close`] on a plain thread.
    pub(super) fn close_blocking(&self) -> Result<(), VolumeError> {
        if self.closed.load(Ordering::Acquire) {
            return Ok(());
        }
        if !self.is_read_only() {
            if self.wants_checkpoint_at_close() {
                self.commit_once()?;
                if let Err(error) = self.checkpoint(&Default::default()) {
                    // The log holds everything; only the next mount reads more of it.
                    log::warn!("no checkpoint at unmount: {}", with_causes(&error));
                }
            }
            self.commit(true)?;
        }
        self.closed.store(true, Ordering::Release);
        self.bell.stop();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            log::error!("the commit thread ended with a panic");
        }
        *self.dirty.write() = None;
        *self.observer.write() = None;
        Ok(())
    }
}

/// The session of this mount, and what earlier ones left.
fn begin_session(
    env: &Environment,
    options: &VolumeOptions,
    packs: &Packs,
    committed: &Committed,
) -> Result<(Session, Left), VolumeError> {
    if options.read_only {
        return Ok((Session::new(&*env.random, 0), Left::default()));
    }
    let layers = committed.layers();
    let slot = layers.read(packs, |view| Ok(free_slot(&*env.random, view)?))?;
    let left = layers.read(packs, |view| leftovers(view, env.machine))?;
    Ok((Session::new(&*env.random, slot), left))
}
