//! Work that nobody waits for: reaping inodes that no one can reach any more, and recording access times.
//!
//! One thread does both, so that replies to the kernel never wait for it. The queues are bounded: access
//! times beyond the bound are dropped (the next read notices again), orphans beyond it are found by
//! looking for them. What is still queued when the process dies is harmless: orphans of a session are
//! reaped after it, and an access time is not a promise.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::content::Content;
use super::error::FsError;
use super::inode_table::InodeTable;
use crate::base::Ino;
use crate::meta::op::Op;
use crate::meta::read;
use crate::volume::Volume;

/// Most inodes that wait in each queue.
const QUEUE: usize = 65_536;
/// Most access times in one transaction.
const BATCH: usize = 256;
/// Most inodes reaped in one transaction, which keeps everybody else waiting for its duration.
const REAPS: usize = 64;
/// How long access times are collected before they are recorded.
const LINGER: Duration = Duration::from_secs(1);
/// How long inodes are collected before they are reaped: who removes a tree would else wake the thread for each.
const REAP_LINGER: Duration = Duration::from_millis(50);

/// The queues and the thread that empties them.
pub struct Chores {
    queue: Arc<Queue>,
    reaper: Reaper,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    wake: Condvar,
    /// Held while inodes that were taken from the queue are reaped.
    reaping: Mutex<()>,
}

#[derive(Default)]
struct State {
    reaps: VecDeque<Ino>,
    /// More orphans than the queue holds: they are to be looked for.
    overflown: bool,
    atimes: BTreeSet<Ino>,
    stop: bool,
}

impl State {
    fn idle(&self) -> bool {
        self.reaps.is_empty() && self.atimes.is_empty() && !self.overflown && !self.stop
    }

    /// How long what there is may wait for more.
    fn linger(&self) -> Option<Duration> {
        let much = self.reaps.len() >= BATCH || self.atimes.len() >= BATCH;
        if much || self.overflown || self.stop {
            return None;
        }
        Some(if self.reaps.is_empty() { LINGER } else { REAP_LINGER })
    }
}

/// What the thread takes out of the queues at once, besides inodes to reap.
#[derive(Default)]
struct Batch {
    look_for_orphans: bool,
    atimes: Vec<Ino>,
    stop: bool,
}

impl Chores {
    /// Starts the thread.
    pub fn start(
        volume: Arc<Volume>,
        content: Arc<Content>,
        inodes: Arc<InodeTable>,
    ) -> Result<Self, io::Error> {
        let queue = Arc::new(Queue::default());
        let reaper = Reaper { volume: volume.clone(), content };
        let worker = Worker { volume, reaper: reaper.clone(), inodes, queue: queue.clone() };
        let thread = std::thread::Builder::new().name("hushfs-chores".into()).spawn(move || worker.run())?;
        Ok(Self { queue, reaper, thread: Mutex::new(Some(thread)) })
    }

    /// Has the records of an orphan removed that nobody can reach any more.
    pub fn reap(&self, ino: Ino) {
        let mut state = self.queue.state.lock();
        let wake = if state.reaps.len() < QUEUE {
            state.reaps.push_back(ino);
            // In between it lingers, or is at work and looks again by itself.
            state.reaps.len() == 1 || state.reaps.len() == BATCH
        } else {
            !std::mem::replace(&mut state.overflown, true)
        };
        if wake {
            self.queue.wake.notify_one();
        }
    }

    /// Reaps `more` and everything that is queued, and returns when that is done.
    ///
    /// # Errors
    /// What changing metadata can raise.
    pub fn reap_now(&self, more: Vec<Ino>) -> Result<(), FsError> {
        let _reaping = self.queue.reaping.lock();
        let queued: Vec<Ino> = self.queue.state.lock().reaps.drain(..).collect();
        self.reaper.reap(&queued)?;
        self.reaper.reap(&more)
    }

    /// Has the access that the inode table remembers recorded; false when there is no room for it.
    pub fn record_atime(&self, ino: Ino) -> bool {
        let mut state = self.queue.state.lock();
        if state.atimes.len() >= QUEUE {
            return false;
        }
        state.atimes.insert(ino);
        self.queue.wake.notify_one();
        true
    }

    /// Finishes what is queued and ends the thread. Does nothing the second time.
    pub fn stop(&self) {
        self.queue.state.lock().stop = true;
        self.queue.wake.notify_one();
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            log::error!("the thread for background work panicked; orphans stay until the volume is closed");
        }
    }
}

