//! Segments that were sealed here and must not be committed under their names: their chunks are sealed again.
//!
//! Two things spoil a segment between its sealing and its commit. *gc elsewhere* may have condemned it, because
//! nothing referred to it yet: it is deleted soon, or has been. And an entry of a *newer epoch* may have come in
//! between: once that stands in the log nothing new refers to an older epoch, so that the old key can be dropped
//! when the last old object is gone. Either way the chunks are read back, placed anew, and the operations that wait
//! to be committed name the new places.
//!
//! The same befalls segments of others' past: the copy of a file that was changed here and there refers to what the file
//! was here, which gc elsewhere has condemned or deleted once nobody else needed it.
//!
//! Soundness: whatever spoils a segment reaches this machine as news from the log, and all news pass through a
//! rebase, after which nothing is in flight. [`Volume::reseal_spoilt`] runs between that and the next cut.
//!
//! Failure: own chunks that cannot be read back (gc has deleted the segment, and no cache has them) fail the commit by
//! name, and everything stays queued. Those of others' past become holes, and `status` tells so: what was written here is kept all
//! the same. Nothing that refers to a segment which may be gone is ever committed.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::commit::Desk;
use super::conflict::{log_story, show};
use super::error::VolumeError;
use super::follow::News;
use super::mounted::Volume;
use super::rebase::remember;
use super::replay::Replay;
use super::state::{Pending, Transaction};
use crate::base::{Ino, ObjectId};
use crate::data::Want;
use crate::meta::key;
use crate::meta::op::Op;
use crate::meta::overlay::Overlay;
use crate::meta::record::{ChunkRef, SegmentRecord};

/// A frame of a segment.
type Frame = (ObjectId, u32);

impl Volume {
    /// The segments in flight that others condemned, whether or not they pardoned them since: a segment that was
    /// condemned may have been deleted. After a reload nobody knows what happened in between, so all of them.
    pub(super) fn spoilt_by(&self, news: &News) -> Vec<ObjectId> {
        let uncommitted = self.data.uncommitted().into_iter();
        let spoilt = uncommitted.filter(|(id, record)| match news {
            News::Entries { changes, .. } => {
                changes.change(&key::condemned(&record.object_key(*id))).is_some()
            }
            News::Reloaded(_) => true,
        });
        spoilt.map(|(id, _)| id).collect()
    }

    /// Seals the chunks of spoilt segments again, under new names and the current epoch, one segment at a time.
    /// Nothing is in flight when this is called, and no new news come before the cut that follows.
    ///
    /// # Errors
    /// Why a chunk cannot be read back; what was done until then stays done, the rest is tried again.
    pub(super) fn reseal_spoilt(&self, desk: &mut Desk) -> Result<(), VolumeError> {
        if self.is_read_only() {
            return Ok(());
        }
        let epoch = self.state.read().committed.epoch;
        for (id, record) in self.data.uncommitted() {
            if record.epoch < epoch || desk.spoilt.contains(&id) {
                self.reseal(id, &record)?;
                log::info!("segment {id} was spoilt before its commit; its chunks were sealed again");
                desk.spoilt.remove(&id);
            }
        }
        desk.spoilt.clear();
        while let Some((id, record)) = desk.left_behind.first_key_value() {
            self.bring_along(*id, record.as_ref())?;
            desk.left_behind.pop_first();
        }
        Ok(())
    }

