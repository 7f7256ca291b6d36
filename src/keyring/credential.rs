//! What people and machines bring to open a volume, and what new slots are made for.

use super::error::KeyringError;
use super::kept_key::KeptKey;
use super::recovery_code::RecoveryCode;
use super::slot::SlotId;
use super::slot_kind::SlotKind;
use super::wrapped_secret::WrappedSecret;
use crate::base::Random;
use crate::crypto::{Cost, SecretBytes, SecretKey};

/// Something that opens a slot.
pub enum Credential {
    /// The bytes as they were typed, without the line end.
    Passphrase(SecretBytes),
    RecoveryCode(RecoveryCode),
    /// The whole contents of a key file: at least 32 random bytes, at most 64 KiB.
    KeyFile(SecretBytes),
    /// The secret of a KMS slot, as KMS has unwrapped it.
    Kms(UnwrappedSecret),
    /// The secret of an age slot, as an age identity has unwrapped it.
    Age(UnwrappedSecret),
    /// The volume key itself, as this machine has kept it. It opens no slot, and none is looked at.
    Kept(KeptKey),
}

/// The secret of one slot, unwrapped by a key that is kept elsewhere.
pub struct UnwrappedSecret {
    /// The only slot that it opens.
    pub slot: SlotId,
    pub secret: SecretKey,
}

/// A slot to be made.
pub struct NewSlot<'a> {
    /// Drawn by the caller, who may need it first: a recovery page names it, KMS binds the secret to it.
    pub id: SlotId,
    pub key: NewSlotKey<'a>,
}

/// What a new slot is made for.
pub enum NewSlotKey<'a> {
    /// Stretched at this cost (see [`Cost::calibrate`]).
    Passphrase {
        passphrase: &'a SecretBytes,
        cost: Cost,
    },
    RecoveryCode(&'a RecoveryCode),
    KeyFile(&'a SecretBytes),
    Kms(OutsideSecret<'a>),
    Age(OutsideSecret<'a>),
}

/// A secret that was wrapped elsewhere.
pub struct OutsideSecret<'a> {
    pub wrapped: &'a WrappedSecret,
    /// 32 random bytes, made for this slot.
    pub secret: &'a SecretKey,
}

/// Least length of a key file, in bytes. It is not stretched, so it has to be a key, not a word.
pub const MIN_KEY_FILE_LEN: usize = 32;
/// Greatest length of a key file, in bytes.
pub const MAX_KEY_FILE_LEN: usize = 64 * 1024;

impl Credential {
    /// The kind of slot that it opens, if it opens one.
    pub fn kind(&self) -> Option<SlotKind> {
        Some(match self {
            Credential::Passphrase(_) => SlotKind::Passphrase,
            Credential::RecoveryCode(_) => SlotKind::RecoveryCode,
            Credential::KeyFile(_) => SlotKind::KeyFile,
            Credential::Kms(_) => SlotKind::Kms,
            Credential::Age(_) => SlotKind::Age,
            Credential::Kept(_) => return None,
        })
    }

    /// Refuses what cannot be a credential of any volume, before anything is derived from it.
    ///
    /// # Errors
    /// `Credential`.
    pub fn check(&self) -> Result<(), KeyringError> {
        match self {
            Credential::Passphrase(passphrase) => check_passphrase(passphrase),
            Credential::KeyFile(contents) => check_key_file(contents),
            Credential::RecoveryCode(_) | Credential::Kms(_) | Credential::Age(_) | Credential::Kept(_) => {
                Ok(())
            }
        }
    }
}

impl<'a> NewSlot<'a> {
    /// A slot under a fresh id.
    pub fn new(key: NewSlotKey<'a>, random: &dyn Random) -> Self {
        Self { id: SlotId::generate(random), key }
    }

    /// What opens the slot once it is made.
    pub fn credential(&self) -> Credential {
        let copied = |bytes: &SecretBytes| SecretBytes::new(bytes.expose().to_vec());
        let outside = |outside: &OutsideSecret<'_>| UnwrappedSecret {
            slot: self.id,
            secret: SecretKey::copy_of(outside.secret.expose()),
        };
        match &self.key {
            NewSlotKey::Passphrase { passphrase, .. } => Credential::Passphrase(copied(passphrase)),
            NewSlotKey::RecoveryCode(code) => Credential::RecoveryCode(code.copied()),
            NewSlotKey::KeyFile(contents) => Credential::KeyFile(copied(contents)),
            NewSlotKey::Kms(secret) => Credential::Kms(outside(secret)),
            NewSlotKey::Age(secret) => Credential::Age(outside(secret)),
        }
    }

    /// As [`Credential::check`]; the cost must be within its bounds as well.
    ///
    /// # Errors
    /// `Credential`, `Cost`.
    pub fn check(&self) -> Result<(), KeyringError> {
        match &self.key {
            NewSlotKey::Passphrase { passphrase, cost } => {
                check_passphrase(passphrase)?;
                cost.check().map_err(KeyringError::Cost)
            }
            NewSlotKey::KeyFile(contents) => check_key_file(contents),
            NewSlotKey::RecoveryCode(_) | NewSlotKey::Kms(_) | NewSlotKey::Age(_) => Ok(()),
        }
    }
}

fn check_passphrase(passphrase: &SecretBytes) -> Result<(), KeyringError> {
    if passphrase.is_empty() {
        return Err(KeyringError::Credential("the passphrase is empty"));
    }
    Ok(())
}

fn check_key_file(contents: &SecretBytes) -> Result<(), KeyringError> {
    match contents.len() {
        0..MIN_KEY_FILE_LEN => Err(KeyringError::Credential("the key file has less than 32 bytes")),
        MIN_KEY_FILE_LEN..=MAX_KEY_FILE_LEN => Ok(()),
        _ => Err(KeyringError::Credential("the key file has more than 64 KiB")),
    }
}
