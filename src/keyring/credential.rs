//! What people and machines bring to open a volume, and what new slots are made for.

use super::error::KeyringError;
use super::recovery_code::RecoveryCode;
use super::slot::SlotKind;
use crate::crypto::{Cost, SecretBytes};

/// Something that opens a slot.
pub enum Credential {
    /// The bytes as they were typed, without the line end.
    Passphrase(SecretBytes),
    RecoveryCode(RecoveryCode),
    /// The whole contents of a key file: at least 32 random bytes, at most 64 KiB.
    KeyFile(SecretBytes),
}

/// A slot to be made.
pub enum NewSlot<'a> {
    /// Stretched at this cost (see [`Cost::calibrate`]).
    Passphrase {
        passphrase: &'a SecretBytes,
        cost: Cost,
    },
    RecoveryCode(&'a RecoveryCode),
    KeyFile(&'a SecretBytes),
}

/// Least length of a key file, in bytes. It is not stretched, so it has to be a key, not a word.
pub const MIN_KEY_FILE_LEN: usize = 32;
/// Greatest length of a key file, in bytes.
pub const MAX_KEY_FILE_LEN: usize = 64 * 1024;

impl Credential {
    /// The kind of slot that it opens.
    pub fn kind(&self) -> SlotKind {
        match self {
            Credential::Passphrase(_) => SlotKind::Passphrase,
            Credential::RecoveryCode(_) => SlotKind::RecoveryCode,
            Credential::KeyFile(_) => SlotKind::KeyFile,
        }
    }

    /// Refuses what cannot be a credential of any volume, before anything is derived from it.
    ///
    /// # Errors
    /// `Credential`.
    pub fn check(&self) -> Result<(), KeyringError> {
        match self {
            Credential::Passphrase(passphrase) => check_passphrase(passphrase),
            Credential::KeyFile(contents) => check_key_file(contents),
            Credential::RecoveryCode(_) => Ok(()),
        }
    }
}

impl NewSlot<'_> {
    /// As [`Credential::check`]; the cost must be within its bounds as well.
    ///
    /// # Errors
    /// `Credential`, `Cost`.
    pub fn check(&self) -> Result<(), KeyringError> {
        match self {
            NewSlot::Passphrase { passphrase, cost } => {
                check_passphrase(passphrase)?;
                cost.check().map_err(KeyringError::Cost)
            }
            NewSlot::KeyFile(contents) => check_key_file(contents),
            NewSlot::RecoveryCode(_) => Ok(()),
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
