//! Rewriting the tree under the newest epoch.
//!
//! A checkpoint that vacates a portion of the old packs, then the next, so that a run which is killed loses one
//! portion. Each folds the tail in, too: afterwards the log before the checkpoint is needed for nothing.

use std::collections::HashSet;

use super::amount::Amount;
use super::plan::old_packs;
use super::{Ended, Run};
use crate::base::ObjectId;

/// Packs of one checkpoint: 64 MiB at most, about.
const PORTION: usize = 64;
/// Bytes of a full pack.
const PACK: u64 = 1 << 20;

/// Moves everything; durable when it returns.
pub(super) fn move_all(run: &Run<'_>) -> Result<(), Ended> {
    loop {
        let old = old_packs(&run.volume.snapshot(), run.epoch)?;
        if old.is_empty() {
            return Ok(());
        }
        let mut packs: Vec<(ObjectId, u64)> = old.into_iter().collect();
        packs.sort();
        let portion = run.throttle.lock().step(PORTION, PACK);
        for portion in packs.chunks(portion) {
            let vacated: HashSet<ObjectId> = portion.iter().map(|(id, _)| *id).collect();
            run.volume.checkpoint_now(&vacated)?;
            let bytes = portion.iter().map(|(_, bytes)| bytes).sum();
            run.advance(Amount { objects: portion.len() as u64, bytes })?;
        }
    }
}
