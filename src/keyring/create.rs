//! The first header of a new volume.

use super::credential::{NewSlot, NewSlotKey};
use super::encryption_settings::EncryptionSettings;
use super::epoch_keys::EpochKeys;
use super::error::KeyringError;
use super::recovery_code::RecoveryCode;
use super::settings::Settings;
use super::slot::SlotId;
use super::unlocked::{self, UnlockedVolume};
use crate::base::{Clock, Epoch, Random, VolumeId};
use crate::crypto::SecretKey;
use crate::object::ServerEncryption;

/// What `init` decides about a volume.
#[derive(Debug, Clone)]
pub struct NewVolume {
    /// See [`Settings::chunk_size`].
    pub chunk_size: u32,
    /// See [`Settings::label`].
    pub label: String,
    /// See [`Settings::single_writer`].
    pub single_writer: bool,
    /// See [`Settings::encryption`].
    pub encryption: ServerEncryption,
}

impl Default for NewVolume {
    fn default() -> Self {
        Self {
            chunk_size: Settings::DEFAULT_CHUNK_SIZE,
            label: String::new(),
            single_writer: false,
            encryption: ServerEncryption::default(),
        }
    }
}

/// A new volume. It exists once `bytes` are in the bucket, created with `If-None-Match: *`.
pub struct Created {
    /// The `volume` object.
    pub bytes: Vec<u8>,
    /// Opens a slot of its own; to be shown once and kept nowhere.
    pub recovery_code: RecoveryCode,
    /// Names that slot.
    pub recovery_slot: SlotId,
    /// The volume, as unlocking `bytes` would give it.
    pub unlocked: UnlockedVolume,
}

/// Makes a volume with each of `slots` and one for a fresh recovery code. The slots are taken one by one, so that ids
/// which are drawn from `random` meanwhile stand where frozen volumes have them.
///
/// # Errors
/// `Settings`, `Credential`, `Cost`, `Bounds`, `Derivation`.
pub fn create<'a>(
    new: &NewVolume,
    slots: impl IntoIterator<Item = NewSlot<'a>>,
    random: &dyn Random,
    clock: &dyn Clock,
) -> Result<Created, KeyringError> {
    let settings = Settings {
        chunk_size: new.chunk_size,
        created: clock.now(),
        label: new.label.clone(),
        single_writer: new.single_writer,
        encryption: EncryptionSettings::only(new.encryption.clone()),
        reencrypting: false,
    };
    settings.check()?;

    let volume = VolumeId::generate(random);
    let vmk = SecretKey::generate(random);
    let first = Epoch(1);
    let keys =
        EpochKeys::new(first, [(first, SecretKey::generate(random))]).map_err(KeyringError::EpochKeys)?;
    let recovery_code = RecoveryCode::generate(random);
    let wrap = |new: NewSlot<'_>| unlocked::wrap(&vmk, volume, &new, random);
    let mut slots = slots.into_iter().map(wrap).collect::<Result<Vec<_>, _>>()?;
    let recovery_slot = SlotId::generate(random);
    slots.push(wrap(NewSlot { id: recovery_slot, key: NewSlotKey::RecoveryCode(&recovery_code) })?);
    let generation = 1;
    let bytes = unlocked::seal(&vmk, volume, generation, &keys, &settings, &slots, random)?;
    let unlocked = UnlockedVolume::new(volume, generation, vmk, keys, settings, slots)?;
    Ok(Created { bytes, recovery_code, recovery_slot, unlocked })
}
