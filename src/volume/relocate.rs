//! Moving chunks from one segment to another: what gc does with mostly dead segments, and re-encryption with old ones.
//!
//! A frame that several chunks share is moved once, and they go on sharing it. Files that are changed meanwhile keep
//! what they have: `Op::Relocate` only replaces the reference that it knows.

use std::collections::{HashMap, HashSet};

use super::error::VolumeError;
use super::mounted::Volume;
use crate::base::{Ino, ObjectId};
use crate::data::Want;
use crate::meta::op::Op;
use crate::meta::read;
use crate::meta::record::ChunkRef;
use crate::meta::view::View;
use crate::object::ErrorKind;

/// Chunks that are best moved in one batch: at most 32 MiB of plain bytes in memory.
pub(super) const BATCH: usize = 256;

/// A frame of a segment.
pub(super) type Frame = (ObjectId, u32);

/// A chunk whose reference is to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Move {
    pub ino: Ino,
    pub index: u64,
    pub from: ChunkRef,
}

/// Where frames have gone: a chunk that refers to each at its new place. Memory is proportional to the frames.
#[derive(Default)]
pub(super) struct Moved(HashMap<Frame, Move>);

/// Bytes of frames that were read and placed anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Relocated {
    pub plain: u64,
    pub sealed: u64,
}

/// The frame that a reference names.
pub(super) fn frame(chunk: &ChunkRef) -> Option<Frame> {
    match chunk {
        ChunkRef::Segment { segment, number, .. } => Some((*segment, *number)),
        ChunkRef::Inline(_) => None,
    }
}

/// The same number of bytes of another frame.
fn with_frame(chunk: &ChunkRef, to: Frame) -> Option<ChunkRef> {
    match chunk {
        ChunkRef::Segment { len, .. } => Some(ChunkRef::Segment { segment: to.0, number: to.1, len: *len }),
        ChunkRef::Inline(_) => None,
    }
}

/// The chunk itself is the trouble, and trying again does not help.
fn is_lost(error: &VolumeError) -> bool {
    match error.root() {
        VolumeError::Data(error) => {
            error.is_unreadable() || matches!(error.kind(), Some(ErrorKind::NotFound | ErrorKind::Corrupt))
        }
        _ => false,
    }
}

impl Moved {
    /// Where `old` is now, as long as the chunk that was moved there still is: then the new frame is in use, and one
    /// more reference to it is as good as a copy of that chunk's. What nothing refers to any more may be deleted.
    fn place(&self, view: &dyn View, old: Frame) -> Result<Option<Frame>, VolumeError> {
        let Some(witness) = self.0.get(&old) else { return Ok(None) };
        let stands =
            read::chunk(view, witness.ino, witness.index)?.is_some_and(|chunk| chunk == witness.from);
        Ok(if stands { frame(&witness.from) } else { None })
    }

    /// Notes the first chunk of `batch` for each frame that was placed anew.
    fn note(&mut self, batch: &[Move], placed: &HashMap<Frame, Frame>) {
        for step in batch {
            let Some(old) = frame(&step.from) else { continue };
            let Some(to) = placed.get(&old).and_then(|new| with_frame(&step.from, *new)) else { continue };
            let known = self.0.get(&old).and_then(|known| frame(&known.from));
            if known != frame(&to) {
                self.0.insert(old, Move { ino: step.ino, index: step.index, from: to });
            }
        }
    }
}

impl Volume {
    /// As [`Volume::relocate`]; when a frame cannot be read, its chunks stay, it is added to `lost`, and the others are
    /// moved one by one.
    ///
    /// # Errors
    /// Any but that a frame is gone or damaged.
    pub(super) fn relocate_readable(
        &self,
        batch: &[Move],
        moved: &mut Moved,
        lost: &mut HashSet<Frame>,
    ) -> Result<Relocated, VolumeError> {
        match self.relocate(batch, moved) {
            Err(error) if is_lost(&error) => {}
            outcome => return outcome,
        }
        let mut sum = Relocated::default();
        for step in batch {
            match self.relocate(std::slice::from_ref(step), moved) {
                Ok(sizes) => {
                    sum.plain += sizes.plain;
                    sum.sealed += sizes.sealed;
                }
                Err(error) if is_lost(&error) => {
                    if let Some(frame) = frame(&step.from).filter(|_| self.still_refers(step)) {
                        log::error!("a chunk of inode {} cannot be moved: {error}", step.ino);
                        lost.insert(frame);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(sum)
    }

    /// A segment may have been deleted because nothing needs it any more.
    fn still_refers(&self, step: &Move) -> bool {
        let chunk = self.read(|view| Ok::<_, VolumeError>(read::chunk(view, step.ino, step.index)?));
        // What cannot be looked up is better reported than passed over.
        chunk.map_or(true, |chunk| chunk.as_ref() == Some(&step.from))
    }

    /// Reads each frame of the batch once, places it anew and relocates all references to it. Pending when it
    /// returns. Blocks; waits for room.
    ///
    /// # Errors
    /// Why a frame cannot be read; nothing has changed then.
    fn relocate(&self, batch: &[Move], moved: &mut Moved) -> Result<Relocated, VolumeError> {
        let wants = self.frames_to_read(batch, moved)?;
        let plain = self.runtime().block_on(self.data().read(&wants))?;
        let mut sizes = Relocated::default();
        for (want, bytes) in wants.iter().zip(&plain) {
            let sealed = want.record.as_ref().and_then(|record| record.frames.get(want.number as usize));
            sizes.plain += bytes.len() as u64;
            sizes.sealed += sealed.map_or(bytes.len() as u64, |len| u64::from(*len));
        }
        let permit = self.enter()?;
        let placed: HashMap<Frame, Frame> = wants
            .iter()
            .zip(plain)
            .filter_map(|(want, bytes)| {
                Some(((want.segment, want.number), frame(&self.data().place(bytes))?))
            })
            .collect();
        self.transact(&permit, |txn| {
            for step in batch {
                let Some(old) = frame(&step.from) else { continue };
                let new = match placed.get(&old) {
                    Some(new) => Some(*new),
                    None => moved.place(txn, old)?,
                };
                let Some(to) = new.and_then(|new| with_frame(&step.from, new)) else { continue };
                txn.apply(Op::Relocate { ino: step.ino, index: step.index, from: step.from.clone(), to })?;
            }
            Ok::<_, VolumeError>(())
        })?;
        moved.note(batch, &placed);
        Ok(sizes)
    }

    /// The frames of the batch that have no new place yet, each once, in the order of the batch.
    fn frames_to_read(&self, batch: &[Move], moved: &Moved) -> Result<Vec<Want>, VolumeError> {
        self.read(|view| {
            let mut seen = HashSet::new();
            let mut wants = Vec::new();
            for old in batch.iter().filter_map(|step| frame(&step.from)) {
                if !seen.insert(old) || moved.place(view, old)?.is_some() {
                    continue;
                }
                let (segment, number) = old;
                let record = match self.data().record(segment) {
                    Some(record) => Some(record),
                    None => read::segment(view, segment)?.map(|record| self.data().learn(segment, record)),
                };
                wants.push(Want { segment, number, record });
            }
            Ok(wants)
        })
    }
}
