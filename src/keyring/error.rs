//! Errors of the volume header, grouped by what the user can do.

use thiserror::Error;

use super::epoch_keys::EpochKeysError;
use super::recovery_code::RecoveryCodeError;
use super::settings::SettingsError;
use super::slot_kind::SlotKind;
use crate::base::{DecodeError, VolumeId};
use crate::crypto::{CostError, CryptoError};

/// A volume header that was not opened or not made.
#[derive(Debug, Error)]
pub enum KeyringError {
    /// No slot of this kind opens with what was given.
    #[error("wrong {0}: it opens no key slot of this volume")]
    WrongKey(SlotKind),
    /// The volume has no slot that takes such a credential.
    #[error("this volume has no key slot of this kind: {0}")]
    NoSlot(SlotKind),
    /// Not a volume header at all.
    #[error("this is not a hushfs volume")]
    Foreign,
    /// Made by a newer hushfs.
    #[error("this volume needs a newer version of hushfs: it has {0}")]
    NewerFormat(String),
    /// Damaged on the way or at rest; no key was tried.
    #[error("the volume header is damaged")]
    Damaged(#[source] Damage),
    /// The key is right and the header is not what its owner sealed: somebody changed it.
    #[error("the volume header was changed by somebody without its key: {0}")]
    Tampered(&'static str),
    /// The place holds the header of another volume now.
    #[error("it is the header of volume {found}, not of {known}")]
    AnotherVolume { known: VolumeId, found: VolumeId },
    /// The header is sealed under another volume key than the one the volume was opened with.
    #[error(
        "the volume has another volume key since it was opened here (`hushfs key rotate --new-volume-key` makes one), or the header was forged"
    )]
    VolumeKeyReplaced,
    /// A slot names Argon2id parameters outside of the bounds. Nothing was derived.
    #[error("a key slot is refused")]
    Cost(#[source] CostError),
    /// The credential cannot be one, whatever the volume: empty, too short, mistyped.
    #[error("{0}")]
    Credential(&'static str),
    /// A recovery code with a typing error.
    #[error("this is not a recovery code")]
    RecoveryCode(#[from] RecoveryCodeError),
    /// Settings outside of their bounds.
    #[error("the settings are refused")]
    Settings(#[from] SettingsError),
    /// Epoch keys that contradict each other.
    #[error("the epoch keys are refused")]
    EpochKeys(#[source] EpochKeysError),
    /// More slots or epochs than a header holds, or no slot at all.
    #[error("{0}")]
    Bounds(&'static str),
    /// The derivation itself failed, in practice for want of memory.
    #[error("the keys could not be derived")]
    Derivation(#[source] CryptoError),
}

/// How damage was noticed.
#[derive(Debug, Error)]
pub enum Damage {
    #[error("its checksum does not match its bytes")]
    Checksum,
    #[error("it is longer than a volume header can be")]
    TooLong,
    #[error(transparent)]
    Record(#[from] DecodeError),
}

impl From<DecodeError> for KeyringError {
    fn from(error: DecodeError) -> Self {
        KeyringError::Damaged(error.into())
    }
}

impl KeyringError {
    /// The header is sealed under another volume key than the one that is known.
    pub fn is_replaced_key(&self) -> bool {
        matches!(self, KeyringError::VolumeKeyReplaced)
    }

    /// What a failed operation means outside of the slots, where a wrong key is no explanation.
    pub(super) fn authenticated(error: CryptoError, what: &'static str) -> Self {
        match error {
            CryptoError::WrongKey | CryptoError::Unauthentic => KeyringError::Tampered(what),
            CryptoError::Cost(error) => KeyringError::Cost(error),
            error @ (CryptoError::TooLong | CryptoError::NonceExhausted | CryptoError::Argon2(_)) => {
                KeyringError::Derivation(error)
            }
        }
    }
}
