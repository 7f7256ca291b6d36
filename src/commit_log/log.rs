//! Reading and appending entries.

use std::sync::Arc;

use super::entry::Entry;
use super::error::LogError;
use super::sealed::{self, EntryHash, MAX_SEALED, SealedEntry, entry_key};
use crate::base::{Epoch, Random, Seq};
use crate::object::{Bucket, BucketError, Condition, ErrorKind, get_at_most};
use crate::vault::Vault;

/// Entries fetched at the same time during replay.
const PARALLEL: usize = 8;

/// The log of one volume. Clones share everything; all methods may run at once.
#[derive(Clone)]
pub struct Log {
    pub(super) bucket: Arc<dyn Bucket>,
    vault: Vault,
    random: Arc<dyn Random>,
}

/// An entry as it was found, with the hash of its sealed bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub entry: Entry,
    /// What it was sealed under. Never lower than that of the entry before.
    pub epoch: Epoch,
    pub hash: EntryHash,
}

impl Stored {
    /// Epochs only go up along the log: whoever appends has read the entry before and so its epoch's key.
    /// Without this check an epoch that was left because its key had leaked would still be good for forging
    /// entries.
    ///
    /// # Errors
    /// `OldEpoch`.
    pub fn check_epoch(&self, before: Epoch) -> Result<(), LogError> {
        if self.epoch < before {
            return Err(LogError::OldEpoch { seq: self.entry.seq, epoch: self.epoch, before });
        }
        Ok(())
    }
}

/// What became of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// The entry stands in the log under this hash.
    Done(EntryHash),
    /// Another writer's entry stands at that position.
    Lost,
}

impl Log {
    /// The log under `log/` of `bucket`, opened and sealed by `vault`.
    pub fn new(bucket: Arc<dyn Bucket>, vault: Vault, random: Arc<dyn Random>) -> Self {
        Self { bucket, vault, random }
    }

    /// Seals an entry for its position with a fresh salt.
    ///
    /// # Errors
    /// Only what the vault refuses to seal.
    pub fn seal(&self, entry: &Entry) -> Result<SealedEntry, LogError> {
        SealedEntry::seal(entry, &self.vault, &*self.random)
    }

    /// Puts the entry at its position, create-only: one request, two when the position is taken. After an error
    /// the fate of the entry is open: call again with the same `sealed`, it recognises itself.
    ///
    /// # Errors
    /// What the bucket says; what stands at the position and does not open.
    pub async fn append(&self, sealed: &SealedEntry) -> Result<Appended, LogError> {
        let put = self.bucket.put(&entry_key(sealed.seq), sealed.bytes.clone(), Condition::CreateOnly).await;
        match put {
            Ok(_) => Ok(Appended::Done(sealed.hash)),
            Err(error) if error.kind == ErrorKind::Precondition => self.who_was_first(sealed).await,
            Err(error) => Err(error.into()),
        }
    }

    /// The entry at `seq`, or `None` when there is none (yet, or any more).
    ///
    /// # Errors
    /// What the bucket says; an object that is not the entry of this position.
    pub async fn read(&self, seq: Seq) -> Result<Option<Stored>, LogError> {
        let fetched = match get_at_most(&*self.bucket, &entry_key(seq), MAX_SEALED).await {
            Ok(fetched) => fetched,
            Err(error) if error.kind == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let (entry, epoch) = sealed::open(seq, &fetched.bytes, &self.vault)?;
        Ok(Some(Stored { entry, epoch, hash: sealed::hash(&fetched.bytes) }))
    }

    /// The entries `first..=last`, several fetched at a time, checked to follow `previous` (the hash of the
    /// entry before `first`) and each other. `epoch` is the newest of the entries before, 0 when unknown.
    ///
    /// # Errors
    /// As [`Log::read`]; `Missing` for a gap, `Unchained` for a break, `OldEpoch` for an entry under an older
    /// epoch than one before it.
    pub async fn read_chain(
        &self,
        first: Seq,
        last: Seq,
        previous: EntryHash,
        epoch: Epoch,
    ) -> Result<Vec<Stored>, LogError> {
        let mut chain: Vec<Stored> = Vec::new();
        let (mut previous, mut epoch) = (previous, epoch);
        let mut next = first;
        while next <= last {
            let end = Seq(last.0.min(next.0 + PARALLEL as u64 - 1));
            for stored in self.read_some(next, end).await? {
                if stored.entry.previous != previous {
                    return Err(LogError::Unchained(stored.entry.seq));
                }
                stored.check_epoch(epoch)?;
                (previous, epoch) = (stored.hash, stored.epoch);
                chain.push(stored);
            }
            next = end.next();
        }
        Ok(chain)
    }

    /// A handful of entries at once; a missing one is an error.
    async fn read_some(&self, first: Seq, last: Seq) -> Result<Vec<Stored>, LogError> {
        let reads: Vec<_> = (first.0..=last.0)
            .map(|seq| {
                let log = self.clone();
                (Seq(seq), tokio::spawn(async move { log.read(Seq(seq)).await }))
            })
            .collect();
        let mut found = Vec::with_capacity(reads.len());
        for (seq, read) in reads {
            let stored = match read.await {
                Ok(stored) => stored?,
                Err(ended) => {
                    return Err(BucketError::new(ErrorKind::Transient, "get", entry_key(seq), ended).into());
                }
            };
            found.push(stored.ok_or(LogError::Missing(seq))?);
        }
        Ok(found)
    }

    /// The position is taken: by this very entry, whose reply was lost, or by another writer's.
    async fn who_was_first(&self, sealed: &SealedEntry) -> Result<Appended, LogError> {
        match self.read(sealed.seq).await? {
            Some(found) if found.entry.commit == sealed.commit => Ok(Appended::Done(found.hash)),
            Some(_) => Ok(Appended::Lost),
            // Taken a moment ago and gone now: gc is at work here, so the tail is elsewhere.
            None => Ok(Appended::Lost),
        }
    }
}
