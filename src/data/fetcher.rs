//! Reading chunks: from memory at once, else from the nearest place that has them.
//!
//! The wants of a call that memory cannot answer are grouped by segment. Each group is one task, so that a
//! reader that goes away does not fail the others who wait for the same chunks (see [`flights`]). A group
//! reads from the segment's own sealed bytes while it is in flight, else from the disk cache and then from
//! the bucket ([`range_fetch`]).
//!
//! [`flights`]: super::flights
//! [`range_fetch`]: super::range_fetch

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::chunk_cache::{ChunkCache, FrameKey};
use super::counters::Counters;
use super::disk_cache::DiskCache;
use super::error::DataError;
use super::flights::{Boarding, Claim, Flights, Ticket};
use super::in_flight::{Held, InFlight, Sealed};
use super::line::Line;
use super::opening::{INLINE_BYTES, open_frame};
use super::range_plan::frame_ranges;
use super::read_ahead::ReadAhead;
use super::records::Records;
use super::spool::SpoolFile;
use crate::base::ObjectId;
use crate::meta::record::SegmentRecord;
use crate::object::Bucket;
use crate::vault::Opener;

/// The unit in which bytes under way are counted.
const UNIT: u64 = 4096;

/// Units of all GETs under way: four of the longest.
const BUDGET_UNITS: usize = (4 * super::range_plan::MAX_GET_AHEAD / UNIT) as usize;

/// Units the shortest GET takes, so that at most 64 run at once.
const LEAST_UNITS: u64 = BUDGET_UNITS as u64 / 64;

/// Units of all prefetches under way: 40 MiB. The widest window of a reader and what it has passed of windows of which
/// something is still to come, with what sealing and rounding add.
const PREFETCH_UNITS: usize = (40 * 1024 * 1024 / UNIT) as usize;

/// Units one prefetched chunk takes at least, so that at most 640 are under way.
const PREFETCH_LEAST: u64 = PREFETCH_UNITS as u64 / 640;

/// One chunk to read.
#[derive(Clone)]
pub struct Want {
    pub segment: ObjectId,
    pub number: u32,
    /// None: the segment must still be in flight here, or its record learnt.
    pub record: Option<Arc<SegmentRecord>>,
}

/// Where a group's sealed bytes are.
enum Source {
    InFlight(Sealed),
    Stored,
}

/// A prefetch's share of the bound, held until its last frame landed.
type Share = Arc<OwnedSemaphorePermit>;

/// Why frames are fetched.
#[derive(Clone)]
pub(super) enum Purpose {
    /// A reader waits.
    Reader,
    /// A reader is about to come to them.
    Ahead(#[allow(dead_code)] Share),
    /// A reader begins with them, of a file that it will read whole.
    File(#[allow(dead_code)] Share),
    /// Somebody may want just them.
    Parts(#[allow(dead_code)] Share),
}

/// Claims on frames of one segment.
struct Group {
    segment: ObjectId,
    record: Arc<SegmentRecord>,
    source: Source,
    claims: Vec<Claim<FrameKey>>,
    purpose: Purpose,
}

/// What all frames of a group share.
pub(super) struct Batch {
    pub segment: ObjectId,
    pub record: Arc<SegmentRecord>,
    pub opener: Opener,
    pub purpose: Purpose,
}

impl Batch {
    /// Opens a frame; None: the bytes at hand end before it does.
    pub fn open(&self, frame: &Frame, sealed: Option<&[u8]>) -> Result<Bytes, DataError> {
        let number = frame.number();
        let sealed = sealed.ok_or_else(|| {
            DataError::tampered(self.segment, number, "lies past the end of its segment, which was cut short")
        })?;
        open_frame(&self.opener, self.segment, &self.record, number, sealed)
    }
}

/// A frame that must be fetched, and where it lies in its segment.
pub(super) struct Frame {
    pub claim: Claim<FrameKey>,
    pub range: Range<u64>,
}

impl Frame {
    pub fn number(&self) -> u32 {
        self.claim.key().1
    }
}

/// A want that memory did not answer.
struct Miss {
    record: Arc<SegmentRecord>,
    source: Source,
}

enum Lookup {
    Hit(Bytes),
    Miss(Miss),
}

/// A chunk that will be there.
enum Seat {
    Here(Bytes),
    Waiting(Ticket),
}

/// Everything that reading needs.
pub(super) struct Fetcher {
    pub bucket: Arc<dyn Bucket>,
    pub runtime: Handle,
    in_flight: Arc<InFlight>,
    records: Arc<Records>,
    pub chunks: ChunkCache,
    pub disk: Option<Arc<DiskCache>>,
    pub counters: Counters,
    pub frames: Arc<Flights<FrameKey>>,
    pub objects: Arc<Flights<ObjectId>>,
    pub read_ahead: ReadAhead,
    pub line: Line,
    /// Bytes of GETs under way, in units.
    budget: Semaphore,
    prefetches: Arc<Semaphore>,
}

impl Fetcher {
    /// Ready to read; `chunk_cache` is in bytes.
    pub fn new(
        bucket: Arc<dyn Bucket>,
        runtime: Handle,
        in_flight: Arc<InFlight>,
        records: Arc<Records>,
        chunk_cache: usize,
        disk: Option<Arc<DiskCache>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            bucket,
            runtime,
            in_flight,
            records,
            chunks: ChunkCache::new(chunk_cache),
            disk,
            counters: Counters::default(),
            frames: Flights::new(),
            objects: Flights::new(),
            read_ahead: ReadAhead::new(chunk_cache),
            line: Line::default(),
            budget: Semaphore::new(BUDGET_UNITS),
            prefetches: Arc::new(Semaphore::new(PREFETCH_UNITS)),
        })
    }

    /// Waits until a GET of `len` bytes may start; hold the permit until its bytes are used up.
    pub async fn permit(&self, len: u64) -> Result<SemaphorePermit<'_>, DataError> {
        let units = len.div_ceil(UNIT).clamp(LEAST_UNITS, BUDGET_UNITS as u64) as u32;
        self.budget.acquire_many(units).await.map_err(DataError::abandoned)
    }

