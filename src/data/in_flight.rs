//! Every segment that was begun and is not yet committed: where its bytes are, and how far it got.
//!
//! ```text
//! open ─► plain ─► sealed ─► uploaded ─► (committed: forgotten)
//!                     └─► spooled ─┘
//! ```
//!
//! Invariants: until a segment is uploaded, exactly one body holds its bytes; `waiting`, `plain`, `loaded` and
//! `spooled` are the sums over those bodies; a segment leaves as `committed`, and only after it was
//! uploaded, or as `abandon`ed, when its chunks have places elsewhere. One mutex, held for memory operations only.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::config::DataConfig;
use super::error::DataError;
use super::pace::Pace;
use super::sealing::SealedSegment;
use super::segment_builder::SegmentBuilder;
use super::spool::SpoolFile;
use crate::base::{ObjectId, Random};
use crate::meta::record::SegmentRecord;

/// What waiters of a segment watch.
#[derive(Clone, Default)]
pub(super) struct Progress {
    /// Set when the bucket has it.
    pub uploaded: Option<Arc<SegmentRecord>>,
    /// Attempts that failed so far.
    pub failures: u64,
    /// Why the last attempt failed.
    pub error: Option<DataError>,
}

/// Where the sealed bytes of a segment are.
#[derive(Clone)]
pub(super) enum Sealed {
    Memory(Bytes),
    Spool(Arc<SpoolFile>),
}

/// What is held of a chunk that is in flight.
pub(super) enum Held {
    /// Its plain bytes.
    Plain(Bytes),
    /// Its segment's sealed bytes.
    Sealed(Sealed, Arc<SegmentRecord>),
    /// The bucket has it.
    Uploaded(Arc<SegmentRecord>),
    /// The segment has no such chunk.
    Outside,
}

/// The sums, for status and back-pressure.
#[derive(Clone, Default)]
pub(super) struct Reading {
    pub open: u64,
    pub waiting: u64,
    pub spooled: u64,
    pub segments: u64,
    pub failing: Option<DataError>,
}

enum Body {
    Plain { chunks: Arc<Vec<Bytes>>, bytes: u64 },
    Sealed(Sealed),
    Uploaded,
}

struct Entry {
    /// Position in the order of closing.
    order: u64,
    body: Body,
    uploading: bool,
    record: Option<Arc<SegmentRecord>>,
    progress: watch::Sender<Progress>,
}

struct Table {
    open: Option<SegmentBuilder>,
    segments: HashMap<ObjectId, Entry>,
    closed: u64,
    /// Bytes of bodies in memory.
    waiting: u64,
    /// Those of them that are not sealed yet.
    plain: u64,
    /// Bytes of plain bodies that are being sealed, which are in memory a second time.
    sealing: u64,
    /// Bytes in memory of uploads under way that are in the spool, too.
    loaded: u64,
    /// Bytes of bodies in the spool.
    spooled: u64,
    /// Whether a mover runs.
    spooling: bool,
    /// Whether segments should move there.
    pace: Pace,
}

/// The segments in flight.
pub(super) struct InFlight {
    table: Mutex<Table>,
    /// Wakes writers: memory became free.
    freed: Notify,
    segment_bytes: usize,
    memory: u64,
    spool_above: u64,
    spool_limit: u64,
}

/// Memory of a segment that is being sealed.
pub(super) struct Sealing {
    in_flight: Arc<InFlight>,
    bytes: u64,
}

impl Drop for Sealing {
    fn drop(&mut self) {
        self.in_flight.table.lock().sealing -= self.bytes;
        self.in_flight.freed.notify_waiters();
    }
}

impl InFlight {
    /// Nothing is in flight.
    pub fn new(config: &DataConfig) -> Arc<Self> {
        let table = Table {
            open: None,
            segments: HashMap::new(),
            closed: 0,
            waiting: 0,
            plain: 0,
            sealing: 0,
            loaded: 0,
            spooled: 0,
            spooling: false,
            pace: Pace::new(config.spool_after),
        };
        Arc::new(Self {
            table: Mutex::new(table),
            freed: Notify::new(),
            segment_bytes: config.segment_bytes,
            memory: config.upload_memory as u64,
            spool_above: config.spool_above(),
            spool_limit: config.spool_limit(),
        })
    }

    /// Gives a chunk its place. The second value is a segment that is full now and must be carried.
    pub fn place(&self, plain: Bytes, random: &dyn Random) -> ((ObjectId, u32), Option<ObjectId>) {
        let mut table = self.table.lock();
        let open = table.open.get_or_insert_with(|| SegmentBuilder::new(ObjectId::generate(random)));
        let place = (open.id(), open.push(plain));
        let full = open.is_full(self.segment_bytes);
        (place, if full { table.close() } else { None })
    }

