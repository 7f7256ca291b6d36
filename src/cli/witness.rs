//! Keeps a volume's witness in the local keyring.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::base::{Random, Seq};
use crate::keyring::local::Durability;
use crate::keyring::{LocalRecord, LocalVolume};
use crate::volume::{Witness, WitnessStore};

/// The local record of an unlocked volume, as the volume layer sees it.
pub struct KeyringWitness {
    volume: LocalVolume,
    record: Mutex<LocalRecord>,
    random: Arc<dyn Random>,
}

impl KeyringWitness {
    /// `record` is what `volume` holds (or shall hold) now.
    pub fn new(volume: LocalVolume, record: LocalRecord, random: Arc<dyn Random>) -> Self {
        Self { volume, record: Mutex::new(record), random }
    }
}

impl WitnessStore for KeyringWitness {
    /// Reads the file again: another process (a read-only mount, fsck) may have seen more since.
    fn load(&self) -> Result<Option<Witness>, io::Error> {
        let Some(record) = self.volume.reload().map_err(io::Error::other)? else { return Ok(None) };
        let witness = record.witness;
        Ok((witness.seq > Seq(0)).then_some(Witness { seq: witness.seq, hash: witness.hash }))
    }

    fn save(&self, witness: Witness) -> Result<(), io::Error> {
        let mut record = self.record.lock();
        // Never backwards, whatever another process of this machine has written in between.
        if let Some(stored) = self.volume.reload().map_err(io::Error::other)? {
            *record = stored;
        }
        if witness.seq <= record.witness.seq {
            return Ok(());
        }
        record.witness = crate::keyring::Witness { seq: witness.seq, hash: witness.hash };
        self.volume.store(&record, self.random.as_ref(), Durability::Eventually).map_err(io::Error::other)
    }

    fn saw_header(&self, generation: u64) -> Result<(), io::Error> {
        let mut record = self.record.lock();
        if let Some(stored) = self.volume.reload().map_err(io::Error::other)? {
            *record = stored;
        }
        if generation <= record.generation {
            return Ok(());
        }
        record.generation = generation;
        self.volume.store(&record, self.random.as_ref(), Durability::Now).map_err(io::Error::other)
    }
}
