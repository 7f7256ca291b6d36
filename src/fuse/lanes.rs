//! Which thread serves a request.
//!
//! The thread that took a request from the kernel serves it too, as long as enough others are left to take
//! more: then answers from memory cost no hand-over. When nearly all are busy (waiting for the bucket, or
//! for room), requests go to a pool: one for those that only read, one for those that change something,
//! so that writers who are slowed down never stop readers.
//!
//! A panic ends the request with EIO and a line in the log, not the mount.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use fuser::Errno;

use super::convert;
use super::pool::Pool;
use super::takers::{Serving, Takers};
use crate::fs::FsError;

/// Threads of each pool.
const POOL: usize = 64;

/// What a request may wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Fetching what is not in memory.
    Read,
    /// Room for more changes, or the end of a commit.
    Change,
}

/// The places where requests are served.
pub struct Lanes {
    takers: Arc<Takers>,
    readers: Pool,
    changers: Pool,
}

impl Lanes {
    /// Lanes for a mount whose requests these threads take.
    pub fn new(takers: Arc<Takers>) -> Self {
        Self { takers, readers: Pool::new("hushfs-read", POOL), changers: Pool::new("hushfs-change", POOL) }
    }

    /// A place on the calling thread, if enough others are free. For requests whose data would have to be
    /// copied to hand them over.
    pub fn inline(&self) -> Option<Serving<'_>> {
        self.takers.serve()
    }

    /// To be called after a request that was served without a lane, on the thread that took it.
    pub fn served(&self) {
        self.takers.served();
    }

    /// Serves a request here or in the lane's pool. `job` must not panic.
    pub fn run(&self, lane: Lane, job: impl FnOnce() + Send + 'static) {
        match self.takers.serve() {
            Some(_serving) => job(),
            None => self.hand_over(lane, job),
        }
    }

    /// Serves a request in the lane's pool.
    pub fn hand_over(&self, lane: Lane, job: impl FnOnce() + Send + 'static) {
        match lane {
            Lane::Read => self.readers.run(job),
            Lane::Change => self.changers.run(job),
        }
    }
}

/// Does the work of a request; errors and panics become numbers.
pub fn guarded<T>(work: impl FnOnce() -> Result<T, FsError>) -> Result<T, Errno> {
    let result = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result,
        Err(panic) => Err(FsError::Panicked(message(panic.as_ref()))),
    };
    result.map_err(|error| convert::errno(&error))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_panic_becomes_eio() {
        let result = guarded(|| -> Result<(), FsError> { panic!("broken invariant") });
        assert_eq!(result, Err(Errno::EIO));
    }

    #[test]
    fn requests_are_handed_over_when_one_thread_is_left_to_take_them() {
        let lanes = Lanes::new(Arc::new(Takers::new(3)));
        let serving = lanes.inline().unwrap();
        assert!(lanes.inline().is_none());
        let here = std::thread::current().id();
        let (sender, served_by) = mpsc::channel();
        let elsewhere = sender.clone();
        lanes.run(Lane::Change, move || elsewhere.send(std::thread::current().id()).unwrap());
        assert_ne!(served_by.recv().unwrap(), here);
        drop(serving);
        lanes.run(Lane::Read, move || sender.send(std::thread::current().id()).unwrap());
        assert_eq!(served_by.recv().unwrap(), here);
    }
}
