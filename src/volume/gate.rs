//! The gate between system calls and the cut of a commit.
//!
//! System calls pass it together; the cut (and a rebase) passes alone, so that it sees none half done.
//! Lock order: commit lock → gate → locks of fs/ → state lock. Nobody asks for the gate with a state lock held.

use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// See the module.
#[derive(Default)]
pub(super) struct Gate {
    lock: RwLock<()>,
}

/// Allows one system call to change things; while any exists no commit can be cut. Never held while waiting for
/// a commit or for room.
pub struct Permit<'a> {
    _passage: Passage<'a>,
}

/// Held for its Drop alone.
#[allow(dead_code)]
enum Passage<'a> {
    Shared(RwLockReadGuard<'a, ()>),
    Alone(RwLockWriteGuard<'a, ()>),
}

impl Gate {
    /// Waits while a cut is being made. Never twice in one thread: a cut that waits in between would stop both.
    pub fn pass(&self) -> Permit<'_> {
        Permit { _passage: Passage::Shared(self.lock.read()) }
    }

    /// Waits until every permit is given back, and keeps others out.
    pub fn alone(&self) -> Permit<'_> {
        Permit { _passage: Passage::Alone(self.lock.write()) }
    }
}
