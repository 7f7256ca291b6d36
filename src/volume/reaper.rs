//! The reaper: takes away, in steps, what lost its last name and is held open by nobody.
//!
//! Each step is an op like any other, committed with the next batch. Other machines may reap the same orphan; the
//! loser's step is dropped in its rebase.

use std::time::Duration;

use super::error::VolumeError;
use super::mounted::Volume;
use crate::base::{Ino, with_causes};
use crate::meta::apply::ApplyError;
use crate::meta::op::Op;
use crate::meta::read;
use crate::meta::view::View;

/// Steps between two commits: large files take long, and a crash may leave any number of small ones.
const LEAST_STEPS: usize = 4;
const MOST_STEPS: usize = 1024;
/// After so long no more than the least are taken.
const LONG_ENOUGH: Duration = Duration::from_millis(50);

impl Volume {
    /// A few steps, if there is anything to reap.
    pub(super) fn reap_some(&self) {
        if !self.state.read().reapable {
            return;
        }
        match self.reap_steps() {
            Ok(true) => {}
            Ok(false) => self.state.write().reapable = false,
            Err(error) => {
                log::warn!("deleted files could not be taken away for now: {}", with_causes(&error))
            }
        }
    }

    /// Whether there may be more to do.
    fn reap_steps(&self) -> Result<bool, VolumeError> {
        let began = self.env.clock.boot();
        let mut steps = 0;
        loop {
            let orphans = self.read(kept_by_nobody)?;
            if orphans.is_empty() {
                return Ok(false);
            }
            for ino in orphans {
                let late = self.env.clock.boot().saturating_sub(began) >= LONG_ENOUGH;
                if steps >= if late { LEAST_STEPS } else { MOST_STEPS } {
                    return Ok(true);
                }
                self.reap(ino)?;
                steps += 1;
            }
        }
    }

    /// One step.
    fn reap(&self, ino: Ino) -> Result<(), VolumeError> {
        self.transact(&self.gate.pass(), |txn| match txn.apply(Op::Reap { ino }) {
            // Taken away, or opened, by somebody else meanwhile.
            Err(ApplyError::NoInode(_) | ApplyError::Changed) => Ok(()),
            done => Ok(done?),
        })
    }
}

/// The orphans that no open session keeps.
fn kept_by_nobody(view: &dyn View) -> Result<Vec<Ino>, VolumeError> {
    let mut found = Vec::new();
    for (ino, orphan) in read::orphans(view)? {
        if orphan.slot == 0 || read::session(view, orphan.slot)?.is_none() {
            found.push(ino);
        }
    }
    Ok(found)
}
