//! An opened volume header: the keys, the settings, and the right to write the next header.

use std::sync::Arc;

use super::credential::{Credential, NewSlot};
use super::encryption_settings::EncryptionSettings;
use super::epoch_keys::EpochKeys;
use super::error::KeyringError;
use super::fingerprint::Fingerprint;
use super::keyring_record;
use super::settings::Settings;
use super::slot::{KnownSlot, Slot, SlotId};
use super::volume_header::{self, MAX_HEADER_LEN, MAX_SLOTS};
use crate::base::{Random, VolumeId};
use crate::crypto::{Cost, CryptoError, Purpose, SecretKey, expand, seal_record};

/// A volume whose header is authentic. Holds the volume key; drop it when the vault and the local
/// keyring have what they need.
pub struct UnlockedVolume {
    volume: VolumeId,
    generation: u64,
    fingerprint: Fingerprint,
    settings: Settings,
    keys: Arc<EpochKeys>,
    vmk: SecretKey,
    slots: Vec<Slot>,
    opened_by: Option<SlotId>,
}

impl UnlockedVolume {
    pub(super) fn new(
        volume: VolumeId,
        generation: u64,
        vmk: SecretKey,
        keys: EpochKeys,
        settings: Settings,
        slots: Vec<Slot>,
    ) -> Result<Self, KeyringError> {
        let fingerprint = Fingerprint::derive(&vmk, volume).map_err(KeyringError::Derivation)?;
        Ok(Self {
            volume,
            generation,
            fingerprint,
            settings,
            keys: Arc::new(keys),
            vmk,
            slots,
            opened_by: None,
        })
    }

    /// The same volume once more, for somebody who lives longer: with a copy of the volume key, which is wiped when the
    /// copy is dropped.
    pub fn twin(&self) -> Self {
        Self {
            settings: self.settings.clone(),
            keys: Arc::clone(&self.keys),
            vmk: SecretKey::copy_of(self.vmk.expose()),
            slots: self.slots.clone(),
            ..*self
        }
    }

    /// Notes the slot that was opened.
    pub(super) fn through(self, slot: SlotId) -> Self {
        Self { opened_by: Some(slot), ..self }
    }

    /// The slot that the volume was opened through; `None` for one that was just made.
    pub fn opened_by(&self) -> Option<SlotId> {
        self.opened_by
    }

    /// The volume.
    pub fn volume(&self) -> VolumeId {
        self.volume
    }

    /// How often the header was replaced, starting at 1.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The volume key's fingerprint.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// What the volume was made with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The epoch keys, for the vault.
    pub fn keys(&self) -> Arc<EpochKeys> {
        Arc::clone(&self.keys)
    }

    /// The slots, for listing and for [`UnlockedVolume::reseal`].
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The slots that `credential` opens: more than one where two were made for the same. Each passphrase slot is as
    /// expensive to try as to open.
    ///
    /// # Errors
    /// `Tampered`, `Derivation`.
    pub fn slots_of(&self, credential: &Credential) -> Result<Vec<SlotId>, KeyringError> {
        let mut found = Vec::new();
        for slot in &self.slots {
            let Slot::Known(slot) = slot else { continue };
            match slot.unwrap(self.volume, credential) {
                Ok(Some(_)) => found.push(slot.id()),
                Ok(None) | Err(CryptoError::WrongKey) => {}
                Err(error) => {
                    return Err(KeyringError::authenticated(error, "a key slot does not authenticate"));
                }
            }
        }
        Ok(found)
    }

    /// Wraps the volume key for one more credential. The slot opens nothing until it is part of a
    /// header: pass it to [`UnlockedVolume::reseal`].
    ///
    /// # Errors
    /// `Credential`, `Cost`, `Derivation`.
    pub fn new_slot(&self, new: &NewSlot<'_>, random: &dyn Random) -> Result<Slot, KeyringError> {
        wrap(&self.vmk, self.volume, new, random)
    }

