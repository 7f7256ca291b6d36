//! Moving live chunks out of mostly dead segments.

use std::collections::HashSet;
use std::sync::Arc;

use super::Progress;
use super::inventory::Inventory;
use super::mark;
use crate::base::ObjectId;
use crate::volume::relocate::{BATCH, Move, Moved, frame};
use crate::volume::snapshot::Snapshot;
use crate::volume::{Volume, VolumeError};

/// Rewrites sparse segments; returns how many plain bytes moved. What cannot be read stays where it is: that is for
/// fsck to report, and no reason to keep everything else.
pub(super) fn vacate(
    volume: &Arc<Volume>,
    inventory: &Inventory,
    progress: Progress<'_>,
) -> Result<u64, VolumeError> {
    let snapshot = volume.snapshot();
    let live = mark::live_frames(&snapshot, progress)?;
    let mut sparse = mark::sparse_segments(&snapshot, &live)?;
    // Only what is really in the bucket can be read; the rest is for fsck to report.
    sparse.retain(|id| inventory.segments.contains_key(id));
    drop(live);
    if sparse.is_empty() {
        return Ok(0);
    }
    let mut moves = moves(&snapshot, &sparse)?;
    drop(snapshot);
    // One frame may be shared by many chunks: keep its references together, in the order of the bucket.
    moves.sort_by_key(|step| (frame(&step.from), step.ino, step.index));
    let total = moves.len() as u64;
    let (mut plain, mut moved, mut lost) = (0, Moved::default(), HashSet::new());
    for (done, batch) in moves.chunks(BATCH).enumerate() {
        plain += volume.relocate_readable(batch, &mut moved, &mut lost)?.plain;
        progress((done * BATCH) as u64, total);
    }
    volume.sync()?;
    Ok(plain)
}

fn moves(view: &Snapshot, sparse: &HashSet<ObjectId>) -> Result<Vec<Move>, VolumeError> {
    let mut moves = Vec::new();
    mark::each_chunk(view, &mut |ino, index, from| {
        if frame(&from).is_some_and(|(segment, _)| sparse.contains(&segment)) {
            moves.push(Move { ino, index, from });
        }
    })?;
    Ok(moves)
}
