//! Moving live chunks out of segments of older epochs.
//!
//! A pass takes the old segments in windows, so that a frame which several files share is moved once, and each window
//! takes one scan of all chunks. Passes are repeated until nothing refers to an old segment: a file that was copied
//! (by reference) behind the scan is found by the next one. No new reference to an old segment can appear but as a
//! copy of one, because everything new is sealed under the epoch that stands in the log.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use super::amount::Amount;
use super::plan::{OldSegment, old_segments};
use super::{Ended, Run};
use crate::base::{Ino, ObjectId};
use crate::meta::key;
use crate::meta::record::ChunkRef;
use crate::meta::view::View;
use crate::volume::VolumeError;
use crate::volume::relocate::{BATCH, Move, Moved, frame};

/// Frames of one window: 16 GiB of plain data in chunks of 64 KiB, some 25 MB of memory.
const WINDOW: u64 = 1 << 18;
/// Chunks between two commits: 64 MiB of plain bytes.
const COMMIT_EVERY: usize = 1024;

/// Moves everything; durable when it returns.
pub(super) fn move_all(run: &Run<'_>) -> Result<(), Ended> {
    loop {
        let mut old = old_segments(&run.volume.snapshot(), run.epoch)?;
        {
            // What cannot be read stays.
            let unreadable = run.unreadable.lock();
            old.retain(|id, segment| {
                segment.count > unreadable.iter().filter(|(broken, _)| broken == id).count() as u64
            });
        }
        if old.is_empty() {
            return Ok(());
        }
        for window in windows(old) {
            Window::new(window).move_out(run)?;
        }
        run.volume.sync()?;
    }
}

/// The segments in portions of [`WINDOW`] live frames, in the order of their ids.
fn windows(old: HashMap<ObjectId, OldSegment>) -> Vec<HashMap<ObjectId, OldSegment>> {
    let mut all: Vec<(ObjectId, OldSegment)> = old.into_iter().collect();
    all.sort_by_key(|(id, _)| *id);
    let (mut windows, mut window, mut frames) = (Vec::new(), HashMap::new(), 0);
    for (id, segment) in all {
        if !window.is_empty() && frames + segment.count > WINDOW {
            windows.push(std::mem::take(&mut window));
            frames = 0;
        }
        frames += segment.count;
        window.insert(id, segment);
    }
    windows.push(window);
    windows
}

/// Some of the old segments.
struct Window {
    segments: HashMap<ObjectId, OldSegment>,
    moved: Moved,
    /// Where the scan goes on.
    from: Vec<u8>,
}

impl Window {
    fn new(segments: HashMap<ObjectId, OldSegment>) -> Self {
        Self { segments, moved: Moved::default(), from: key::chunk(Ino(0), 0) }
    }

    fn move_out(mut self, run: &Run<'_>) -> Result<(), Ended> {
        let size = u64::from(run.volume.chunk_size());
        let mut uncommitted = 0;
        loop {
            let most = run.throttle.lock().step(BATCH, size);
            let mut batch = self.next(run, most)?;
            if batch.is_empty() {
                return Ok(());
            }
            // In the order of the bucket: neighbours come with one request.
            batch.sort_by_key(|step| (frame(&step.from), step.ino, step.index));
            let mut lost = HashSet::new();
            let bytes = run.volume.relocate_readable(&batch, &mut self.moved, &mut lost)?.sealed;
            run.unreadable.lock().extend(lost);
            uncommitted += batch.len();
            if uncommitted >= COMMIT_EVERY {
                run.volume.sync()?;
                uncommitted = 0;
            }
            run.advance(Amount { objects: self.emptied(&batch), bytes })?;
        }
    }

    /// The next chunks that refer to the window, at most `most`.
    fn next(&mut self, run: &Run<'_>, most: usize) -> Result<Vec<Move>, VolumeError> {
        let unreadable = run.unreadable.lock().clone();
        let (mut batch, mut broken) = (Vec::new(), None);
        let from = self.from.clone();
        let end = key::chunk(Ino(u64::MAX), u64::MAX);
        run.volume.snapshot().scan(&from, &end, &mut |found, value| {
            self.from.clear();
            self.from.extend_from_slice(found);
            self.from.push(0);
            let (Some((ino, index)), Ok(chunk)) = (key::parse_chunk(found), ChunkRef::decode(value)) else {
                broken = Some(key::describe(found));
                return ControlFlow::Break(());
            };
            let wanted = frame(&chunk)
                .is_some_and(|frame| self.segments.contains_key(&frame.0) && !unreadable.contains(&frame));
            if wanted {
                batch.push(Move { ino, index, from: chunk });
            }
            if batch.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        match broken {
            Some(what) => Err(VolumeError::Corrupt(format!("chunk record {what} makes no sense"))),
            None => Ok(batch),
        }
    }

    /// How many segments lost their last live frame with this batch.
    fn emptied(&mut self, batch: &[Move]) -> u64 {
        let mut done = 0;
        for (segment, number) in batch.iter().filter_map(|step| frame(&step.from)) {
            if let Some(old) = self.segments.get_mut(&segment).filter(|old| old.frames.has(number)) {
                old.frames.unset(number);
                old.count -= 1;
                done += u64::from(old.count == 0);
            }
        }
        done
    }
}
