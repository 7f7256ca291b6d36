//! Key slots: each wraps the volume key for one credential.
//!
//! ```text
//! slot              0 1 kind    1 3 zero    4 16 slot id    20 4 body length    24 body
//! passphrase body   0 4 memory in KiB   4 4 passes   8 4 lanes   12 32 salt   44 80 wrapped key
//! KMS and age body  the slot's wrapped secret (see wrapped_secret.rs), then 32 salt, 80 wrapped key
//! other bodies      0 32 salt   32 80 wrapped key
//! wrapped key       0 32 commitment   32 32 ciphertext   64 16 tag
//! ```
//!
//! The associated data are format, suite, kind, volume id, slot id, parameters and salt. A slot of a
//! kind that this version does not know is carried along unchanged, so that an older hushfs can open and
//! reseal a volume that a newer one added slots to.

use std::fmt;

use data_encoding::HEXLOWER;

use super::credential::{Credential, NewSlot, NewSlotKey};
use super::error::KeyringError;
use super::slot_kind::SlotKind;
use super::volume_header::FORMAT;
use super::wrapped_secret::WrappedSecret;
use crate::base::{DecodeError, Random, Reader, VolumeId, Writer};
use crate::crypto::{COMMITMENT_LEN, Cost, CryptoError, SALT_LEN, SealingKeys, SecretKey, Suite, TAG_LEN};

/// Longest body of a slot, in bytes, whatever its kind.
const MAX_BODY_LEN: usize = 4096;

/// Names one slot of a volume, so that it can be listed and removed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SlotId(pub [u8; 16]);

impl SlotId {
    /// A fresh id, for a slot to be made.
    pub fn generate(random: &dyn Random) -> Self {
        let mut id = Self([0; 16]);
        random.fill(&mut id.0);
        id
    }
}

impl fmt::Display for SlotId {
    /// 32 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for SlotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SlotId({self})")
    }
}

/// One slot of a volume header.
#[derive(Clone)]
pub enum Slot {
    Known(KnownSlot),
    /// A kind that this version cannot open; kept as it is.
    Unknown {
        kind: u8,
        id: SlotId,
        body: Vec<u8>,
    },
}

/// A slot that this version can open.
#[derive(Clone)]
pub struct KnownSlot {
    method: Method,
    id: SlotId,
    salt: [u8; SALT_LEN],
    wrapped: Wrapped,
}

/// The kind of a slot with the parameters that belong to it.
#[derive(Clone)]
enum Method {
    Passphrase(Cost),
    RecoveryCode,
    KeyFile,
    Kms(WrappedSecret),
    Age(WrappedSecret),
}

#[derive(Clone)]
struct Wrapped {
    commitment: [u8; COMMITMENT_LEN],
    sealed: [u8; SecretKey::LEN],
    tag: [u8; TAG_LEN],
}

impl Method {
    fn kind(&self) -> SlotKind {
        match self {
            Method::Passphrase(_) => SlotKind::Passphrase,
            Method::RecoveryCode => SlotKind::RecoveryCode,
            Method::KeyFile => SlotKind::KeyFile,
            Method::Kms(_) => SlotKind::Kms,
            Method::Age(_) => SlotKind::Age,
        }
    }

    fn encode(&self, writer: &mut Writer) {
        match self {
            Method::Passphrase(cost) => {
                writer.u32(cost.memory_kib).u32(cost.passes).u32(cost.lanes);
            }
            Method::Kms(wrapped) | Method::Age(wrapped) => wrapped.encode(writer),
            Method::RecoveryCode | Method::KeyFile => {}
        }
    }

    fn decode(kind: SlotKind, reader: &mut Reader<'_>) -> Result<Self, KeyringError> {
        Ok(match kind {
            SlotKind::Passphrase => {
                let cost = Cost {
                    memory_kib: reader.u32("slot memory")?,
                    passes: reader.u32("slot passes")?,
                    lanes: reader.u32("slot lanes")?,
                };
                cost.check().map_err(KeyringError::Cost)?;
                Method::Passphrase(cost)
            }
            SlotKind::RecoveryCode => Method::RecoveryCode,
            SlotKind::KeyFile => Method::KeyFile,
            SlotKind::Kms => Method::Kms(WrappedSecret::decode(reader)?),
            SlotKind::Age => Method::Age(WrappedSecret::decode(reader)?),
        })
    }
}

