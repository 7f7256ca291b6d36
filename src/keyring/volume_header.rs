//! The `volume` object: what anybody may read, and the sealed keyring record.
//!
//! ```text
//!  0  8  magic "hushfs-v"     16 16  volume id        |  after the slots:
//!  8  2  format               32  8  generation       |   4  length of the record
//! 10  1  suite                40     slots            |      sealed record
//! 11  1  zero                                         |  32  SHA-256 of all before it
//! 12  4  number of slots                              |
//! ```
//!
//! The checksum tells an accident from a wrong passphrase; it protects against nobody. What protects
//! is the record: everything before its length is its associated data under the volume key, so no slot
//! can be added, changed, removed or taken from an older header without that key.

use sha2::{Digest, Sha256};

use super::credential::Credential;
use super::error::{Damage, KeyringError};
use super::keyring_record::{self, KeyringRecord};
use super::slot::{Slot, SlotId};
use super::unlocked::UnlockedVolume;
use crate::base::{DecodeError, Reader, VolumeId, Writer};
use crate::crypto::{Cost, CryptoError, Purpose, SecretKey, Suite, open_record};

/// The key of the `volume` object under the volume's prefix.
pub const HEADER_KEY: &str = "volume";
/// Longest `volume` object, in bytes.
pub const MAX_HEADER_LEN: usize = 256 * 1024;
/// Most slots of one volume.
pub const MAX_SLOTS: usize = 32;

pub(super) const FORMAT: u16 = 1;

const MAGIC: [u8; 8] = *b"hushfs-v";
const CHECKSUM_LEN: usize = 32;

/// A `volume` object as it came from the bucket: well formed, but nothing in it is authentic yet.
pub struct VolumeHeader {
    volume: VolumeId,
    generation: u64,
    slots: Vec<Slot>,
    /// Everything before the record's length: the record's associated data.
    bound: Vec<u8>,
    sealed: Vec<u8>,
}

impl VolumeHeader {
    /// Reads a `volume` object. No key is involved and nothing is derived.
    ///
    /// # Errors
    /// `Foreign`, `NewerFormat`, `Damaged`; `Cost` when a slot's parameters are out of bounds.
    pub fn decode(untrusted: &[u8]) -> Result<Self, KeyringError> {
        if !untrusted.starts_with(&MAGIC) {
            return Err(KeyringError::Foreign);
        }
        if untrusted.len() > MAX_HEADER_LEN {
            return Err(KeyringError::Damaged(Damage::TooLong));
        }
        let mut versions = Reader::new(&untrusted[MAGIC.len()..]);
        let format = versions.u16("format")?;
        let suite = versions.u8("suite")?;
        if format > FORMAT {
            return Err(KeyringError::NewerFormat(format!("format {format}")));
        }
        let (content, checksum) =
            untrusted.split_last_chunk::<CHECKSUM_LEN>().ok_or(DecodeError::Truncated("checksum"))?;
        if Sha256::digest(content)[..] != checksum[..] {
            return Err(KeyringError::Damaged(Damage::Checksum));
        }
        if Suite::from_byte(suite).is_none() {
            return Err(KeyringError::NewerFormat(format!("cipher suite {suite}")));
        }
        Self::decode_content(content)
    }

    fn decode_content(content: &[u8]) -> Result<Self, KeyringError> {
        let mut reader = Reader::new(content);
        reader.raw(MAGIC.len(), "magic")?;
        if reader.u16("format")? != FORMAT {
            return Err(DecodeError::Invalid("format").into());
        }
        reader.u8("suite")?;
        if reader.u8("reserve")? != 0 {
            return Err(DecodeError::Invalid("reserve").into());
        }
        let count = reader.u32("number of slots")? as usize;
        if count == 0 || count > MAX_SLOTS {
            return Err(DecodeError::Invalid("number of slots").into());
        }
        let volume = VolumeId(reader.array("volume id")?);
        let generation = reader.u64("generation")?;
        let slots = (0..count).map(|_| Slot::decode(&mut reader)).collect::<Result<Vec<_>, _>>()?;
        let costs: Vec<_> = slots.iter().filter_map(Slot::cost).collect();
        Cost::check_together(&costs).map_err(KeyringError::Cost)?;
        let bound = content[..content.len() - reader.rest().len()].to_vec();
        let sealed = reader.bytes(MAX_HEADER_LEN, "keyring record")?.to_vec();
        reader.end()?;
        Ok(Self { volume, generation, slots, bound, sealed })
    }