    /// True when every chunk that was ever placed is committed.
    pub fn is_empty(&self) -> bool {
        let table = self.table.lock();
        table.open.is_none() && table.segments.is_empty()
    }

    /// Closes the open segment, if any; it must be carried.
    pub fn close(&self) -> Option<ObjectId> {
        self.table.lock().close()
    }

    /// Closes the open segment if it is this one.
    pub fn close_if(&self, segment: ObjectId) -> Option<ObjectId> {
        let mut table = self.table.lock();
        if table.is_open(segment) { table.close() } else { None }
    }

    /// True until the segment is committed.
    pub fn contains(&self, segment: ObjectId) -> bool {
        let table = self.table.lock();
        table.is_open(segment) || table.segments.contains_key(&segment)
    }

    /// What is held of a chunk; None: its segment is not in flight.
    pub fn find(&self, segment: ObjectId, number: u32) -> Option<Held> {
        let table = self.table.lock();
        if let Some(open) = &table.open
            && open.id() == segment
        {
            return Some(open.chunk(number).map_or(Held::Outside, Held::Plain));
        }
        let entry = table.segments.get(&segment)?;
        let held = match (&entry.body, &entry.record) {
            (Body::Plain { chunks, .. }, _) => {
                chunks.get(number as usize).cloned().map_or(Held::Outside, Held::Plain)
            }
            (_, Some(record)) if number as usize >= record.frames.len() => Held::Outside,
            (Body::Sealed(sealed), Some(record)) => Held::Sealed(sealed.clone(), Arc::clone(record)),
            (Body::Uploaded, Some(record)) => Held::Uploaded(Arc::clone(record)),
            (Body::Sealed(_) | Body::Uploaded, None) => Held::Outside,
        };
        Some(held)
    }

    /// The record, once sealed.
    pub fn record(&self, segment: ObjectId) -> Option<Arc<SegmentRecord>> {
        self.table.lock().segments.get(&segment)?.record.clone()
    }

    /// Follows a closed segment.
    pub fn watch(&self, segment: ObjectId) -> Option<watch::Receiver<Progress>> {
        Some(self.table.lock().segments.get(&segment)?.progress.subscribe())
    }

    /// The chunks of a segment that is to be sealed.
    pub fn chunks(&self, segment: ObjectId) -> Option<Arc<Vec<Bytes>>> {
        match &self.table.lock().segments.get(&segment)?.body {
            Body::Plain { chunks, .. } => Some(Arc::clone(chunks)),
            Body::Sealed(_) | Body::Uploaded => None,
        }
    }

    /// Counts the sealed copy of `bytes` that are being sealed, until what is returned is dropped.
    pub fn sealing(self: &Arc<Self>, bytes: u64) -> Sealing {
        self.table.lock().sealing += bytes;
        Sealing { in_flight: Arc::clone(self), bytes }
    }

    /// The segment's bytes are sealed: the plain ones go.
    pub fn sealed(&self, segment: ObjectId, sealed: SealedSegment) {
        self.table.lock().replace(segment, |entry| {
            entry.record = Some(Arc::new(sealed.record));
            Body::Sealed(Sealed::Memory(sealed.bytes))
        });
        self.freed.notify_waiters();
    }

    /// Begins an upload: where the bytes are. They stay there until [`Self::uploaded`] or
    /// [`Self::attempt_failed`].
    pub fn upload_begins(&self, segment: ObjectId) -> Option<(Sealed, Arc<SegmentRecord>)> {
        let table = &mut *self.table.lock();
        let entry = table.segments.get_mut(&segment)?;
        let (Body::Sealed(sealed), Some(record)) = (&entry.body, &entry.record) else { return None };
        entry.uploading = true;
        if let Sealed::Spool(file) = sealed {
            table.loaded += file.len();
        }
        Some((sealed.clone(), Arc::clone(record)))
    }

    /// The bucket has the segment: its bytes go, and all who wait for it are told.
    pub fn uploaded(&self, segment: ObjectId) {
        let mut table = self.table.lock();
        table.upload_ends(segment);
        table.replace(segment, |_| Body::Uploaded);
        let (bytes, spooled) = (table.sealed_len(segment), table.spooled);
        table.pace.took(bytes, spooled, Instant::now());
        if let Some(entry) = table.segments.get(&segment) {
            entry.progress.send_modify(|progress| {
                progress.uploaded = entry.record.clone();
                progress.error = None;
            });
        }
        drop(table);
        self.freed.notify_waiters();
    }

