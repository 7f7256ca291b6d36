//! The folder as a whole.

use std::path::Path;
use std::sync::Arc;

use super::error::LocalError;
use super::local_volume::LocalVolume;
use super::lock::{Attempt, VolumeLock};
use super::pin::{MAX_PLACE_LEN, Pin};
use super::private_dir::{Durability, PrivateDir};
use crate::base::{DecodeError, MachineId, Random, VolumeId};
use crate::keyring::{KeyringError, UnlockedVolume, VolumeHeader};

const MACHINE: &str = "machine";

/// What this machine knows of the volumes it has seen. Clones share the folder.
#[derive(Clone)]
pub struct LocalKeyring {
    dir: Arc<PrivateDir>,
}

impl LocalKeyring {
    /// Opens the folder, making it with mode 0700 when it is missing.
    ///
    /// # Errors
    /// `NotPrivate`, `Io`.
    pub fn open(dir: &Path) -> Result<Self, LocalError> {
        Ok(Self { dir: Arc::new(PrivateDir::open(dir)?) })
    }

    pub(super) fn dir(&self) -> &PrivateDir {
        &self.dir
    }

    /// This machine's id; drawn from `random` and kept on first use.
    ///
    /// # Errors
    /// `NotPrivate`, `Io`, `DamagedMachine`.
    pub fn machine(&self, random: &dyn Random) -> Result<MachineId, LocalError> {
        let fresh = || format!("{}\n", MachineId::generate(random)).into_bytes();
        let bytes = self.dir.read_or_create(MACHINE, fresh)?;
        parse_machine(&bytes).ok_or_else(|| LocalError::DamagedMachine {
            path: self.dir.path_of(MACHINE),
            source: DecodeError::Invalid("machine id"),
        })
    }

    /// The volume that `place` had, if this machine knows the place.
    ///
    /// # Errors
    /// `NotPrivate`, `Io`, `Damaged`.
    pub fn pinned(&self, place: &str) -> Result<Option<Pin>, LocalError> {
        let name = Pin::file_name(place);
        let Some(bytes) = self.dir.read(&name)? else { return Ok(None) };
        Pin::decode(&bytes, place)
            .map(Some)
            .map_err(|source| LocalError::Damaged { path: self.dir.path_of(&name), source })
    }

    /// The places where this machine has found `volume`, in no order.
    ///
    /// # Errors
    /// `NotPrivate`, `Io`, `Damaged`.
    pub fn places_of(&self, volume: VolumeId) -> Result<Vec<String>, LocalError> {
        let mut places = Vec::new();
        for name in self.dir.names("")?.iter().filter(|name| Pin::is_file_name(name)) {
            let Some(bytes) = self.dir.read(name)? else { continue };
            let damaged = |source| LocalError::Damaged { path: self.dir.path_of(name), source };
            let (pin, place) = Pin::decode_with_place(&bytes).map_err(damaged)?;
            places.extend(Some(place).filter(|_| pin.volume == volume));
        }
        Ok(places)
    }

    /// Remembers which volume `place` has; durable when it returns.
    ///
    /// # Errors
    /// `NotPrivate`, `Io`, `Bounds`.
    pub fn pin(&self, place: &str, pin: Pin) -> Result<(), LocalError> {
        if place.len() > MAX_PLACE_LEN {
            return Err(LocalError::Bounds("the place is longer than 4096 bytes"));
        }
        self.dir.replace(&Pin::file_name(place), &pin.encode(place), Durability::Now)
    }

    /// Refuses a header of another volume than `place` had, before anybody is asked for a passphrase.
    ///
    /// # Errors
    /// `AnotherVolume`, and as [`LocalKeyring::pinned`].
    pub fn check_header(&self, place: &str, header: &VolumeHeader) -> Result<(), LocalError> {
        match self.pinned(place)? {
            Some(pin) if pin.volume != header.volume() => Err(LocalError::AnotherVolume {
                place: place.to_owned(),
                pinned: pin.volume,
                found: header.volume(),
            }),
            Some(_) | None => Ok(()),
        }
    }

    /// Refuses an unlocked volume whose identity is not the one that `place` had.
    ///
    /// # Errors
    /// `AnotherVolume`, `AnotherKey`, and as [`LocalKeyring::pinned`].
    pub fn check_identity(&self, place: &str, unlocked: &UnlockedVolume) -> Result<(), LocalError> {
        let found = Pin::of(unlocked);
        match self.pinned(place)? {
            None => Ok(()),
            Some(pin) if pin.is_same(&found) => Ok(()),
            Some(pin) if pin.volume != found.volume => Err(LocalError::AnotherVolume {
                place: place.to_owned(),
                pinned: pin.volume,
                found: found.volume,
            }),
            Some(pin) => Err(LocalError::AnotherKey {
                volume: found.volume,
                pinned: pin.fingerprint,
                found: found.fingerprint,
            }),
        }
    }

    /// Believes that the volume at `place` has another volume key now, because the user says so. What this machine
    /// had seen of the volume is sealed under the old key and is forgotten, unless that was done for another place.
    ///
    /// # Errors
    /// `NotPrivate`, `Io`, `Bounds`, `Damaged`.
    pub fn accept(&self, place: &str, unlocked: &UnlockedVolume) -> Result<(), LocalError> {
        let volume = self.volume(unlocked).map_err(|error| match error {
            KeyringError::Derivation(source) => LocalError::Sealing { source },
            _ => LocalError::Bounds("the volume key derives no local key"),
        })?;
        match volume.reload() {
            Ok(_) => {}
            Err(LocalError::Forged { .. }) => volume.forget()?,
            Err(error) => return Err(error),
        }
        self.pin(place, Pin::of(unlocked))
    }

    /// This machine's record of an unlocked volume. Keeps a key derived from the volume key, not the
    /// volume key itself.
    ///
    /// # Errors
    /// `Derivation`.
    pub fn volume(&self, unlocked: &UnlockedVolume) -> Result<LocalVolume, KeyringError> {
        LocalVolume::new(Arc::clone(&self.dir), unlocked)
    }

    /// Refuses a volume that this machine has used, wherever that was, when it has no record of it any more: an older
    /// state of the bucket could not be told from the newest. A record is always written before the first pin.
    ///
    /// # Errors
    /// `Lost`, and as [`LocalVolume::load`] and [`Self::places_of`].
    pub fn check_record(&self, record: &LocalVolume) -> Result<(), LocalError> {
        let is_lost = record.load()?.is_none() && !self.places_of(record.volume())?.is_empty();
        if is_lost { Err(record.lost()) } else { Ok(()) }
    }

    /// Takes the volume for this process, or tells which process has it, which can be waited for.
    ///
    /// # Errors
    /// `NotPrivate`, `Io`.
    pub fn attempt_lock(&self, volume: VolumeId) -> Result<Attempt, LocalError> {
        VolumeLock::attempt(&self.dir, volume)
    }
}

pub(super) fn parse_machine(bytes: &[u8]) -> Option<MachineId> {
    MachineId::from_hex(std::str::from_utf8(bytes).ok()?.trim_end())
}