impl Drop for Chores {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The thread's side.
struct Worker {
    volume: Arc<Volume>,
    reaper: Reaper,
    inodes: Arc<InodeTable>,
    queue: Arc<Queue>,
}

impl Worker {
    fn run(&self) {
        loop {
            let batch = self.take();
            self.report("reaping", self.reap_queued(batch.stop));
            if batch.look_for_orphans {
                self.report("looking for orphans", self.reap_all());
            }
            if !batch.atimes.is_empty() {
                self.report("recording access times", self.record_atimes(&batch.atimes));
            }
            if batch.stop {
                return;
            }
        }
    }

    /// Waits for work. With `stop` set the batch holds everything that is left.
    fn take(&self) -> Batch {
        let mut state = self.queue.state.lock();
        while state.idle() {
            self.queue.wake.wait(&mut state);
        }
        while let Some(pause) = state.linger()
            && !self.queue.wake.wait_for(&mut state, pause).timed_out()
        {}
        let stop = state.stop;
        let mut atimes = std::mem::take(&mut state.atimes);
        if !stop && let Some(rest) = atimes.iter().nth(BATCH).copied() {
            state.atimes = atimes.split_off(&rest);
        }
        Batch {
            look_for_orphans: std::mem::take(&mut state.overflown),
            atimes: atimes.into_iter().collect(),
            stop,
        }
    }

    fn report(&self, what: &str, result: Result<(), FsError>) {
        if let Err(error) = result
            // A replaced key was logged when it was met.
            && !matches!(error, FsError::ReadOnly | FsError::KeyReplaced(_))
        {
            log::warn!("{what}: {error}");
        }
    }

    /// Reaps a batch of what is queued, or all of it.
    fn reap_queued(&self, all: bool) -> Result<(), FsError> {
        let _reaping = self.queue.reaping.lock();
        let queued: Vec<Ino> = {
            let mut state = self.queue.state.lock();
            let most = if all { state.reaps.len() } else { BATCH.min(state.reaps.len()) };
            state.reaps.drain(..most).collect()
        };
        self.reaper.reap(&queued)
    }

    /// Reaps every orphan of this session that the kernel does not know.
    fn reap_all(&self) -> Result<(), FsError> {
        let slot = self.volume.slot();
        let orphans = self.volume.read(|view| Ok::<_, FsError>(read::orphans(view)?))?;
        let unreachable =
            orphans.into_iter().filter(|(ino, orphan)| orphan.slot == slot && !self.inodes.is_known(*ino));
        self.reaper.reap(&unreachable.map(|(ino, _)| ino).collect::<Vec<_>>())
    }

    fn record_atimes(&self, inos: &[Ino]) -> Result<(), FsError> {
        for inos in inos.chunks(BATCH) {
            self.record_batch(inos)?;
            inos.iter().for_each(|ino| self.inodes.clear_atime(*ino));
        }
        Ok(())
    }

    /// Records accesses in one transaction. The inode table is asked within it: an explicit time set
    /// meanwhile has taken the remembered access away.
    fn record_batch(&self, inos: &[Ino]) -> Result<(), FsError> {
        let permit = self.volume.enter()?;
        self.volume.transact(&permit, |txn| {
            for &ino in inos {
                let (Some(atime), Some(inode)) = (self.inodes.atime(ino), read::inode(txn, ino)?) else {
                    continue;
                };
                let (perm, uid, gid, mtime) = (None, None, None, None);
                let ctime = inode.ctime;
                txn.apply(Op::SetAttr { ino, perm, uid, gid, atime: Some(atime), mtime, ctime })?;
            }
            Ok(())
        })
    }
}

/// Removes orphans. Waits for room, so no lock may be held that a commit needs.
#[derive(Clone)]
struct Reaper {
    volume: Arc<Volume>,
    content: Arc<Content>,
}

impl Reaper {
    /// Removes the records of orphans, step by step where they have many; whatever is no orphan is left alone.
    /// One that fails does not keep the others from being tried.
    fn reap(&self, inos: &[Ino]) -> Result<(), FsError> {
        let mut result = Ok(());
        let mut left: Vec<Ino> = inos.to_vec();
        left.iter().for_each(|ino| self.content.discard(*ino));
        while !left.is_empty() {
            let mut more = Vec::new();
            for inos in left.chunks(REAPS) {
                match self.step(inos) {
                    Ok(unfinished) => more.extend(unfinished),
                    Err(error) => result = Err(error),
                }
            }
            left = more;
        }
        result
    }

    /// One step for each, in one transaction; gives back those of which something is left.
    fn step(&self, inos: &[Ino]) -> Result<Vec<Ino>, FsError> {
        let permit = self.volume.enter()?;
        self.volume.transact(&permit, |txn| {
            let mut unfinished = Vec::new();
            for &ino in inos {
                if read::orphan(txn, ino)?.is_some() {
                    txn.apply(Op::Reap { ino })?;
                    if read::orphan(txn, ino)?.is_some() {
                        unfinished.push(ino);
                    }
                }
            }
            Ok(unfinished)
        })
    }
}
