//! The next headers of a volume whose keys change: a new epoch, old epochs dropped, a new volume key.
//!
//! Nothing here talks to the bucket. The caller replaces the `volume` object on condition that it is still
//! the one that was unlocked (`If-Match`), and forgets what is in its hands when that fails.

use super::credential::NewSlot;
use super::epoch_keys::EpochKeys;
use super::error::KeyringError;
use super::fingerprint::Fingerprint;
use super::settings::Settings;
use super::slot::Slot;
use super::unlocked::{self, UnlockedVolume};
use crate::base::{Random, VolumeId};
use crate::crypto::SecretKey;

/// A header that is to replace the one a volume was unlocked from.
pub struct NextHeader {
    /// The `volume` object, one generation up.
    pub bytes: Vec<u8>,
    /// The volume, as unlocking `bytes` would give it.
    pub unlocked: UnlockedVolume,
}

/// What becomes of data under older epochs when a new one begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldData {
    /// It stays where it is.
    Stays,
    /// It is to be moved; the header says so until that is done.
    Moves,
}

/// A volume key that is to replace the present one.
pub struct NewVolumeKey {
    vmk: SecretKey,
    fingerprint: Fingerprint,
}

impl NewVolumeKey {
    /// Draws one for `volume`.
    ///
    /// # Errors
    /// `Derivation`.
    pub fn generate(volume: VolumeId, random: &dyn Random) -> Result<Self, KeyringError> {
        let vmk = SecretKey::generate(random);
        let fingerprint = Fingerprint::derive(&vmk, volume).map_err(KeyringError::Derivation)?;
        Ok(Self { vmk, fingerprint })
    }

    /// What the volume's fingerprint will be.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

impl UnlockedVolume {
    /// Adds a fresh epoch key, under which everything is sealed from now on. Slots and settings stay.
    ///
    /// # Errors
    /// `Bounds` with 4,096 epochs; `EpochKeys` when their numbers are used up; `Derivation`.
    pub fn with_new_epoch(&self, old: OldData, random: &dyn Random) -> Result<NextHeader, KeyringError> {
        let keys = self.keys().rotated(SecretKey::generate(random)).map_err(KeyringError::EpochKeys)?;
        self.next(self.copied_volume_key(), keys, self.slots().to_vec(), self.is_moving(old), random)
    }

    /// Forgets every epoch key but the current one. Only when nothing is sealed under the others any more:
    /// whatever is can never be opened again. So a re-encryption is over.
    ///
    /// # Errors
    /// `Derivation`, `Bounds`.
    pub fn with_newest_epoch_only(&self, random: &dyn Random) -> Result<NextHeader, KeyringError> {
        let keys = self.keys().newest_only().map_err(KeyringError::EpochKeys)?;
        self.next(self.copied_volume_key(), keys, self.slots().to_vec(), false, random)
    }

    /// The volume key `new` and a new epoch, with a slot for each of `credentials`. All present slots are dropped: they wrap the old key, and nobody else can wrap the new one.
    ///
    /// # Errors
    /// `Credential`, `Cost`, and as [`UnlockedVolume::with_new_epoch`].
    pub fn with_new_volume_key(
        &self,
        new: &NewVolumeKey,
        credentials: &[NewSlot<'_>],
        old: OldData,
        random: &dyn Random,
    ) -> Result<NextHeader, KeyringError> {
        let vmk = SecretKey::copy_of(new.vmk.expose());
        let keys = self.keys().rotated(SecretKey::generate(random)).map_err(KeyringError::EpochKeys)?;
        let slots = credentials
            .iter()
            .map(|credential| unlocked::wrap(&vmk, self.volume(), credential, random))
            .collect::<Result<Vec<_>, _>>()?;
        self.next(vmk, keys, slots, self.is_moving(old), random)
    }

    fn is_moving(&self, old: OldData) -> bool {
        self.settings().reencrypting || old == OldData::Moves
    }

    fn copied_volume_key(&self) -> SecretKey {
        SecretKey::copy_of(self.volume_key().expose())
    }

    fn next(
        &self,
        vmk: SecretKey,
        keys: EpochKeys,
        slots: Vec<Slot>,
        reencrypting: bool,
        random: &dyn Random,
    ) -> Result<NextHeader, KeyringError> {
        let settings = Settings { reencrypting, ..self.settings().clone() };
        let generation = self.next_generation()?;
        let bytes = unlocked::seal(&vmk, self.volume(), generation, &keys, &settings, &slots, random)?;
        let unlocked = UnlockedVolume::new(self.volume(), generation, vmk, keys, settings, slots)?;
        Ok(NextHeader { bytes, unlocked })
    }
}
