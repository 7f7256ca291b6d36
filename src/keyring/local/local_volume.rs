//! What this machine remembers of one volume, sealed under a key that comes from the volume key.
//!
//! ```text
//! file     0 8 magic "hushfs-l"   8 2 format   10 1 suite   11 1 zero   12 16 volume id   28 sealed record
//! record   0 16 fingerprint   16 16 machine id   32 8 header generation
//!         40 8 witness sequence   48 32 witness hash   80 4 number of places   84 per place: 4 length, bytes
//! ```
//!
//! The first 28 bytes are the record's associated data.

use std::sync::Arc;

use super::error::LocalError;
use super::pin::MAX_PLACE_LEN;
use super::private_dir::{Durability, PrivateDir};
use crate::base::{DecodeError, MachineId, Random, Reader, Seq, VolumeId, Writer};
use crate::crypto::{Purpose, SecretKey, Suite, open_record, seal_record};
use crate::keyring::{Fingerprint, KeyringError, UnlockedVolume};

const MAGIC: [u8; 8] = *b"hushfs-l";
const FORMAT: u16 = 1;
/// Most places that one volume is remembered at.
const MAX_PLACES: usize = 64;

/// The newest log entry this machine saw. Nothing older is ever accepted as the end of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Witness {
    /// 0 before the first commit.
    pub seq: Seq,
    /// SHA-256 of the sealed entry, or zeros before the first.
    pub hash: [u8; 32],
}

/// The record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalRecord {
    /// This machine.
    pub machine: MachineId,
    /// Highest header generation seen; an older header is refused.
    pub generation: u64,
    /// Highest commit seen.
    pub witness: Witness,
    /// Bucket URLs where the volume was found, oldest first; at most 64.
    pub places: Vec<String>,
}

/// Access to the record of one volume. Clones share it; stores are atomic and one at a time.
#[derive(Clone)]
pub struct LocalVolume {
    inner: Arc<Inner>,
}

struct Inner {
    dir: Arc<PrivateDir>,
    name: String,
    volume: VolumeId,
    fingerprint: Fingerprint,
    generation: u64,
    key: SecretKey,
}

impl LocalVolume {
    pub(super) fn new(dir: Arc<PrivateDir>, unlocked: &UnlockedVolume) -> Result<Self, KeyringError> {
        let inner = Inner {
            dir,
            name: format!("{}.state", unlocked.volume()),
            volume: unlocked.volume(),
            fingerprint: unlocked.fingerprint(),
            generation: unlocked.generation(),
            key: unlocked.local_key().map_err(KeyringError::Derivation)?,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Which volume it is about.
    pub fn volume(&self) -> VolumeId {
        self.inner.volume
    }

    /// The record, or `None` on a machine that never saw the volume.
    ///
    /// # Errors
    /// `OlderHeader` when the header that was unlocked is older than one seen before; `AnotherKey`;
    /// `Forged`, `Damaged`, `NotPrivate`, `Io`.
    pub fn load(&self) -> Result<Option<LocalRecord>, LocalError> {
        let record = self.reload()?;
        let found = self.inner.generation;
        match &record {
            Some(record) if found < record.generation => {
                Err(LocalError::OlderHeader { seen: record.generation, found })
            }
            Some(_) | None => Ok(record),
        }
    }

    /// As [`Self::load`], for a volume that is in use: that its header was replaced since it was opened (a
    /// key slot was added) is no reason to stop.
    ///
    /// # Errors
    /// As [`Self::load`], without `OlderHeader`.
    pub fn reload(&self) -> Result<Option<LocalRecord>, LocalError> {
        let inner = &*self.inner;
        let Some(bytes) = inner.dir.read(&inner.name)? else { return Ok(None) };
        let damaged = |source| LocalError::Damaged { path: inner.dir.path_of(&inner.name), source };
        let (head, sealed) =
            bytes.split_at_checked(inner.head().len()).ok_or(damaged(DecodeError::Truncated("header")))?;
        if head != inner.head() {
            return Err(damaged(DecodeError::Invalid("header")));
        }
        let plain = open_record(&inner.key, Purpose::LocalRecord, head, sealed)
            .map_err(|source| LocalError::Forged { path: inner.dir.path_of(&inner.name), source })?;
        let (fingerprint, record) = decode(plain.expose()).map_err(damaged)?;
        if fingerprint != inner.fingerprint {
            return Err(LocalError::AnotherKey {
                volume: inner.volume,
                pinned: fingerprint,
                found: inner.fingerprint,
            });
        }
        Ok(Some(record))
    }

    /// That the record should be there and is not.
    pub(super) fn lost(&self) -> LocalError {
        let inner = &*self.inner;
        LocalError::Lost { path: inner.dir.path_of(&inner.name), volume: inner.volume }
    }

    /// Removes the record.
    ///
    /// # Errors
    /// `Io`.
    pub(super) fn forget(&self) -> Result<(), LocalError> {
        self.inner.dir.forget(&self.inner.name)
    }

    /// Replaces the record atomically. Store a witness only after the commit that it names succeeded.
    ///
    /// # Errors
    /// `Bounds`, `NotPrivate`, `Io`; the old record stays then.
    pub fn store(
        &self,
        record: &LocalRecord,
        random: &dyn Random,
        durability: Durability,
    ) -> Result<(), LocalError> {
        if record.places.len() > MAX_PLACES || record.places.iter().any(|place| place.len() > MAX_PLACE_LEN) {
            return Err(LocalError::Bounds("a volume is remembered at most at 64 places of 4096 bytes"));
        }
        let inner = &*self.inner;
        let head = inner.head();
        let plain = encode(&inner.fingerprint, record);
        let sealed = seal_record(&inner.key, Purpose::LocalRecord, &head, &plain, random)
            .map_err(|source| LocalError::Sealing { source })?;
        inner.dir.replace(&inner.name, &[head, sealed].concat(), durability)
    }
}

impl Inner {
    fn head(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.raw(&MAGIC).u16(FORMAT).u8(Suite::CURRENT.to_byte()).u8(0).raw(&self.volume.0);
        writer.finish()
    }
}

pub(super) fn encode(fingerprint: &Fingerprint, record: &LocalRecord) -> Vec<u8> {
    let mut writer = Writer::new();
    writer
        .raw(&fingerprint.0)
        .raw(&record.machine.0)
        .u64(record.generation)
        .u64(record.witness.seq.0)
        .raw(&record.witness.hash)
        .u32(record.places.len() as u32);
    for place in &record.places {
        writer.bytes(place.as_bytes());
    }
    writer.finish()
}

pub(super) fn decode(plain: &[u8]) -> Result<(Fingerprint, LocalRecord), DecodeError> {
    let mut reader = Reader::new(plain);
    let fingerprint = Fingerprint(reader.array("fingerprint")?);
    let machine = MachineId(reader.array("machine id")?);
    let generation = reader.u64("header generation")?;
    let witness = Witness { seq: Seq(reader.u64("witness")?), hash: reader.array("witness hash")? };
    let count = reader.u32("number of places")? as usize;
    if count > MAX_PLACES {
        return Err(DecodeError::TooLong("list of places"));
    }
    let mut places = Vec::with_capacity(count);
    for _ in 0..count {
        let place = std::str::from_utf8(reader.bytes(MAX_PLACE_LEN, "place")?);
        places.push(place.map_err(|_: std::str::Utf8Error| DecodeError::Invalid("place"))?.to_owned());
    }
    reader.end()?;
    Ok((fingerprint, LocalRecord { machine, generation, witness, places }))
}
