//! Reading later headers of a volume that is open already: how a running mount learns of a new epoch.
//!
//! A mount has to keep the volume key for that: each header's record is sealed under a fresh salt, so no
//! weaker key could open the next one. The reader only opens; sealing a header takes an
//! [`UnlockedVolume`], which mounts drop.

use super::encryption_settings::EncryptionSettings;
use super::epoch_keys::EpochKeys;
use super::error::KeyringError;
use super::keyring_record::KeyringRecord;
use super::unlocked::UnlockedVolume;
use super::volume_header::VolumeHeader;
use crate::base::VolumeId;
use crate::crypto::{CryptoError, SecretKey};

/// Opens headers of one volume that are sealed under the volume key it was unlocked with.
pub struct HeaderReader {
    volume: VolumeId,
    vmk: SecretKey,
}

/// What a header says that was sealed under the known volume key.
pub struct HeaderNews {
    /// How often the header was replaced, starting at 1.
    pub generation: u64,
    pub keys: EpochKeys,
    /// Which encryption at rest objects of the volume may have by now.
    pub encryption: EncryptionSettings,
}

impl UnlockedVolume {
    /// A reader of this volume's later headers. It holds a copy of the volume key until it is dropped.
    pub fn header_reader(&self) -> HeaderReader {
        HeaderReader { volume: self.volume(), vmk: SecretKey::copy_of(self.volume_key().expose()) }
    }
}

impl UnlockedVolume {
    /// Opens the header that has taken this one's place, with the volume key that is at hand. The caller compares
    /// the generations.
    ///
    /// # Errors
    /// As [`HeaderReader::read`].
    pub fn reopen(&self, untrusted: &[u8]) -> Result<Self, KeyringError> {
        let header = VolumeHeader::decode(untrusted)?;
        let vmk = SecretKey::copy_of(self.volume_key().expose());
        let record = open_record(&header, self.volume(), &vmk)?;
        let slots = header.slots().to_vec();
        UnlockedVolume::new(self.volume(), record.generation, vmk, record.keys, record.settings, slots)
    }
}

impl HeaderReader {
    /// Opens a `volume` object as it came from the bucket. The caller compares the generation with the one
    /// it knows.
    ///
    /// # Errors
    /// `AnotherVolume`; `VolumeKeyReplaced` when the record is sealed under another volume key; everything
    /// that can be wrong with a header.
    pub fn read(&self, untrusted: &[u8]) -> Result<HeaderNews, KeyringError> {
        let header = VolumeHeader::decode(untrusted)?;
        let record = open_record(&header, self.volume, &self.vmk)?;
        Ok(HeaderNews {
            generation: record.generation,
            keys: record.keys,
            encryption: record.settings.encryption,
        })
    }
}

fn open_record(
    header: &VolumeHeader,
    volume: VolumeId,
    vmk: &SecretKey,
) -> Result<KeyringRecord, KeyringError> {
    if header.volume() != volume {
        return Err(KeyringError::AnotherVolume { known: volume, found: header.volume() });
    }
    match header.open_record(vmk) {
        Err(KeyringError::Derivation(CryptoError::WrongKey)) => Err(KeyringError::VolumeKeyReplaced),
        outcome => outcome,
    }
}