    /// An attempt to seal or upload failed; its bytes stay where they are, and all who wait are told.
    pub fn attempt_failed(&self, segment: ObjectId, error: DataError) {
        let mut table = self.table.lock();
        table.upload_ends(segment);
        if let Some(entry) = table.segments.get(&segment) {
            entry.progress.send_modify(|progress| {
                progress.failures += 1;
                progress.error = Some(error);
            });
        }
        drop(table);
        self.freed.notify_waiters();
    }

    /// Forgets a segment that the metadata knows now; returns its record. One that is not uploaded stays.
    pub fn committed(&self, segment: ObjectId) -> Option<Arc<SegmentRecord>> {
        let mut table = self.table.lock();
        match table.segments.get(&segment)?.body {
            Body::Uploaded => table.segments.remove(&segment)?.record,
            Body::Plain { .. } | Body::Sealed(_) => {
                log::error!("segment {segment} was called committed before it was uploaded; it is kept");
                None
            }
        }
    }

    /// Forgets a segment that will never be committed, however far it got; returns its record. Whoever waits
    /// for it is told that it was abandoned.
    pub fn abandon(&self, segment: ObjectId) -> Option<Arc<SegmentRecord>> {
        let mut table = self.table.lock();
        table.upload_ends(segment);
        let entry = table.segments.remove(&segment)?;
        table.lose(entry.body.weight());
        drop(table);
        self.freed.notify_waiters();
        entry.record
    }

    /// The segments that are sealed and not committed, in the order of their closing.
    pub fn sealed_segments(&self) -> Vec<(ObjectId, Arc<SegmentRecord>)> {
        let table = self.table.lock();
        let mut sealed: Vec<_> = table
            .segments
            .iter()
            .filter_map(|(id, entry)| Some((entry.order, *id, Arc::clone(entry.record.as_ref()?))))
            .collect();
        drop(table);
        sealed.sort_by_key(|(order, ..)| *order);
        sealed.into_iter().map(|(_, id, record)| (id, record)).collect()
    }

    /// Until when a writer who has waited since `since` should wait before the bucket counts as slow; `None`: it does
    /// already.
    pub fn patience(&self, since: Instant) -> Option<Instant> {
        self.table.lock().pace.patience(since)
    }

    /// A writer has waited since `since`: the bucket is slow if it took nothing meanwhile.
    pub fn waited(&self, since: Instant) {
        self.table.lock().pace.waited(since, Instant::now());
    }

    /// True when there is work for a mover and none runs; the caller must start one.
    pub fn begin_spooling(&self) -> bool {
        let table = &mut *self.table.lock();
        let begin = !table.spooling && self.spool_candidate(table).is_some();
        table.spooling |= begin;
        begin
    }

    /// What the mover moves next. None ends the mover.
    pub fn next_to_spool(&self) -> Option<(ObjectId, Bytes)> {
        let table = &mut *self.table.lock();
        let candidate = self.spool_candidate(table);
        table.spooling = candidate.is_some();
        if let Some((_, bytes)) = &candidate {
            table.pace.moves(bytes.len() as u64);
        }
        candidate
    }

    /// The segment that will be uploaded last, if memory is short, the pace allows it, and the spool has room for it. One
    /// whose upload is under way moves only when there is no other: a bucket that is away holds each for minutes, and
    /// all together they are as much as memory may hold.
    fn spool_candidate(&self, table: &mut Table) -> Option<(ObjectId, Bytes)> {
        if table.memory() <= self.spool_above {
            if table.spooled == 0 {
                table.pace.emptied();
            }
            return None;
        }
        let room = self.spool_limit.saturating_sub(table.spooled).min(table.pace.may_move());
        let crowded = !self.within(table);
        let waiting = table.segments.iter().filter_map(|(id, entry)| match &entry.body {
            Body::Sealed(Sealed::Memory(bytes))
                if (crowded || !entry.uploading) && bytes.len() as u64 <= room =>
            {
                Some(((!entry.uploading, entry.order), *id, bytes))
            }
            _ => None,
        });
        waiting.max_by_key(|(rank, ..)| *rank).map(|(_, id, bytes)| (id, bytes.clone()))
    }

    /// The segment is in the spool: its memory goes, at once or when the upload ends that is under way.
    pub fn spooled(&self, segment: ObjectId, file: SpoolFile) {
        let mut guard = self.table.lock();
        let table = &mut *guard;
        if let Some(entry) = table.segments.get(&segment)
            && matches!(entry.body, Body::Sealed(Sealed::Memory(_)))
        {
            table.loaded += if entry.uploading { file.len() } else { 0 };
            table.replace(segment, |_| Body::Sealed(Sealed::Spool(Arc::new(file))));
        }
        drop(guard);
        self.freed.notify_waiters();
    }

