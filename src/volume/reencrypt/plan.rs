//! What there is to do, and about what it costs.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::amount::Amount;
use crate::base::{Epoch, ObjectId};
use crate::meta::read;
use crate::meta::record::ChunkRef;
use crate::meta::tree::walk_refs;
use crate::volume::gc::{Frames, each_chunk};
use crate::volume::snapshot::Snapshot;
use crate::volume::{Volume, VolumeError};

/// Bytes of a segment as hushfs writes them.
const SEGMENT: u64 = 8 << 20;

/// An estimate, from the metadata alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Plan {
    /// Segments with live chunks and packs with live nodes under older epochs; bytes that are alive in them.
    pub to_move: Amount,
    /// Requests that read, and requests that write, about. Deletions cost nothing on most stores and are left out.
    pub reads: u64,
    pub writes: u64,
}

/// An old segment and what is alive in it.
pub(super) struct OldSegment {
    pub frames: Frames,
    /// Live frames (at first as many as are in `frames`) and their sealed bytes.
    pub count: u64,
    pub bytes: u64,
}

/// Adds up what is sealed under epochs before `epoch`.
pub(super) fn plan(volume: &Volume, epoch: Epoch) -> Result<Plan, VolumeError> {
    let snapshot = volume.snapshot();
    let segments = old_segments(&snapshot, epoch)?;
    let packs = old_packs(&snapshot, epoch)?;
    drop(snapshot);
    let data: u64 = segments.values().map(|segment| segment.bytes).sum();
    let tree: u64 = packs.values().sum();
    let (segments, packs) = (segments.len() as u64, packs.len() as u64);
    let new_segments = data.div_ceil(SEGMENT);
    Ok(Plan {
        to_move: Amount { objects: segments + packs, bytes: data + tree },
        reads: segments + packs,
        // A commit for each 64 MiB, and a few for packs and gc.
        writes: new_segments + packs + new_segments / 8 + 4,
    })
}

/// Segments under epochs before `epoch` that chunks refer to.
pub(super) fn old_segments(
    view: &Snapshot,
    epoch: Epoch,
) -> Result<HashMap<ObjectId, OldSegment>, VolumeError> {
    let mut old: HashMap<ObjectId, OldSegment> = HashMap::new();
    read::each_segment(view, &mut |id, record| {
        if record.epoch < epoch {
            old.insert(id, OldSegment { frames: Frames::default(), count: 0, bytes: 0 });
        }
        ControlFlow::Continue(())
    })?;
    if old.is_empty() {
        return Ok(old);
    }
    each_chunk(view, &mut |_, _, chunk| {
        if let ChunkRef::Segment { segment, number, .. } = chunk
            && let Some(old) = old.get_mut(&segment)
        {
            old.frames.set(number);
        }
    })?;
    read::each_segment(view, &mut |id, record| {
        if let Some(old) = old.get_mut(&id) {
            let numbered = (0..).zip(&record.frames);
            let alive = numbered.filter(|(number, _)| old.frames.has(*number));
            (old.count, old.bytes) =
                alive.fold((0, 0), |(count, bytes), (_, len)| (count + 1, bytes + u64::from(*len)));
        }
        ControlFlow::Continue(())
    })?;
    old.retain(|_, segment| segment.count > 0);
    Ok(old)
}

/// Packs under epochs before `epoch` with nodes of the tree, and the bytes of these nodes. Reads inner nodes only.
pub(super) fn old_packs(view: &Snapshot, epoch: Epoch) -> Result<HashMap<ObjectId, u64>, VolumeError> {
    let mut old: HashMap<ObjectId, u64> = HashMap::new();
    walk_refs(view.nodes(), view.root(), &mut |node| {
        if node.pack.epoch < epoch {
            *old.entry(node.pack.id).or_default() += u64::from(node.len);
        }
    })?;
    Ok(old)
}
