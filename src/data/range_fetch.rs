//! Frames of stored segments: from the disk cache, else with ranged GETs.
//!
//! A frame of the disk cache that does not verify means a damaged cache: the whole file goes and the frame
//! is asked of the bucket. A frame of the bucket that does not verify is the end: the reader gets an error,
//! and nothing of that GET enters the disk cache.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use super::arrival::Arrival;
use super::disk_cache::DiskCache;
use super::error::DataError;
use super::fetcher::{Batch, Fetcher, Frame, Purpose, blocking};
use super::flights::Boarding;
use super::range_plan::{MAX_GAP_AHEAD, MAX_GET, MAX_GET_AHEAD, frame_ranges, plan_gets};
use super::read_ahead::Evidence;

impl Fetcher {
    /// Fetches frames, ascending by number, from the nearest place.
    pub(super) async fn fetch_stored(self: Arc<Self>, batch: Arc<Batch>, frames: Vec<Frame>) {
        let missing = match &self.disk {
            Some(disk) if disk.may_hold(batch.segment) => {
                let (fetcher, disk, batch) = (Arc::clone(&self), Arc::clone(disk), Arc::clone(&batch));
                blocking(move || fetcher.open_cached(&disk, &batch, frames)).await.unwrap_or_default()
            }
            _ => frames,
        };
        if !missing.is_empty() {
            self.fetch_missing(batch, missing).await;
        }
    }

    /// Lands what the disk cache has; returns the rest.
    fn open_cached(&self, disk: &DiskCache, batch: &Batch, frames: Vec<Frame>) -> Vec<Frame> {
        let Some(file) = disk.lookup(batch.segment) else { return frames };
        let mut missing = Vec::new();
        let mut damage = None;
        for frame in frames {
            match file.read(frame.range.clone()).map(|sealed| batch.open(&frame, Some(&sealed))) {
                Some(Ok(chunk)) => {
                    self.counters.disk(1);
                    self.land(frame, Ok(chunk));
                }
                Some(Err(error)) => {
                    damage = Some(error);
                    missing.push(frame);
                }
                None => missing.push(frame),
            }
        }
        if let Some(error) = damage {
            log::warn!("the disk cache's copy is damaged and will be fetched again: {error}");
            disk.evict(batch.segment);
        }
        missing
    }

    async fn fetch_missing(self: Arc<Self>, batch: Arc<Batch>, mut frames: Vec<Frame>) {
        let most = match batch.purpose {
            Purpose::Reader => {
                self.counters.misses(frames.len() as u64);
                self.take_along(&batch, &mut frames);
                MAX_GET
            }
            Purpose::Ahead(_) => {
                frames = self.fill_gaps(&batch, frames);
                self.take_on(&batch, &mut frames);
                MAX_GET_AHEAD
            }
            Purpose::File(_) => {
                frames = self.fill_gaps(&batch, frames);
                self.take_along(&batch, &mut frames);
                MAX_GET_AHEAD
            }
            Purpose::Parts(_) => MAX_GET,
        };
        // Parts lead nowhere.
        let reader = !matches!(batch.purpose, Purpose::Parts(_));
        if let Some(last) = frames.last().filter(|_| reader) {
            self.read_ahead.reached(batch.segment, last.range.end, batch.record.object_len());
        }
        let mut gets = plan_gets(frames, most, |frame| frame.range.clone());
        let own = gets.pop();
        for (range, frames) in gets {
            self.runtime.spawn(Arc::clone(&self).fetch_range(Arc::clone(&batch), range, frames));
        }
        if let Some((range, frames)) = own {
            self.fetch_range(batch, range, frames).await;
        }
    }

    /// Adds the frames that follow, as far as the segment's read-ahead window reaches; without one the block around, where
    /// small files are read in an order of their own.
    fn take_along(&self, batch: &Batch, frames: &mut Vec<Frame>) {
        let Some(first) = frames.first() else { return };
        let window = self.read_ahead.window(batch.segment, first.range.start);
        if window == 0 {
            let cheap = self.line.bytes_for_a_request().unwrap_or(u64::MAX);
            let evidence = Evidence { cheap, hits: self.counters.read().0 };
            let start = first.range.start;
            if let Some(block) = self.read_ahead.block(batch.segment, start, &batch.record, evidence) {
                self.take_block(batch, &block, frames);
            }
            return;
        }
        self.take_window(batch, window, frames);
    }

    /// Adds the frames that follow what is fetched ahead of a reader that goes on here from another segment.
    fn take_on(&self, batch: &Batch, frames: &mut Vec<Frame>) {
        let Some(first) = frames.first() else { return };
        let window = self.read_ahead.window_ahead(batch.segment, first.range.start);
        self.take_window(batch, window, frames);
    }

