//! The epoch keys of a running process, and how they become newer.
//!
//! Invariants: the generation never goes down; the current epoch changes only to that of an authentic,
//! newer header; a key that was known stays known while the process lives, also when newer headers have
//! dropped it, because this process may hold objects that only it knows of.

use std::sync::Arc;

use parking_lot::RwLock;

use crate::base::Epoch;
use crate::keyring::{
    EncryptionSettings, EpochKeys, EpochKeysError, HeaderNews, HeaderReader, KeyringError, UnlockedVolume,
};

use super::error::RenewError;

/// What newer headers may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewed {
    /// Of the header that was read.
    pub generation: u64,
    /// Whether it was newer than the one known before.
    pub newer: bool,
}

/// Shared by all clones of a vault.
pub(super) struct Ring {
    /// None where there is no header: tests and tools.
    reader: Option<HeaderReader>,
    state: RwLock<State>,
}

struct State {
    generation: u64,
    /// All keys this process has ever known.
    keys: Arc<EpochKeys>,
    /// The epochs of the newest header.
    listed: Vec<Epoch>,
    /// Its encryption at rest; what older headers said beside that is still read.
    encryption: EncryptionSettings,
}

impl Ring {
    /// Keys that stay as they are.
    pub fn fixed(keys: Arc<EpochKeys>) -> Self {
        let listed = keys.epochs().collect();
        Self {
            reader: None,
            state: RwLock::new(State {
                generation: 0,
                keys,
                listed,
                encryption: EncryptionSettings::default(),
            }),
        }
    }

    /// The keys of an unlocked volume, and the means to open its later headers.
    pub fn of(unlocked: &UnlockedVolume) -> Self {
        let keys = unlocked.keys();
        let listed = keys.epochs().collect();
        let encryption = unlocked.settings().encryption.clone();
        let state = State { generation: unlocked.generation(), keys, listed, encryption };
        Self { reader: Some(unlocked.header_reader()), state: RwLock::new(state) }
    }

    /// The keys at this moment. Whoever seals takes them once, so that one object has one epoch.
    pub fn keys(&self) -> Arc<EpochKeys> {
        Arc::clone(&self.state.read().keys)
    }

    /// The encryption at rest that the newest header names.
    pub fn encryption(&self) -> EncryptionSettings {
        self.state.read().encryption.clone()
    }

    /// How often the newest header known here was replaced; 0 where there is none.
    pub fn generation(&self) -> u64 {
        self.state.read().generation
    }

    /// Whether the newest header has a key for `epoch`: what is sealed under any other can be read here only.
    pub fn lists(&self, epoch: Epoch) -> bool {
        self.state.read().listed.contains(&epoch)
    }

    /// Takes over the keys of a header that is newer than the one known.
    ///
    /// # Errors
    /// `Fixed`, `Older`, `Header`; nothing has changed then.
    pub fn renew(&self, untrusted: &[u8]) -> Result<Renewed, RenewError> {
        let reader = self.reader.as_ref().ok_or(RenewError::Fixed)?;
        let HeaderNews { generation, keys, encryption } = reader.read(untrusted)?;
        let mut state = self.state.write();
        if generation < state.generation {
            return Err(RenewError::Older { known: state.generation, found: generation });
        }
        if generation == state.generation {
            return Ok(Renewed { generation, newer: false });
        }
        state.keys = Arc::new(state.keys.merged(&keys).map_err(contradiction)?);
        state.listed = keys.epochs().collect();
        state.encryption = encryption;
        state.generation = generation;
        Ok(Renewed { generation, newer: true })
    }
}

fn contradiction(error: EpochKeysError) -> RenewError {
    RenewError::Header(KeyringError::EpochKeys(error))
}