    /// Gives the chunks of a segment that others have left behind places of their own, as far as they can be had.
    fn bring_along(&self, segment: ObjectId, record: Option<&Arc<SegmentRecord>>) -> Result<(), VolumeError> {
        let numbers = {
            let state = self.state.read();
            frames_of(state.pending.transactions.iter().flatten(), segment)
        };
        let mut found = Vec::new();
        let mut lost = BTreeSet::new();
        for number in numbers {
            let want = Want { segment, number, record: record.cloned() };
            match self.env.runtime.block_on(self.data.read(&[want])) {
                Ok(plain) => found.extend(plain.into_iter().map(|bytes| (number, bytes))),
                Err(error) if error.is_gone() || error.is_unreadable() => {
                    log::warn!("{error}");
                    lost.insert(number);
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.env.runtime.block_on(self.data.room());

        let _alone = self.gate.alone();
        let placed: HashMap<Frame, ChunkRef> =
            found.into_iter().map(|(number, bytes)| ((segment, number), self.data.place(bytes))).collect();
        self.leave_holes(segment, &lost);
        self.replace_references(&placed)
    }

    /// Takes references to frames that nobody has any more out of what waits.
    fn leave_holes(&self, segment: ObjectId, lost: &BTreeSet<u32>) {
        if lost.is_empty() {
            return;
        }
        let mut state = self.state.write();
        let mut stories = BTreeSet::new();
        let names = names_of_new_files(state.pending.transactions.iter().flatten());
        for op in state.pending.transactions.iter_mut().flatten() {
            let Op::Write { ino, chunks, .. } = op else { continue };
            for (_, chunk) in chunks.iter_mut() {
                let gone = matches!(chunk, Some(ChunkRef::Segment { segment: named, number, .. })
                    if *named == segment && lost.contains(number));
                if gone {
                    *chunk = None;
                    let name = names.get(ino).cloned().unwrap_or_else(|| format!("inode {ino}"));
                    stories.insert(format!(
                        "{name} has holes: parts that were not changed here cannot be had any more (gc on another machine \
                         has deleted them meanwhile, or they are damaged)"
                    ));
                }
            }
        }
        stories.iter().for_each(|story| log_story(story));
        remember(&mut state, stories.into_iter().collect());
    }

    fn reseal(&self, segment: ObjectId, record: &Arc<SegmentRecord>) -> Result<(), VolumeError> {
        let numbers = {
            let state = self.state.read();
            frames_of(state.pending.transactions.iter().flatten(), segment)
        };
        let want = |number: &u32| Want { segment, number: *number, record: Some(Arc::clone(record)) };
        let wants: Vec<Want> = numbers.iter().map(want).collect();
        let runtime = &self.env.runtime;
        let plain = runtime.block_on(self.data.read(&wants))?;
        runtime.block_on(self.data.room());

        // No system call may copy a reference between the look at what is pending and its replacement.
        let _alone = self.gate.alone();
        let placed: HashMap<Frame, ChunkRef> = numbers
            .iter()
            .zip(plain)
            .map(|(number, bytes)| ((segment, *number), self.data.place(bytes)))
            .collect();
        self.replace_references(&placed)?;
        self.data.abandon(segment);
        Ok(())
    }

    /// Makes everything that is pending name the new places.
    fn replace_references(&self, placed: &HashMap<Frame, ChunkRef>) -> Result<(), VolumeError> {
        let (ground, mut transactions): (_, Vec<Transaction>) = {
            let state = self.state.read();
            (state.committed.layers(), state.pending.transactions.clone())
        };
        transactions.iter_mut().flatten().for_each(|op| each_chunk(op, &mut |chunk| replace(chunk, placed)));
        let mut replay = Replay::new(&self.packs, &ground, Overlay::default());
        for op in transactions.iter().flatten() {
            replay.try_apply(op, self.slot())??;
        }
        let mut pending = Pending::default();
        for transaction in transactions {
            pending.push(transaction, Overlay::default());
        }
        pending.overlay = Arc::new(replay.changes);
        drop(ground);
        self.state.write().pending = pending;
        Ok(())
    }
}

/// How files are called that ops make.
fn names_of_new_files<'a>(ops: impl Iterator<Item = &'a Op>) -> HashMap<Ino, String> {
    ops.filter_map(|op| match op {
        Op::Create { ino, name, .. } => Some((*ino, show(name))),
        _ => None,
    })
    .collect()
}

/// The frames of `segment` that ops refer to, ascending.
fn frames_of<'a>(ops: impl Iterator<Item = &'a Op>, segment: ObjectId) -> BTreeSet<u32> {
    let mut numbers = BTreeSet::new();
    for op in ops {
        each_chunk(&mut op.clone(), &mut |chunk| {
            if let ChunkRef::Segment { segment: named, number, .. } = chunk
                && *named == segment
            {
                numbers.insert(*number);
            }
        });
    }
    numbers
}

/// Visits every reference in an op.
fn each_chunk(op: &mut Op, visit: &mut dyn FnMut(&mut ChunkRef)) {
    match op {
        Op::Write { chunks, .. } => {
            chunks.iter_mut().filter_map(|(_, chunk)| chunk.as_mut()).for_each(&mut *visit)
        }
        Op::Relocate { from, to, .. } => {
            visit(from);
            visit(to);
        }
        _ => {}
    }
}

/// The same bytes at their new place.
fn replace(chunk: &mut ChunkRef, placed: &HashMap<Frame, ChunkRef>) {
    let ChunkRef::Segment { segment, number, len } = chunk else { return };
    let len = *len;
    if let Some(ChunkRef::Segment { segment, number, .. }) = placed.get(&(*segment, *number)) {
        *chunk = ChunkRef::Segment { segment: *segment, number: *number, len };
    }
}
