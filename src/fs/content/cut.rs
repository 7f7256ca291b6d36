//! What a commit asks of dirty data: most of it before the cut, the rest at the cut.
//!
//! A cut that found all that may be dirty would put it on top of what waits for the bucket already, and keep every writer
//! out meanwhile. So writers are held back a moment before, and what is dirty goes its way in steps, as room allows.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::MutexGuard;

use super::Content;
use super::settle::SETTLE_STEP;
use crate::fs::error::FsError;
use crate::volume::{DirtySource, Permit, Volume, VolumeError};

/// Up to this many dirty bytes in all, small chunks ride inside the commit: one PUT instead of two.
const INLINE_BUDGET: u64 = 256 * 1024;
/// How long whoever is about to cut waits for a turn, or for room: longer than a busy bucket takes for a segment, and nothing next
/// to what a commit waits for where the bucket is away.
const PATIENCE: Duration = Duration::from_millis(500);

impl DirtySource for Content {
    /// Meanwhile writers keep to the lower limit, too: whatever they brought, the cut would find as much as before.
    fn ease(&self, volume: &Volume) -> Result<(), VolumeError> {
        let steps = self.table.dirty() / SETTLE_STEP;
        if steps == 0 {
            return Ok(());
        }
        let _easing = Easing::begin(&self.easing);
        for _ in 0..=steps {
            // Whoever has the turn may wait for this very commit.
            let Some(turn) = self.settling.try_lock_for(PATIENCE) else { break };
            let Some(permit) = volume.enter_soon(PATIENCE) else { break };
            if self.table.dirty() <= SETTLE_STEP {
                break;
            }
            self.settle_step(&permit).map_err(FsError::into_volume)?;
            drop(permit);
            MutexGuard::unlock_fair(turn);
        }
        Ok(())
    }

    /// Settles every file. The permit is the cut's: no system call is changing anything meanwhile.
    fn drain(&self, _volume: &Volume, permit: &Permit<'_>) -> Result<(), VolumeError> {
        let inline = self.table.dirty() <= INLINE_BUDGET;
        for file in self.table.all() {
            let mut state = file.state.lock();
            self.settle_chunks(permit, &file, &mut state, None, inline).map_err(FsError::into_volume)?;
        }
        self.table.clear_queue();
        self.table.sweep_all();
        Ok(())
    }

    fn dirty_bytes(&self) -> u64 {
        self.table.dirty()
    }
}

/// The time before a cut, until dropped.
struct Easing<'a>(&'a AtomicBool);

impl<'a> Easing<'a> {
    fn begin(easing: &'a AtomicBool) -> Self {
        easing.store(true, Ordering::Relaxed);
        Self(easing)
    }
}

impl Drop for Easing<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}