    /// The opened chunk, if memory has it.
    pub fn cached(&self, segment: ObjectId, number: u32) -> Option<Bytes> {
        let chunk =
            self.chunks.get((segment, number)).or_else(|| match self.in_flight.find(segment, number) {
                Some(Held::Plain(plain)) => Some(plain),
                _ => None,
            })?;
        self.counters.memory();
        Some(chunk)
    }

    /// Opened chunks in the order asked for.
    ///
    /// # Errors
    /// Of the first chunk in that order that could not be had.
    pub async fn read(self: &Arc<Self>, wants: &[Want]) -> Result<Vec<Bytes>, DataError> {
        // All wants are checked before anything is begun.
        let lookups = wants.iter().map(|want| self.look_up(want)).collect::<Result<Vec<_>, _>>()?;
        let mut groups = HashMap::new();
        let seats: Vec<Seat> =
            wants.iter().zip(lookups).map(|(want, lookup)| self.board(want, lookup, &mut groups)).collect();
        self.start(groups);
        let mut chunks = Vec::with_capacity(seats.len());
        for seat in seats {
            chunks.push(match seat {
                Seat::Here(chunk) => chunk,
                Seat::Waiting(ticket) => ticket.wait().await?,
            });
        }
        Ok(chunks)
    }

    /// Starts fetching what memory lacks, as far as the bound on prefetches allows; returns how far that is. At the
    /// beginning of a file ([`Purpose::File`]), what a reader of many files wants next is taken along.
    pub fn prefetch(self: &Arc<Self>, wants: &[Want], purpose: fn(Share) -> Purpose) -> usize {
        let mut groups = HashMap::new();
        let mut held: Option<OwnedSemaphorePermit> = None;
        let mut taken = 0;
        for want in wants {
            taken += 1;
            if self.chunks.peek((want.segment, want.number)).is_some() {
                continue;
            }
            // What cannot be read is the reader's to report.
            let Ok(Lookup::Miss(miss)) = self.find(want) else { continue };
            let len = miss.record.frames.get(want.number as usize).copied().unwrap_or_default();
            let units = u64::from(len).div_ceil(UNIT).max(PREFETCH_LEAST) as u32;
            let Ok(permit) = Arc::clone(&self.prefetches).try_acquire_many_owned(units) else {
                taken -= 1;
                break;
            };
            match &mut held {
                Some(held) => held.merge(permit),
                None => held = Some(permit),
            }
            self.board(want, Lookup::Miss(miss), &mut groups);
        }
        if let Some(share) = held.map(Arc::new) {
            groups.values_mut().for_each(|group| group.purpose = purpose(Arc::clone(&share)));
        }
        self.start(groups);
        taken
    }

    /// Forgets what the caches hold of an object.
    pub fn evict(&self, id: ObjectId) {
        self.chunks.evict(id);
        self.read_ahead.forget(id);
        if let Some(disk) = &self.disk {
            disk.evict(id);
        }
    }

    fn look_up(&self, want: &Want) -> Result<Lookup, DataError> {
        let lookup = match self.chunks.get((want.segment, want.number)) {
            Some(chunk) => Lookup::Hit(chunk),
            None => self.find(want)?,
        };
        if let Lookup::Hit(_) = lookup {
            self.counters.memory();
        }
        Ok(lookup)
    }

