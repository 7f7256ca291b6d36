//! The next headers of a volume whose keys change: a new epoch, old epochs dropped, a new volume key.
//!
//! Nothing here talks to the bucket. The caller replaces the `volume` object on condition that it is still
//! the one that was unlocked (`If-Match`), and forgets what is in its hands when that fails.

use super::credential::NewSlot;
use super::epoch_keys::EpochKeys;
use super::error::KeyringError;
use super::recovery_code::RecoveryCode;
use super::slot::Slot;
use super::unlocked::{self, UnlockedVolume};
use crate::base::Random;
use crate::crypto::SecretKey;

/// A header that is to replace the one a volume was unlocked from.
pub struct NextHeader {
    /// The `volume` object, one generation up.
    pub bytes: Vec<u8>,
    /// The volume, as unlocking `bytes` would give it.
    pub unlocked: UnlockedVolume,
}

/// A header under a new volume key.
pub struct Rekeyed {
    pub next: NextHeader,
    /// Opens a slot of its own; to be shown once and kept nowhere.
    pub recovery_code: RecoveryCode,
}

impl UnlockedVolume {
    /// Adds a fresh epoch key, under which everything is sealed from now on. Slots and settings stay.
    ///
    /// # Errors
    /// `Bounds` with 4,096 epochs; `EpochKeys` when their numbers are used up; `Derivation`.
    pub fn with_new_epoch(&self, random: &dyn Random) -> Result<NextHeader, KeyringError> {
        let keys = self.keys().rotated(SecretKey::generate(random)).map_err(KeyringError::EpochKeys)?;
        self.next(self.copied_volume_key(), keys, self.slots().to_vec(), random)
    }

    /// Forgets every epoch key but the current one. Only when nothing is sealed under the others any more:
    /// whatever is can never be opened again.
    ///
    /// # Errors
    /// `Derivation`, `Bounds`.
    pub fn with_newest_epoch_only(&self, random: &dyn Random) -> Result<NextHeader, KeyringError> {
        let keys = self.keys().newest_only().map_err(KeyringError::EpochKeys)?;
        self.next(self.copied_volume_key(), keys, self.slots().to_vec(), random)
    }

    /// A new volume key and a new epoch, with a slot for each of `credentials` and one for a fresh recovery
    /// code. All present slots are dropped: they wrap the old key, and nobody else can wrap the new one.
    ///
    /// # Errors
    /// `Credential`, `Cost`, and as [`UnlockedVolume::with_new_epoch`].
    pub fn with_new_volume_key(
        &self,
        credentials: &[NewSlot<'_>],
        random: &dyn Random,
    ) -> Result<Rekeyed, KeyringError> {
        let vmk = SecretKey::generate(random);
        let keys = self.keys().rotated(SecretKey::generate(random)).map_err(KeyringError::EpochKeys)?;
        let recovery_code = RecoveryCode::generate(random);
        let slots = credentials
            .iter()
            .chain([&NewSlot::RecoveryCode(&recovery_code)])
            .map(|credential| unlocked::wrap(&vmk, self.volume(), credential, random))
            .collect::<Result<Vec<_>, _>>()?;
        let next = self.next(vmk, keys, slots, random)?;
        Ok(Rekeyed { next, recovery_code })
    }

    fn copied_volume_key(&self) -> SecretKey {
        SecretKey::copy_of(self.volume_key().expose())
    }

    fn next(
        &self,
        vmk: SecretKey,
        keys: EpochKeys,
        slots: Vec<Slot>,
        random: &dyn Random,
    ) -> Result<NextHeader, KeyringError> {
        let generation = self.next_generation()?;
        let bytes = unlocked::seal(&vmk, self.volume(), generation, &keys, self.settings(), &slots, random)?;
        let settings = self.settings().clone();
        let unlocked = UnlockedVolume::new(self.volume(), generation, vmk, keys, settings, slots)?;
        Ok(NextHeader { bytes, unlocked })
    }
}
