//! The reaper: takes away, in steps, what lost its last name and is held open by nobody.
//!
//! Each step is an op like any other, committed with the next batch. Other machines may reap the same orphan; the
//! loser's step is dropped in its rebase.

use super::error::VolumeError;
use super::mounted::Volume;
use crate::base::{Ino, with_causes};
use crate::meta::apply::ApplyError;
use crate::meta::op::Op;
use crate::meta::read;
use crate::meta::view::View;

/// Steps between two commits.
const STEPS: usize = 4;

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
        let permit = self.gate.pass();
        for _ in 0..STEPS {
            let Some(ino) = self.read(next_orphan)? else { return Ok(false) };
            self.transact::<_, VolumeError>(&permit, |txn| match txn.apply(Op::Reap { ino }) {
                // Taken away, or opened, by somebody else meanwhile.
                Err(ApplyError::NoInode(_) | ApplyError::Changed) => Ok(()),
                done => Ok(done?),
            })?;
        }
        Ok(true)
    }
}

/// An orphan that no open session keeps.
fn next_orphan(view: &dyn View) -> Result<Option<Ino>, VolumeError> {
    for (ino, orphan) in read::orphans(view)? {
        if orphan.slot == 0 || read::session(view, orphan.slot)?.is_none() {
            return Ok(Some(ino));
        }
    }
    Ok(None)
}