impl Slot {
    /// Names the slot.
    pub fn id(&self) -> SlotId {
        match self {
            Slot::Known(slot) => slot.id,
            Slot::Unknown { id, .. } => *id,
        }
    }

    /// The kind, where this version knows it.
    pub fn kind(&self) -> Option<SlotKind> {
        match self {
            Slot::Known(slot) => Some(slot.method.kind()),
            Slot::Unknown { .. } => None,
        }
    }

    /// What a passphrase slot costs to try.
    pub fn cost(&self) -> Option<Cost> {
        match self {
            Slot::Known(KnownSlot { method: Method::Passphrase(cost), .. }) => Some(*cost),
            Slot::Known(_) | Slot::Unknown { .. } => None,
        }
    }

    /// The secret of a KMS or age slot, as it is wrapped.
    pub fn wrapped_secret(&self) -> Option<&WrappedSecret> {
        match self {
            Slot::Known(KnownSlot { method: Method::Kms(wrapped) | Method::Age(wrapped), .. }) => {
                Some(wrapped)
            }
            Slot::Known(_) | Slot::Unknown { .. } => None,
        }
    }

    /// Whether both are opened by the same KMS key or age identity. Upper case is another way to write a recipient.
    pub fn has_key_of(&self, other: &Self) -> bool {
        match (self.wrapped_secret(), other.wrapped_secret()) {
            (Some(own), Some(others)) => {
                self.kind() == other.kind() && own.key().eq_ignore_ascii_case(others.key())
            }
            _ => false,
        }
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        let (kind, id, body) = match self {
            Slot::Known(slot) => (slot.method.kind() as u8, slot.id, slot.body()),
            Slot::Unknown { kind, id, body } => (*kind, *id, body.clone()),
        };
        writer.u8(kind).raw(&[0; 3]).raw(&id.0).bytes(&body);
    }

    /// # Errors
    /// `Damaged`; `Cost` for parameters out of bounds, so that nothing is ever derived with them.
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, KeyringError> {
        let kind = reader.u8("slot kind")?;
        if reader.array("slot reserve")? != [0; 3] {
            return Err(DecodeError::Invalid("slot reserve").into());
        }
        let id = SlotId(reader.array("slot id")?);
        let body = reader.bytes(MAX_BODY_LEN, "slot body")?;
        match SlotKind::from_byte(kind) {
            Some(kind) => Ok(Slot::Known(KnownSlot::decode(kind, id, body)?)),
            None => Ok(Slot::Unknown { kind, id, body: body.to_vec() }),
        }
    }
}

impl KnownSlot {
    /// Names the slot.
    pub(super) fn id(&self) -> SlotId {
        self.id
    }

    /// Wraps `vmk` for a new credential, which was checked.
    pub(super) fn wrap(
        vmk: &SecretKey,
        volume: VolumeId,
        new: &NewSlot<'_>,
        random: &dyn Random,
    ) -> Result<Self, CryptoError> {
        let id = new.id;
        let mut salt = [0; SALT_LEN];
        random.fill(&mut salt);
        let (method, keys) = match &new.key {
            NewSlotKey::Passphrase { passphrase, cost } => {
                (Method::Passphrase(*cost), passphrase_keys(*cost, passphrase.expose(), &salt)?)
            }
            NewSlotKey::RecoveryCode(code) => {
                (Method::RecoveryCode, direct_keys(SlotKind::RecoveryCode, code.expose(), &salt)?)
            }
            NewSlotKey::KeyFile(contents) => {
                (Method::KeyFile, direct_keys(SlotKind::KeyFile, contents.expose(), &salt)?)
            }
            NewSlotKey::Kms(outside) => (
                Method::Kms(outside.wrapped.clone()),
                direct_keys(SlotKind::Kms, outside.secret.expose(), &salt)?,
            ),
            NewSlotKey::Age(outside) => (
                Method::Age(outside.wrapped.clone()),
                direct_keys(SlotKind::Age, outside.secret.expose(), &salt)?,
            ),
        };

        let mut sealed = *vmk.expose();
        let tag = keys.cipher.seal(&keys.nonces.at(0), &aad(&method, volume, id, &salt), &mut sealed)?;
        Ok(Self { method, id, salt, wrapped: Wrapped { commitment: keys.commitment, sealed, tag } })
    }

