//! Marking: what hangs on one immutable root.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use super::Progress;
use super::inventory::Inventory;
use crate::base::{Ino, ObjectId};
use crate::meta::record::{ChunkRef, SegmentRecord};
use crate::meta::tree::walk;
use crate::meta::view::View;
use crate::meta::{key, read};
use crate::volume::snapshot::Snapshot;
use crate::volume::{Volume, VolumeError};

/// A pack (or segment) is emptied when less than this part of it is alive, in percent.
const SPARSE_PERCENT: u64 = 50;

/// Frames of one segment that some chunk refers to, one bit each.
#[derive(Default, Clone)]
pub(in crate::volume) struct Frames {
    bits: Vec<u64>,
}

impl Frames {
    pub fn set(&mut self, number: u32) {
        let word = (number / 64) as usize;
        if self.bits.len() <= word {
            self.bits.resize(word + 1, 0);
        }
        self.bits[word] |= 1 << (number % 64);
    }

    pub fn unset(&mut self, number: u32) {
        if let Some(word) = self.bits.get_mut((number / 64) as usize) {
            *word &= !(1 << (number % 64));
        }
    }

    pub fn has(&self, number: u32) -> bool {
        self.bits.get((number / 64) as usize).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }
}

/// Everything the root reaches. Memory is proportional to the number of segments and packs.
#[derive(Default)]
pub(super) struct Live {
    pub segments: HashMap<ObjectId, Frames>,
    pub packs: HashSet<ObjectId>,
}

/// Marks from a snapshot.
pub(super) fn mark(snapshot: &Snapshot, progress: Progress<'_>) -> Result<Live, VolumeError> {
    let mut live = Live { segments: live_frames(snapshot, progress)?, packs: HashSet::new() };
    walk(snapshot.nodes(), snapshot.root(), &mut |node, _| {
        live.packs.insert(node.pack.id);
        Ok(())
    })?;
    Ok(live)
}

/// The frames that chunks of files refer to, orphans included.
pub(super) fn live_frames(
    view: &dyn View,
    progress: Progress<'_>,
) -> Result<HashMap<ObjectId, Frames>, VolumeError> {
    let mut segments: HashMap<ObjectId, Frames> = HashMap::new();
    let mut seen = 0;
    each_chunk(view, &mut |_, _, chunk| {
        if let ChunkRef::Segment { segment, number, .. } = chunk {
            segments.entry(segment).or_default().set(number);
        }
        seen += 1;
        if seen % 65_536 == 0 {
            progress(seen, 0);
        }
    })?;
    Ok(segments)
}

/// Visits every chunk of every file.
pub(in crate::volume) fn each_chunk(
    view: &dyn View,
    visit: &mut dyn FnMut(Ino, u64, ChunkRef),
) -> Result<(), VolumeError> {
    let mut broken = None;
    view.scan(&key::chunk(Ino(0), 0), &key::chunk(Ino(u64::MAX), u64::MAX), &mut |found, value| match (
        key::parse_chunk(found),
        ChunkRef::decode(value),
    ) {
        (Some((ino, index)), Ok(chunk)) => {
            visit(ino, index, chunk);
            ControlFlow::Continue(())
        }
        (_, decoded) => {
            broken = Some(format!("chunk record {}: {decoded:?}", key::describe(found)));
            ControlFlow::Break(())
        }
    })?;
    broken.map_or(Ok(()), |what| Err(VolumeError::Corrupt(what)))
}

/// Segments that hold live frames, but too few of them: worth rewriting.
pub(super) fn sparse_segments(
    view: &dyn View,
    live: &HashMap<ObjectId, Frames>,
) -> Result<HashSet<ObjectId>, VolumeError> {
    let mut sparse = HashSet::new();
    read::each_segment(view, &mut |id, record| {
        if live.get(&id).is_some_and(|frames| is_sparse(&record, frames)) {
            sparse.insert(id);
        }
        ControlFlow::Continue(())
    })?;
    Ok(sparse)
}

fn is_sparse(record: &SegmentRecord, frames: &Frames) -> bool {
    let numbered = (0..).zip(&record.frames);
    let alive: u64 = numbered.filter(|(number, _)| frames.has(*number)).map(|(_, len)| u64::from(*len)).sum();
    alive * 100 < record.object_len() * SPARSE_PERCENT
}

/// Packs of which too little is alive, as of the present checkpoint.
pub(super) fn sparse_packs(volume: &Volume, inventory: &Inventory) -> Result<HashSet<ObjectId>, VolumeError> {
    let snapshot = volume.snapshot();
    let mut alive: HashMap<ObjectId, u64> = HashMap::new();
    walk(snapshot.nodes(), snapshot.root(), &mut |node, _| {
        *alive.entry(node.pack.id).or_default() += u64::from(node.len);
        Ok(())
    })?;
    let sparse = alive.into_iter().filter(|(id, bytes)| {
        inventory.packs.get(id).is_some_and(|pack| bytes * 100 < pack.len * SPARSE_PERCENT)
    });
    Ok(sparse.map(|(id, _)| id).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Epoch;
    use crate::vault::HEADER_LEN;

    #[test]
    fn a_segment_is_sparse_when_less_than_half_of_its_bytes_are_referred_to() {
        let record =
            SegmentRecord { epoch: Epoch(1), header: [0; HEADER_LEN], frames: vec![1000, 5000, 4000] };
        let mut frames = Frames::default();
        frames.set(0);
        frames.set(2);
        assert!(is_sparse(&record, &frames), "5000 of 10128 bytes");
        frames.set(1);
        assert!(!is_sparse(&record, &frames));
    }

    #[test]
    fn frames_are_remembered_one_by_one() {
        let mut frames = Frames::default();
        frames.set(200);
        assert!(frames.has(200));
        frames.unset(8000);
        frames.set(200 + 64);
        frames.unset(200 + 64);
        assert!(frames.has(200) && !frames.has(200 + 64));
        assert!(!frames.has(199) && !frames.has(8) && !frames.has(4095));
    }
}