    /// True when writers may go on: nothing waits in memory alone, or memory is within the limit, of which what is not sealed
    /// yet may have half (buffers of chunks do not become buffers of sealed segments). The spool bounds itself, so the
    /// whole backlog is within both limits then.
    pub fn has_room(&self) -> bool {
        let table = self.table.lock();
        let to_seal = table.open_bytes() + table.plain;
        table.waiting == 0 || (to_seal <= self.memory / 2 && self.within(&table))
    }

    /// Uploads from the spool count for writers as half of the memory at most: a bucket that is away keeps them all for
    /// minutes, and what a writer brings then must still find its way to the spool.
    fn within(&self, table: &Table) -> bool {
        table.unspooled() + table.loaded.min(self.memory / 2) <= self.memory
    }

    /// Completes when memory may have become free; enable it before looking.
    pub fn freed(&self) -> Notified<'_> {
        self.freed.notified()
    }

    /// All sums at one moment.
    pub fn reading(&self) -> Reading {
        let table = self.table.lock();
        let waiting = || table.segments.values().filter(|entry| !matches!(entry.body, Body::Uploaded));
        let failing = waiting()
            .filter_map(|entry| Some((entry.order, entry.progress.borrow().error.clone()?)))
            .min_by_key(|(order, _)| *order);
        Reading {
            open: table.open_bytes(),
            waiting: table.waiting,
            spooled: table.spooled,
            segments: waiting().count() as u64,
            failing: failing.map(|(_, error)| error),
        }
    }
}

impl Table {
    fn is_open(&self, segment: ObjectId) -> bool {
        self.open.as_ref().is_some_and(|open| open.id() == segment)
    }

    fn open_bytes(&self) -> u64 {
        self.open.as_ref().map_or(0, SegmentBuilder::bytes)
    }

    fn memory(&self) -> u64 {
        self.unspooled() + self.loaded
    }

    /// What would be lost without memory.
    fn unspooled(&self) -> u64 {
        self.open_bytes() + self.waiting + self.sealing
    }

    fn close(&mut self) -> Option<ObjectId> {
        let open = self.open.take()?;
        let (id, bytes) = (open.id(), open.bytes());
        let body = Body::Plain { chunks: Arc::new(open.into_chunks()), bytes };
        self.gain(body.weight());
        self.closed += 1;
        let progress = watch::Sender::new(Progress::default());
        self.segments
            .insert(id, Entry { order: self.closed, body, uploading: false, record: None, progress });
        Some(id)
    }

    /// Whatever an upload had read back into memory is gone.
    fn upload_ends(&mut self, segment: ObjectId) {
        let Some(entry) = self.segments.get_mut(&segment) else { return };
        if let (true, Body::Sealed(Sealed::Spool(file))) = (entry.uploading, &entry.body) {
            self.loaded -= file.len();
        }
        entry.uploading = false;
    }

    /// Bytes of a sealed segment; 0 for one that is not, or not here any more.
    fn sealed_len(&self, segment: ObjectId) -> u64 {
        let record = self.segments.get(&segment).and_then(|entry| entry.record.as_ref());
        record.map_or(0, |record| record.object_len())
    }

    /// Exchanges a segment's body and keeps the sums right.
    fn replace(&mut self, segment: ObjectId, new: impl FnOnce(&mut Entry) -> Body) {
        let Some(entry) = self.segments.get_mut(&segment) else { return };
        let before = entry.body.weight();
        entry.body = new(entry);
        let after = entry.body.weight();
        self.lose(before);
        self.gain(after);
    }

    fn gain(&mut self, weight: Weight) {
        self.plain += weight.plain;
        self.waiting += weight.plain + weight.sealed;
        self.spooled += weight.spooled;
    }

    fn lose(&mut self, weight: Weight) {
        self.plain -= weight.plain;
        self.waiting -= weight.plain + weight.sealed;
        self.spooled -= weight.spooled;
    }
}

/// Bytes of a body, by where they are.
#[derive(Clone, Copy, Default)]
struct Weight {
    plain: u64,
    sealed: u64,
    spooled: u64,
}

impl Body {
    fn weight(&self) -> Weight {
        match self {
            Body::Plain { bytes, .. } => Weight { plain: *bytes, ..Weight::default() },
            Body::Sealed(Sealed::Memory(bytes)) => Weight { sealed: bytes.len() as u64, ..Weight::default() },
            Body::Sealed(Sealed::Spool(file)) => Weight { spooled: file.len(), ..Weight::default() },
            Body::Uploaded => Weight::default(),
        }
    }
}