    /// The next generation of the `volume` object, with exactly these slots. The caller replaces the
    /// object on condition that it is still the one that was unlocked (`If-Match`).
    ///
    /// # Errors
    /// `Bounds` without a slot, with more than [`MAX_SLOTS`], or without one that this version can open.
    pub fn reseal(&self, slots: &[Slot], random: &dyn Random) -> Result<Vec<u8>, KeyringError> {
        let generation = self.next_generation()?;
        seal(&self.vmk, self.volume, generation, &self.keys, &self.settings, slots, random)
    }

    pub(super) fn next_generation(&self) -> Result<u64, KeyringError> {
        self.generation
            .checked_add(1)
            .ok_or(KeyringError::Bounds("the volume header has no generations left"))
    }

    /// The volume key, for the rest of the keyring.
    pub(super) fn volume_key(&self) -> &SecretKey {
        &self.vmk
    }

    /// The next generation of the `volume` object with another encryption at rest in its settings, and the
    /// volume as unlocking that would give it. The caller replaces the object with `If-Match`.
    ///
    /// # Errors
    /// `Settings` for more kinds than a volume can have; `Bounds`, `Derivation`.
    pub fn with_encryption(
        &self,
        encryption: EncryptionSettings,
        random: &dyn Random,
    ) -> Result<(Vec<u8>, Self), KeyringError> {
        let settings = Settings { encryption, ..self.settings.clone() };
        let generation = self
            .generation
            .checked_add(1)
            .ok_or(KeyringError::Bounds("the volume header has no generations left"))?;
        let bytes = seal(&self.vmk, self.volume, generation, &self.keys, &settings, &self.slots, random)?;
        let next = Self {
            volume: self.volume,
            generation,
            fingerprint: self.fingerprint,
            settings,
            keys: Arc::clone(&self.keys),
            vmk: SecretKey::copy_of(self.vmk.expose()),
            slots: self.slots.clone(),
            opened_by: None,
        };
        Ok((bytes, next))
    }

    /// The key of this machine's local keyring record of the volume.
    pub(super) fn local_key(&self) -> Result<SecretKey, CryptoError> {
        SecretKey::filled_by(|key| expand(self.vmk.expose(), &self.volume.0, Purpose::LocalKey, &[], key))
    }
}

/// Checks a new credential and wraps `vmk` for it.
pub(super) fn wrap(
    vmk: &SecretKey,
    volume: VolumeId,
    new: &NewSlot<'_>,
    random: &dyn Random,
) -> Result<Slot, KeyringError> {
    new.check()?;
    KnownSlot::wrap(vmk, volume, new, random).map(Slot::Known).map_err(KeyringError::Derivation)
}

/// Writes a whole `volume` object.
pub(super) fn seal(
    vmk: &SecretKey,
    volume: VolumeId,
    generation: u64,
    keys: &EpochKeys,
    settings: &Settings,
    slots: &[Slot],
    random: &dyn Random,
) -> Result<Vec<u8>, KeyringError> {
    if !slots.iter().any(|slot| slot.kind().is_some()) {
        return Err(KeyringError::Bounds("without a key slot nobody could open the volume again"));
    }
    if slots.len() > MAX_SLOTS {
        return Err(KeyringError::Bounds("a volume has at most 32 key slots"));
    }
    if keys.count() > keyring_record::MAX_EPOCHS {
        return Err(KeyringError::Bounds("a volume has at most 4096 epochs"));
    }
    settings.check()?;
    let costs: Vec<_> = slots.iter().filter_map(Slot::cost).collect();
    Cost::check_together(&costs).map_err(KeyringError::Cost)?;

    let bound = volume_header::encode_bound(volume, generation, slots);
    let plain = keyring_record::encode(generation, keys, settings);
    let sealed =
        seal_record(vmk, Purpose::KeyringRecord, &bound, &plain, random).map_err(KeyringError::Derivation)?;
    let bytes = volume_header::encode(&bound, &sealed);
    if bytes.len() > MAX_HEADER_LEN {
        return Err(KeyringError::Bounds("the volume header would be longer than 256 KiB"));
    }
    Ok(bytes)
}
