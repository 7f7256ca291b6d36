//! How system calls and the commit thread talk: who waits for which attempt, and what became of it.
//!
//! Group commit: attempts are numbered. A caller needs an attempt that begins after its call, so everybody who
//! calls while one runs shares the next. Nothing polls: all waiting is on condition variables.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::error::VolumeError;

/// See the module.
#[derive(Default)]
pub(super) struct Bell {
    requests: Mutex<Requests>,
    rung: Condvar,
    answered: Condvar,
}

#[derive(Default)]
struct Requests {
    begun: u64,
    finished: u64,
    /// Highest attempt somebody waits for.
    wanted: u64,
    /// Someone has work for the thread that nobody waits for.
    nudged: bool,
    /// Someone uses the mount and would like to know what others did.
    look: bool,
    succeeded: u64,
    failed: Option<Arc<VolumeError>>,
    stopped: bool,
}

/// Why the commit thread woke up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wake {
    /// A commit is wanted now.
    Asked,
    /// A look at the log is wanted now.
    Look,
    /// The time is up.
    Timeout,
    Stop,
}

impl Bell {
    /// Asks for a commit and waits until one that began after this call has ended.
    ///
    /// # Errors
    /// Why it failed; everything stays queued and is tried again.
    pub fn commit_and_wait(&self) -> Result<(), Arc<VolumeError>> {
        let mut requests = self.requests.lock();
        let needed = requests.begun + 1;
        requests.wanted = requests.wanted.max(needed);
        self.rung.notify_one();
        while requests.finished < needed && !requests.stopped {
            self.answered.wait(&mut requests);
        }
        if requests.succeeded >= needed {
            return Ok(());
        }
        match &requests.failed {
            Some(failed) => Err(Arc::clone(failed)),
            None => Err(Arc::new(VolumeError::Corrupt("the volume is closed".into()))),
        }
    }

    /// Wakes the commit thread without waiting.
    pub fn nudge(&self) {
        self.requests.lock().nudged = true;
        self.rung.notify_one();
    }

    /// Wakes the commit thread for a look at the log, without waiting.
    pub fn look(&self) {
        self.requests.lock().look = true;
        self.rung.notify_one();
    }

    /// The commit thread's sleep.
    pub fn wait(&self, at_most: Duration) -> Wake {
        let mut requests = self.requests.lock();
        let asked = |requests: &Requests| requests.nudged || requests.wanted > requests.finished;
        if !requests.stopped && !requests.look && !asked(&requests) {
            self.rung.wait_for(&mut requests, at_most);
        }
        if requests.stopped {
            return Wake::Stop;
        }
        if asked(&requests) {
            return Wake::Asked;
        }
        if std::mem::take(&mut requests.look) { Wake::Look } else { Wake::Timeout }
    }

    /// An attempt begins: callers from now on need the next.
    pub fn begin(&self) {
        let mut requests = self.requests.lock();
        requests.begun += 1;
        requests.nudged = false;
    }

    /// The attempt that began last has ended.
    pub fn finish(&self, outcome: Result<(), Arc<VolumeError>>) {
        let mut requests = self.requests.lock();
        requests.finished = requests.begun;
        match outcome {
            Ok(()) => requests.succeeded = requests.begun,
            Err(error) => requests.failed = Some(error),
        }
        self.answered.notify_all();
    }

    /// Waits until an attempt ends, whoever asked for it.
    pub fn wait_for_any_end(&self, seen: u64) {
        let mut requests = self.requests.lock();
        while requests.finished <= seen && !requests.stopped {
            self.answered.wait(&mut requests);
        }
    }

    /// The last attempt that has ended.
    pub fn finished(&self) -> u64 {
        self.requests.lock().finished
    }

    /// Ends the commit thread and everybody's waiting.
    pub fn stop(&self) {
        self.requests.lock().stopped = true;
        self.rung.notify_all();
        self.answered.notify_all();
    }

    /// Whether the commit thread has ended, or is about to.
    pub fn is_stopped(&self) -> bool {
        self.requests.lock().stopped
    }
}
