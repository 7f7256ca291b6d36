//! What a mount does about epochs of keys when it is asked to, while it goes on serving.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use crate::volume::{Amount, Watcher};

/// The longest pause in which an unmount is not noticed.
const SLICE: Duration = Duration::from_millis(500);

/// One re-encryption at a time, which ends when the mount does.
#[derive(Default)]
pub(super) struct Moving {
    leaving: AtomicBool,
    one: Mutex<()>,
}

impl Moving {
    /// Waits until no other one is under way.
    pub fn begin(&self) -> MutexGuard<'_, ()> {
        self.one.lock()
    }

    /// Ends what is under way, and everything later; returns when it has ended.
    pub fn end(&self) {
        self.leaving.store(true, Ordering::Release);
        drop(self.one.lock());
    }

    /// Watches along with `asker`.
    pub fn watching<'a>(&'a self, asker: &'a dyn Watcher) -> Watching<'a> {
        Watching { moving: self, asker }
    }

    fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire)
    }
}

/// The asker and the end of the mount.
pub(super) struct Watching<'a> {
    moving: &'a Moving,
    asker: &'a dyn Watcher,
}

impl Watcher for Watching<'_> {
    fn progress(&self, moved: &Amount, all: &Amount) -> ControlFlow<()> {
        match self.moving.is_leaving() {
            true => ControlFlow::Break(()),
            false => self.asker.progress(moved, all),
        }
    }

    fn pause(&self, time: Duration) -> ControlFlow<()> {
        let mut left = time;
        while !left.is_zero() {
            if self.moving.is_leaving() {
                return ControlFlow::Break(());
            }
            let slice = left.min(SLICE);
            self.asker.pause(slice)?;
            left -= slice;
        }
        ControlFlow::Continue(())
    }
}
