//! Carries closed segments to the bucket: seal, wait for a turn, put, again if need be.
//!
//! Invariants: a segment is sealed once and every attempt sends identical bytes, create-only; what the
//! bucket already has under its key must be exactly those bytes (our own earlier attempt whose reply was
//! lost); bytes that come back from the spool are verified before they are sent.
//!
//! Failure behaviour: a failed attempt is logged, told to all who wait and repeated with growing delays, at
//! once when somebody new waits. A segment is never given up.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};

use super::error::DataError;
use super::in_flight::{InFlight, Sealed};
use super::records::Records;
use super::sealing::{seal_segment, verify_segment};
use super::spool::SpoolFile;
use super::spooling::Spooler;
use crate::base::{ObjectId, Random};
use crate::meta::record::SegmentRecord;
use crate::object::{Bucket, Buffers, Condition, ErrorKind, get_at_most};
use crate::vault::Vault;

/// Segments sealed at the same time.
const PARALLEL_SEALS: usize = 2;

/// Delays between attempts: each twice the one before, up to a limit.
#[derive(Clone, Copy)]
pub(super) struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    /// Starts with `first`, which must not be zero.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { next: first, longest }
    }

    /// The delay before the next attempt.
    pub fn next(&mut self) -> Duration {
        let delay = self.next;
        self.next = (delay * 2).min(self.longest);
        delay
    }
}

/// Runs one task for each segment that is on its way.
pub(super) struct Uploader {
    vault: Vault,
    bucket: Arc<dyn Bucket>,
    random: Arc<dyn Random>,
    runtime: Handle,
    in_flight: Arc<InFlight>,
    records: Arc<Records>,
    spooler: Arc<Spooler>,
    seals: Semaphore,
    /// For sealed segments, whether they were sealed just now or come back from the spool.
    buffers: Buffers,
    uploads: Semaphore,
    /// Ends the delays of failed segments.
    hurry: Notify,
    backoff: Backoff,
}

/// What an uploader needs.
pub(super) struct Equipment {
    pub vault: Vault,
    pub bucket: Arc<dyn Bucket>,
    pub random: Arc<dyn Random>,
    pub runtime: Handle,
    pub in_flight: Arc<InFlight>,
    pub records: Arc<Records>,
    pub spooler: Arc<Spooler>,
    pub parallel_uploads: usize,
    pub backoff: Backoff,
}

impl Uploader {
    /// Ready to carry.
    pub fn new(equipment: Equipment) -> Arc<Self> {
        let Equipment { vault, bucket, random, runtime, in_flight, records, spooler, .. } = equipment;
        let uploads = Semaphore::new(equipment.parallel_uploads);
        Arc::new(Self {
            vault,
            bucket,
            random,
            runtime,
            in_flight,
            records,
            spooler,
            seals: Semaphore::new(PARALLEL_SEALS),
            buffers: Buffers::default(),
            uploads,
            hurry: Notify::new(),
            backoff: equipment.backoff,
        })
    }

    /// Takes over a segment that was just closed.
    pub fn carry(self: &Arc<Self>, segment: ObjectId) {
        self.runtime.spawn(Arc::clone(self).run(segment));
    }

    /// Somebody waits: failed segments are tried again now.
    pub fn hurry(&self) {
        self.hurry.notify_waiters();
    }

    async fn run(self: Arc<Self>, segment: ObjectId) {
        let mut backoff = self.backoff;
        let mut failed = false;
        while let Err(error) = self.advance(segment).await {
            log::warn!("{error}; segment {segment} stays queued");
            failed = true;
            // Listening before waiters hear of the failure: their hurry must not be missed.
            let mut hurry = std::pin::pin!(self.hurry.notified());
            hurry.as_mut().enable();
            self.in_flight.attempt_failed(segment, error);
            self.spooler.relieve();
            tokio::select! {
                () = hurry => {}
                () = tokio::time::sleep(backoff.next()) => {}
            }
        }
        self.spooler.relieve();
        if failed {
            log::info!("segment {segment} is in the bucket now");
        }
    }

    /// One attempt to bring the segment as far as it can get.
    async fn advance(&self, segment: ObjectId) -> Result<(), DataError> {
        if let Some(chunks) = self.in_flight.chunks(segment) {
            self.seal(segment, chunks).await?;
            self.spooler.relieve();
        }
        let _turn = self.uploads.acquire().await.map_err(DataError::abandoned)?;
        let Some((sealed, record)) = self.in_flight.upload_begins(segment) else { return Ok(()) };
        let bytes = match sealed {
            Sealed::Memory(bytes) => bytes,
            Sealed::Spool(file) => self.load(segment, Arc::clone(&record), file).await?,
        };
        self.put(segment, &record, bytes).await?;
        self.in_flight.uploaded(segment);
        Ok(())
    }

    async fn seal(&self, segment: ObjectId, chunks: Arc<Vec<Bytes>>) -> Result<(), DataError> {
        let _turn = self.seals.acquire().await.map_err(DataError::abandoned)?;
        let _twice = self.in_flight.sealing(chunks.iter().map(|chunk| chunk.len() as u64).sum());
        let (vault, random, buffers) = (self.vault.clone(), Arc::clone(&self.random), self.buffers.clone());
        let sealing = move || seal_segment(&vault, random.as_ref(), segment, &chunks, &buffers);
        let sealed = tokio::task::spawn_blocking(sealing)
            .await
            .map_err(DataError::abandoned)?
            .map_err(|error| DataError::vault(segment, 0, error))?;
        self.in_flight.sealed(segment, sealed);
        Ok(())
    }

    /// Reads a segment back from the spool.
    async fn load(
        &self,
        segment: ObjectId,
        record: Arc<SegmentRecord>,
        file: Arc<SpoolFile>,
    ) -> Result<Bytes, DataError> {
        let opener = self.records.opener(segment, 0, &record)?;
        let buffers = self.buffers.clone();
        let loading = move || {
            let bytes = file.read_all(&buffers)?;
            verify_segment(&opener, segment, &record, &bytes)?;
            Ok(bytes)
        };
        tokio::task::spawn_blocking(loading).await.map_err(DataError::abandoned)?
    }

    async fn put(&self, segment: ObjectId, record: &SegmentRecord, bytes: Bytes) -> Result<(), DataError> {
        let key = record.object_key(segment);
        match self.bucket.put(&key, bytes.clone(), Condition::CreateOnly).await {
            Ok(_) => Ok(()),
            // Ids are random: only an earlier attempt of this process can have created the object.
            Err(error) if error.kind == ErrorKind::Precondition => {
                match get_at_most(&*self.bucket, &key, bytes.len() as u64).await {
                    Ok(found) if found.bytes == bytes => Ok(()),
                    Ok(_) => Err(DataError::tampered(
                        segment,
                        0,
                        "is in the bucket with other bytes than were sent",
                    )),
                    Err(error) => Err(DataError::bucket(segment, error)),
                }
            }
            Err(error) => Err(DataError::bucket(segment, error)),
        }
    }
}