    /// Unwraps the volume key; `None` when the credential is of another kind or made for another slot.
    ///
    /// # Errors
    /// `WrongKey` when the credential is not the slot's; `Unauthentic` when it is and the slot was changed.
    pub(super) fn unwrap(
        &self,
        volume: VolumeId,
        credential: &Credential,
    ) -> Result<Option<SecretKey>, CryptoError> {
        let keys = match (&self.method, credential) {
            (Method::Passphrase(cost), Credential::Passphrase(passphrase)) => {
                passphrase_keys(*cost, passphrase.expose(), &self.salt)?
            }
            (Method::RecoveryCode, Credential::RecoveryCode(code)) => {
                direct_keys(SlotKind::RecoveryCode, code.expose(), &self.salt)?
            }
            (Method::KeyFile, Credential::KeyFile(contents)) => {
                direct_keys(SlotKind::KeyFile, contents.expose(), &self.salt)?
            }
            (Method::Kms(_), Credential::Kms(unwrapped)) | (Method::Age(_), Credential::Age(unwrapped))
                if unwrapped.slot == self.id =>
            {
                direct_keys(self.method.kind(), unwrapped.secret.expose(), &self.salt)?
            }
            (
                Method::Passphrase(_)
                | Method::RecoveryCode
                | Method::KeyFile
                | Method::Kms(_)
                | Method::Age(_),
                _,
            ) => return Ok(None),
        };
        keys.check(&self.wrapped.commitment)?;
        let aad = aad(&self.method, volume, self.id, &self.salt);
        SecretKey::filled_by(|key| {
            *key = self.wrapped.sealed;
            keys.cipher.open(&keys.nonces.at(0), &aad, key, &self.wrapped.tag)
        })
        .map(Some)
    }

    fn body(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.method.encode(&mut writer);
        writer.raw(&self.salt).raw(&self.wrapped.commitment).raw(&self.wrapped.sealed).raw(&self.wrapped.tag);
        writer.finish()
    }

    fn decode(kind: SlotKind, id: SlotId, body: &[u8]) -> Result<Self, KeyringError> {
        let mut reader = Reader::new(body);
        let method = Method::decode(kind, &mut reader)?;
        let salt = reader.array("slot salt")?;
        let wrapped = Wrapped {
            commitment: reader.array("slot commitment")?,
            sealed: reader.array("wrapped key")?,
            tag: reader.array("slot tag")?,
        };
        reader.end()?;
        Ok(Self { method, id, salt, wrapped })
    }
}

fn passphrase_keys(cost: Cost, passphrase: &[u8], salt: &[u8; SALT_LEN]) -> Result<SealingKeys, CryptoError> {
    let stretched = cost.stretch(passphrase, salt)?;
    direct_keys(SlotKind::Passphrase, stretched.expose(), salt)
}

fn direct_keys(kind: SlotKind, secret: &[u8], salt: &[u8; SALT_LEN]) -> Result<SealingKeys, CryptoError> {
    SealingKeys::derive(secret, salt, kind.purpose(), &[])
}

fn aad(method: &Method, volume: VolumeId, id: SlotId, salt: &[u8; SALT_LEN]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.u16(FORMAT).u8(Suite::CURRENT.to_byte()).u8(method.kind() as u8).raw(&volume.0).raw(&id.0);
    method.encode(&mut writer);
    writer.raw(salt);
    writer.finish()
}
