//! Who may open a volume: the `volume` object with its key slots, and what this machine remembers.
//!
//! - [`VolumeHeader`] reads the `volume` object; a [`Credential`] opens one of its slots, the slot
//!   holds the volume key, and that opens the keyring record with the epoch keys: [`UnlockedVolume`].
//! - [`create`] makes the first header, [`UnlockedVolume::reseal`] and its siblings the next ones.
//! - [`HeaderReader`] opens later headers in a process that has the volume open.
//! - [`local`] is the folder where a machine keeps the identity and the witness of each volume.
//!
//! Invariants: parameters are bounded before any derivation; the whole header is authenticated under
//! the volume key before anything in it is believed; the volume key never leaves
//! [`UnlockedVolume`], [`HeaderReader`] and, when the user wants it kept on this machine, [`KeptKey`]; a
//! machine never goes back to an older header or to another volume under the same place.
//!
//! Failure: [`KeyringError`] tells a wrong key from damage, from a foreign object and from a newer
//! format; [`LocalError`] the same for this machine's files. Nothing is repaired by guessing.

mod create;
mod credential;
mod encryption_settings;
mod epoch_keys;
mod error;
mod fingerprint;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod header_reader;
mod kept_key;
mod keyring_record;
pub mod local;
mod recovery_code;
mod rotation;
mod settings;
mod slot;
mod slot_kind;
mod unlocked;
mod volume_header;
mod wrapped_secret;

pub use create::{Created, NewVolume, create};
pub use credential::{Credential, MIN_KEY_FILE_LEN, NewSlot, NewSlotKey, OutsideSecret, UnwrappedSecret};
pub use encryption_settings::EncryptionSettings;
pub use epoch_keys::{EpochKeys, EpochKeysError};
pub use error::{Damage, KeyringError};
pub use fingerprint::{Fingerprint, FingerprintError};
pub use header_reader::{HeaderNews, HeaderReader};
pub use kept_key::KeptKey;
pub use local::{
    Attempt, Contender, Durability, Holder, KeptNote, KeptPlace, LocalError, LocalKeyring, LocalRecord,
    LocalVolume, Pin, VolumeLock, Witness,
};
pub use recovery_code::{RecoveryCode, RecoveryCodeError};
pub use rotation::{NewVolumeKey, NextHeader, OldData};
pub use settings::{Settings, SettingsError};
pub use slot::{KnownSlot, Slot, SlotId};
pub use slot_kind::SlotKind;
pub use unlocked::UnlockedVolume;
pub use volume_header::{HEADER_KEY, MAX_HEADER_LEN, MAX_SLOTS, VolumeHeader};
pub use wrapped_secret::WrappedSecret;

#[cfg(test)]
mod outside_tests;
#[cfg(test)]
mod tests;