    /// Finds where a chunk that is not cached can be had.
    fn find(&self, want: &Want) -> Result<Lookup, DataError> {
        let dangling = |what| DataError::Dangling { segment: want.segment, number: want.number, what };
        let (record, source) = match self.in_flight.find(want.segment, want.number) {
            Some(Held::Plain(plain)) => return Ok(Lookup::Hit(plain)),
            Some(Held::Outside) => return Err(dangling("the segment in flight has no such chunk")),
            Some(Held::Sealed(sealed, record)) => (record, Source::InFlight(sealed)),
            Some(Held::Uploaded(record)) => (record, Source::Stored),
            None => {
                let record = want.record.clone().or_else(|| self.records.get(want.segment));
                (
                    record.ok_or_else(|| dangling("the segment is neither in flight nor recorded"))?,
                    Source::Stored,
                )
            }
        };
        if want.number as usize >= record.frames.len() {
            return Err(dangling("the segment has no such chunk"));
        }
        Ok(Lookup::Miss(Miss { record, source }))
    }

    fn board(&self, want: &Want, lookup: Lookup, groups: &mut HashMap<ObjectId, Group>) -> Seat {
        let miss = match lookup {
            Lookup::Hit(chunk) => return Seat::Here(chunk),
            Lookup::Miss(miss) => miss,
        };
        let key = (want.segment, want.number);
        match self.frames.board(key, || self.chunks.get(key)) {
            Boarding::Ready(chunk) => Seat::Here(chunk),
            Boarding::Join(ticket) => Seat::Waiting(ticket),
            Boarding::Fly(claim, ticket) => {
                let group = groups.entry(want.segment).or_insert_with(|| Group {
                    segment: want.segment,
                    record: miss.record,
                    source: miss.source,
                    claims: Vec::new(),
                    purpose: Purpose::Reader,
                });
                group.claims.push(claim);
                Seat::Waiting(ticket)
            }
        }
    }

    fn start(self: &Arc<Self>, groups: HashMap<ObjectId, Group>) {
        for group in groups.into_values() {
            self.runtime.spawn(Arc::clone(self).fly(group));
        }
    }

    async fn fly(self: Arc<Self>, group: Group) {
        let Group { segment, record, source, mut claims, purpose } = group;
        claims.sort_by_key(Claim::key);
        let numbers: Vec<u32> = claims.iter().map(|claim| claim.key().1).collect();
        let first = numbers.first().copied().unwrap_or_default();
        let opener = match self.records.opener(segment, first, &record) {
            Ok(opener) => opener,
            Err(error) => return claims.into_iter().for_each(|claim| claim.land(Err(error.clone()))),
        };
        let ranges = frame_ranges(&record, &numbers);
        let frames: Vec<_> =
            claims.into_iter().zip(ranges).map(|(claim, range)| Frame { claim, range }).collect();
        let batch = Arc::new(Batch { segment, record, opener, purpose });
        match source {
            Source::InFlight(Sealed::Memory(sealed)) => {
                frames.iter().for_each(|_| self.counters.memory());
                self.open_all(&batch, frames, sealed, 0).await;
            }
            Source::InFlight(Sealed::Spool(file)) => {
                let fetcher = Arc::clone(&self);
                blocking(move || fetcher.open_spooled(&batch, frames, &file)).await;
            }
            Source::Stored => self.fetch_stored(batch, frames).await,
        }
    }

    /// Opens frames out of `sealed`, which starts at `base` in the segment. False when one did not verify.
    pub(super) async fn open_all(
        self: &Arc<Self>,
        batch: &Arc<Batch>,
        frames: Vec<Frame>,
        sealed: Bytes,
        base: u64,
    ) -> bool {
        let bytes: u64 = frames.iter().map(|frame| frame.range.end - frame.range.start).sum();
        let (fetcher, batch) = (Arc::clone(self), Arc::clone(batch));
        let open = move || {
            let mut sound = true;
            for frame in frames {
                let opened = batch.open(&frame, part(&sealed, base, &frame.range));
                sound &= opened.is_ok();
                fetcher.land(frame, opened);
            }
            sound
        };
        if bytes <= INLINE_BYTES { open() } else { blocking(open).await.unwrap_or(false) }
    }

    fn open_spooled(&self, batch: &Batch, frames: Vec<Frame>, file: &SpoolFile) {
        self.counters.disk(frames.len() as u64);
        for frame in frames {
            let opened = match file.read(frame.range.clone()) {
                Ok(sealed) => batch.open(&frame, Some(&sealed)),
                Err(error) => Err(DataError::from(error)),
            };
            self.land(frame, opened);
        }
    }

    /// Hands a result to all who wait, and keeps a chunk for those who come later.
    pub(super) fn land(&self, frame: Frame, opened: Result<Bytes, DataError>) {
        if let Ok(chunk) = &opened {
            self.chunks.insert(frame.claim.key(), chunk.clone());
        }
        frame.claim.land(opened);
    }
}

/// The bytes at `range` of a segment, out of a part of it that starts at `base`.
pub(super) fn part<'a>(sealed: &'a [u8], base: u64, range: &Range<u64>) -> Option<&'a [u8]> {
    sealed.get((range.start - base) as usize..(range.end - base) as usize)
}

/// Runs `work` where blocking is allowed. None: it was stopped, and its claims have told their waiters.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => Some(value),
        Err(stopped) => {
            log::error!("a fetch was stopped: {stopped}");
            None
        }
    }
}
