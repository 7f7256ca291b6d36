//! Moving live chunks out of mostly dead segments.

use std::collections::HashSet;
use std::sync::Arc;

use super::Progress;
use super::inventory::Inventory;
use super::mark;
use crate::base::{Ino, ObjectId};
use crate::data::Want;
use crate::meta::op::Op;
use crate::meta::read;
use crate::meta::record::ChunkRef;
use crate::volume::{Volume, VolumeError};

/// Chunks moved in one batch: at most 32 MiB of plain bytes in memory.
const BATCH: usize = 256;

/// A reference that is to change.
type Move = (Ino, u64, ChunkRef);

/// Rewrites sparse segments; returns how many plain bytes moved. Files changed meanwhile keep what they
/// have (`Op::Relocate` only replaces the reference it knows).
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
    // One frame may be shared by many chunks: keep its references together, in the order of the bucket.
    moves.sort_by_key(|(ino, index, chunk)| (place(chunk), *ino, *index));
    let total = moves.len() as u64;
    let mut moved = 0;
    for (done, batch) in moves.chunks(BATCH).enumerate() {
        moved += move_batch(volume, batch)?;
        progress((done * BATCH) as u64, total);
    }
    volume.sync()?;
    Ok(moved)
}

fn moves(
    view: &crate::volume::snapshot::Snapshot,
    sparse: &HashSet<ObjectId>,
) -> Result<Vec<Move>, VolumeError> {
    let mut moves = Vec::new();
    mark::each_chunk(view, &mut |ino, index, chunk| {
        if matches!(&chunk, ChunkRef::Segment { segment, .. } if sparse.contains(segment)) {
            moves.push((ino, index, chunk));
        }
    })?;
    Ok(moves)
}

fn place(chunk: &ChunkRef) -> Option<(ObjectId, u32)> {
    match chunk {
        ChunkRef::Segment { segment, number, .. } => Some((*segment, *number)),
        ChunkRef::Inline(_) => None,
    }
}

/// Reads each frame of the batch once, places it anew and relocates all references to it.
fn move_batch(volume: &Arc<Volume>, batch: &[Move]) -> Result<u64, VolumeError> {
    let mut frames: Vec<(ObjectId, u32)> = batch.iter().filter_map(|(_, _, chunk)| place(chunk)).collect();
    frames.dedup();
    let wants = volume.read(|view| {
        let want = |(segment, number): &(ObjectId, u32)| {
            let record = match volume.data().record(*segment) {
                Some(record) => Some(record),
                None => read::segment(view, *segment)?.map(|record| volume.data().learn(*segment, record)),
            };
            Ok::<_, VolumeError>(Want { segment: *segment, number: *number, record })
        };
        frames.iter().map(want).collect::<Result<Vec<_>, _>>()
    })?;
    let plain = volume.runtime().block_on(volume.data().read(&wants))?;
    let moved = plain.iter().map(|bytes| bytes.len() as u64).sum();

    let permit = volume.enter()?;
    let placed: Vec<ChunkRef> = plain.into_iter().map(|bytes| volume.data().place(bytes)).collect();
    volume.transact(&permit, |txn| {
        for (ino, index, from) in batch {
            let Some(to) = relocated(from, &frames, &placed) else { continue };
            txn.apply(Op::Relocate { ino: *ino, index: *index, from: from.clone(), to })?;
        }
        Ok::<_, VolumeError>(())
    })?;
    Ok(moved)
}

/// The new reference for an old one: the new frame, the same number of bytes.
fn relocated(from: &ChunkRef, frames: &[(ObjectId, u32)], placed: &[ChunkRef]) -> Option<ChunkRef> {
    let ChunkRef::Segment { len, .. } = from else { return None };
    let at = frames.iter().position(|frame| Some(*frame) == place(from))?;
    match placed.get(at)? {
        ChunkRef::Segment { segment, number, .. } => {
            Some(ChunkRef::Segment { segment: *segment, number: *number, len: *len })
        }
        ChunkRef::Inline(_) => None,
    }
}