    /// The volume this header claims to belong to; compare with the pin before asking for a passphrase.
    pub fn volume(&self) -> VolumeId {
        self.volume
    }

    /// How often the header was replaced, starting at 1. A claim until it is unlocked.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The slots. A claim until it is unlocked.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Opens the volume: tries every slot of the credential's kind, then authenticates the whole header.
    /// Takes about a second for each passphrase slot.
    ///
    /// # Errors
    /// `WrongKey` and `NoSlot` when no slot opens; `Tampered` when one opens and the header is not what
    /// was sealed; `Credential` when the credential can open nothing; for a kept key `AnotherVolume`, and
    /// `VolumeKeyReplaced` when the header is sealed under another one.
    pub fn unlock(&self, credential: &Credential) -> Result<UnlockedVolume, KeyringError> {
        credential.check()?;
        if let Credential::Kept(kept) = credential {
            return self.unlock_kept(kept);
        }
        let (vmk, slot) = self.volume_key(credential)?;
        let unlocked = self.unlock_with(vmk).map_err(|error| match error {
            KeyringError::Derivation(CryptoError::WrongKey) => {
                KeyringError::Tampered("its keyring record does not authenticate")
            }
            error => error,
        })?;
        Ok(unlocked.through(slot))
    }

    /// Authenticates the whole header with the volume key.
    ///
    /// # Errors
    /// As [`Self::open_record`].
    pub(super) fn unlock_with(&self, vmk: SecretKey) -> Result<UnlockedVolume, KeyringError> {
        let record = self.open_record(&vmk)?;
        let slots = self.slots.clone();
        UnlockedVolume::new(self.volume, record.generation, vmk, record.keys, record.settings, slots)
    }

    /// Opens and checks the record, which authenticates everything else in the header.
    ///
    /// # Errors
    /// `Derivation(WrongKey)` when it was sealed under another volume key; `Tampered`, `NewerFormat`, `Damaged`.
    pub(super) fn open_record(&self, vmk: &SecretKey) -> Result<KeyringRecord, KeyringError> {
        let plain = match open_record(vmk, Purpose::KeyringRecord, &self.bound, &self.sealed) {
            Ok(plain) => plain,
            Err(error @ CryptoError::WrongKey) => return Err(KeyringError::Derivation(error)),
            Err(error) => {
                return Err(KeyringError::authenticated(error, "its keyring record does not authenticate"));
            }
        };
        let record = keyring_record::decode(plain.expose())?;
        if record.generation != self.generation {
            return Err(KeyringError::Tampered("its generation differs from the sealed one"));
        }
        Ok(record)
    }

    fn volume_key(&self, credential: &Credential) -> Result<(SecretKey, SlotId), KeyringError> {
        let kind = credential.kind().ok_or(KeyringError::Credential("it opens no kind of key slot"))?;
        let mut outcome = KeyringError::NoSlot(kind);
        for slot in &self.slots {
            let Slot::Known(slot) = slot else { continue };
            match slot.unwrap(self.volume, credential) {
                Ok(Some(vmk)) => return Ok((vmk, slot.id())),
                Ok(None) => {}
                Err(CryptoError::WrongKey) => outcome = KeyringError::WrongKey(kind),
                Err(error) => {
                    return Err(KeyringError::authenticated(error, "a key slot does not authenticate"));
                }
            }
        }
        Err(outcome)
    }
}

/// The plain part: what the record is bound to.
pub(super) fn encode_bound(volume: VolumeId, generation: u64, slots: &[Slot]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer
        .raw(&MAGIC)
        .u16(FORMAT)
        .u8(Suite::CURRENT.to_byte())
        .u8(0)
        .u32(slots.len() as u32)
        .raw(&volume.0)
        .u64(generation);
    for slot in slots {
        slot.encode(&mut writer);
    }
    writer.finish()
}

/// The bytes of a decoded header again.
#[cfg(any(test, fuzzing))]
impl VolumeHeader {
    pub(super) fn encode(&self) -> Vec<u8> {
        encode(&encode_bound(self.volume, self.generation, &self.slots), &self.sealed)
    }
}

/// The whole object: plain part, record, checksum.
pub(super) fn encode(bound: &[u8], sealed: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.raw(bound).bytes(sealed);
    let mut bytes = writer.finish();
    let checksum = Sha256::digest(&bytes);
    bytes.extend_from_slice(&checksum);
    bytes
}