    /// Adds the frames that follow the last one, as far as `window` reaches.
    fn take_window(&self, batch: &Batch, window: u64, frames: &mut Vec<Frame>) {
        let Some(last) = frames.last() else { return };
        let after = (last.number(), last.range.end);
        self.take_until(batch, after, last.range.end + window, frames);
    }

    /// Adds the frames that begin in `block` and are neither in memory nor being fetched.
    fn take_block(&self, batch: &Batch, block: &Range<u64>, frames: &mut Vec<Frame>) {
        let numbers: Vec<u32> = (0..batch.record.frames.len() as u32).collect();
        for (number, range) in numbers.iter().zip(frame_ranges(&batch.record, &numbers)) {
            let key = (batch.segment, *number);
            if !block.contains(&range.start) {
                continue;
            }
            if let Boarding::Fly(claim, _) = self.frames.board(key, || self.chunks.peek(key)) {
                frames.push(Frame { claim, range });
            }
        }
        frames.sort_by_key(Frame::number);
    }

    /// Adds what lies in small gaps between frames that are fetched ahead: what was written together is read
    /// together, and the order in a segment is that of writing, which several threads mix.
    fn fill_gaps(&self, batch: &Batch, frames: Vec<Frame>) -> Vec<Frame> {
        let mut filled: Vec<Frame> = Vec::with_capacity(frames.len());
        for frame in frames {
            let before = filled.last().map(|last| (last.number(), last.range.end));
            if let Some(before) = before.filter(|(_, end)| frame.range.start - end <= MAX_GAP_AHEAD) {
                self.take_until(batch, before, frame.range.start, &mut filled);
            }
            filled.push(frame);
        }
        filled
    }

    /// Adds the frames after frame `number`, which ends at `start`, that end at `limit` at the latest and are
    /// neither in memory nor being fetched.
    fn take_until(&self, batch: &Batch, (number, start): (u32, u64), limit: u64, frames: &mut Vec<Frame>) {
        let (mut start, next) = (start, number + 1);
        for (number, len) in (next..).zip(batch.record.frames.iter().skip(next as usize)) {
            let end = start + u64::from(*len);
            if end > limit {
                break;
            }
            let key = (batch.segment, number);
            if let Boarding::Fly(claim, _) = self.frames.board(key, || self.chunks.peek(key)) {
                frames.push(Frame { claim, range: start..end });
            }
            start = end;
        }
    }

    async fn fetch_range(self: Arc<Self>, batch: Arc<Batch>, range: Range<u64>, frames: Vec<Frame>) {
        let fail = |frames: Vec<Frame>, error: DataError| {
            // Whoever waits for a frame says why it does not come (fs/errno.rs).
            log::debug!("{error}");
            frames.into_iter().for_each(|frame| frame.claim.land(Err(error.clone())));
        };
        let _permit = match self.permit(range.end - range.start).await {
            Ok(permit) => permit,
            Err(error) => return fail(frames, error),
        };
        let arrival = Arrival::new(&self, &batch, range.start, frames);
        let sealed = match self.fetch_bytes(&batch, &range, &arrival).await {
            Ok(sealed) => sealed,
            Err(error) => return fail(arrival.rest(), error),
        };
        let came_sound = arrival.is_sound();
        if !self.open_all(&batch, arrival.rest(), sealed.clone(), range.start).await || !came_sound {
            let key = batch.record.object_key(batch.segment);
            log::debug!("object {key} is damaged in bytes {} to {}", range.start, range.end);
        } else if let Some(disk) = &self.disk {
            disk.offer(batch.segment, range.start, sealed);
        }
    }

    async fn fetch_bytes(
        &self,
        batch: &Batch,
        range: &Range<u64>,
        arrival: &Arrival<'_>,
    ) -> Result<Bytes, DataError> {
        let key = batch.record.object_key(batch.segment);
        let answer = self.line.ask(Instant::now());
        let watch = |so_far: &[u8]| {
            answer.comes(so_far.len() as u64, Instant::now());
            arrival.watch(so_far);
        };
        let fetched = self.bucket.get_watched(&key, Some(range.clone()), &watch).await;
        let fetched = fetched.map_err(|error| DataError::bucket(batch.segment, error))?;
        answer.ends(fetched.bytes.len() as u64, Instant::now());
        // What a store sends beyond the range is nobody's: it must not get into the disk cache.
        Ok(fetched.bytes.slice(..fetched.bytes.len().min((range.end - range.start) as usize)))
    }
}
