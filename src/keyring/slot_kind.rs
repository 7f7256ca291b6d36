//! The kinds of key slots.

use std::fmt;

use crate::crypto::Purpose;

/// What opens a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SlotKind {
    Passphrase = 1,
    RecoveryCode = 2,
    KeyFile = 3,
    /// A key of the AWS Key Management Service.
    Kms = 4,
    /// An identity of age (<https://age-encryption.org/v1>).
    Age = 5,
}

impl SlotKind {
    /// All kinds, in the order of their bytes.
    pub const ALL: [SlotKind; 5] =
        [SlotKind::Passphrase, SlotKind::RecoveryCode, SlotKind::KeyFile, SlotKind::Kms, SlotKind::Age];

    /// The kind that a byte on disk names, if this version knows it.
    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }

    /// What the slot's wrapping key is derived for.
    pub(super) fn purpose(self) -> Purpose {
        match self {
            SlotKind::Passphrase => Purpose::PassphraseSlot,
            SlotKind::RecoveryCode => Purpose::RecoverySlot,
            SlotKind::KeyFile => Purpose::KeyFileSlot,
            SlotKind::Kms => Purpose::KmsSlot,
            SlotKind::Age => Purpose::AgeSlot,
        }
    }

    /// One word, for lists and the command line.
    pub fn word(self) -> &'static str {
        match self {
            SlotKind::Passphrase => "passphrase",
            SlotKind::RecoveryCode => "recovery-code",
            SlotKind::KeyFile => "key-file",
            SlotKind::Kms => "kms",
            SlotKind::Age => "age",
        }
    }

    /// Whether anybody who knows the slot's public half can make such a slot, and with it a volume of their
    /// own that opens. What such a slot opens says nothing of who made the volume.
    pub fn is_public(self) -> bool {
        matches!(self, SlotKind::Kms | SlotKind::Age)
    }
}

impl fmt::Display for SlotKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SlotKind::Passphrase => "passphrase",
            SlotKind::RecoveryCode => "recovery code",
            SlotKind::KeyFile => "key file",
            SlotKind::Kms => "KMS key",
            SlotKind::Age => "age identity",
        })
    }
}
