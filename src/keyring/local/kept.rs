//! Where this machine keeps a volume's key, and the key itself where that place is a file.
//!
//! ```text
//!  0 8  magic "hushfs-k"   8 2 format   10 1 suite   11 1 place: 1 Secret Service, 2 kernel, 3 this file
//! 12 16 volume id         28 16 fingerprint         44 8 the second it is forgotten at, 0 for never
//! 52    place 1 and 2: 32 SHA-256 of all before
//!       place 3: 32 salt, 4 memory in KiB, 4 passes, 4 lanes, then a sealed record of the kept key
//! ```
//!
//! The first 96 bytes are the associated data of the record, whose key is the stretched passphrase. Nothing
//! is derived before the cost was checked. Failure: a file that is not what was written is refused by name.

use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::error::LocalError;
use super::local_keyring::LocalKeyring;
use super::private_dir::Durability;
use crate::base::{DecodeError, Random, Reader, VolumeId, Writer};
use crate::crypto::{Cost, CryptoError, Purpose, SALT_LEN, SecretBytes, Suite, open_record, seal_record};
use crate::keyring::{Fingerprint, KeptKey, KeyringError};

const MAGIC: [u8; 8] = *b"hushfs-k";
const FORMAT: u16 = 1;
const SUFFIX: &str = ".kept";
/// Bytes before the checksum of a note.
pub(super) const NOTE_LEN: usize = 52;
/// Bytes before the sealed record of a wrapped key.
const WRAPPED_AT: usize = NOTE_LEN + SALT_LEN + 12;

/// A place that can keep a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptPlace {
    /// The desktop's password store.
    SecretService = 1,
    /// The keyring that the kernel has for this user.
    Kernel = 2,
    /// A file of the local keyring, under a passphrase.
    File = 3,
}

/// What the machine knows of a key that it keeps. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptNote {
    pub volume: VolumeId,
    pub place: KeptPlace,
    /// Of the volume key that is kept.
    pub fingerprint: Fingerprint,
    /// Seconds since 1970 after which the key is not to be used; `None` for no limit.
    pub until: Option<u64>,
}

/// A file as it was read: the note, and the wrapped key behind it.
pub(super) struct KeptFile {
    pub note: KeptNote,
    /// With place 3: salt and cost of the passphrase.
    stretching: Option<([u8; SALT_LEN], Cost)>,
    bytes: Vec<u8>,
}

impl KeptNote {
    /// Whether its time is up at `now`, in seconds since 1970.
    pub fn is_over(&self, now: i64) -> bool {
        self.until.is_some_and(|until| i128::from(until) <= i128::from(now))
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer
            .raw(&MAGIC)
            .u16(FORMAT)
            .u8(Suite::CURRENT.to_byte())
            .u8(self.place as u8)
            .raw(&self.volume.0)
            .raw(&self.fingerprint.0)
            .u64(self.until.unwrap_or(0));
        writer.finish()
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if reader.array("magic")? != MAGIC {
            return Err(DecodeError::Invalid("magic"));
        }
        if reader.u16("format")? != FORMAT {
            return Err(DecodeError::Invalid("format"));
        }
        if Suite::from_byte(reader.u8("suite")?).is_none() {
            return Err(DecodeError::Invalid("suite"));
        }
        let place = match reader.u8("place")? {
            1 => KeptPlace::SecretService,
            2 => KeptPlace::Kernel,
            3 => KeptPlace::File,
            _ => return Err(DecodeError::Invalid("place")),
        };
        let volume = VolumeId(reader.array("volume id")?);
        let fingerprint = Fingerprint(reader.array("fingerprint")?);
        let until = Some(reader.u64("time limit")?).filter(|until| *until != 0);
        Ok(Self { volume, place, fingerprint, until })
    }
}

impl KeptFile {
    pub(super) fn decode(bytes: Vec<u8>) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(&bytes);
        let note = KeptNote::decode(&mut reader)?;
        let stretching = match note.place {
            KeptPlace::File => {
                let salt = reader.array("salt")?;
                let cost = Cost {
                    memory_kib: reader.u32("memory")?,
                    passes: reader.u32("passes")?,
                    lanes: reader.u32("lanes")?,
                };
                Some((salt, cost))
            }
            KeptPlace::SecretService | KeptPlace::Kernel => {
                if reader.array::<32>("checksum")? != Sha256::digest(&bytes[..NOTE_LEN])[..] {
                    return Err(DecodeError::Invalid("checksum"));
                }
                reader.end()?;
                None
            }
        };
        Ok(Self { note, stretching, bytes })
    }
}

impl LocalKeyring {
    /// Where the key of `volume` is kept; `None` when it is not.
    ///
    /// # Errors
    /// `NotPrivate`, `Io`, `DamagedKept`.
    pub fn kept(&self, volume: VolumeId) -> Result<Option<KeptNote>, LocalError> {
        Ok(self.read_kept(volume)?.map(|file| file.note))
    }

    /// Where the note is, for messages.
    pub fn kept_path(&self, volume: VolumeId) -> PathBuf {
        self.dir().path_of(&name(volume))
    }

    /// The volumes that have such a note, whatever stands in it.
    ///
    /// # Errors
    /// `Io`.
    pub fn all_kept(&self) -> Result<Vec<VolumeId>, LocalError> {
        let names = self.dir().names(SUFFIX)?;
        Ok(names.iter().filter_map(|name| VolumeId::from_hex(name)).collect())
    }

    /// Notes that a key is kept in a place other than a file; durable when it returns.
    ///
    /// # Errors
    /// `Bounds` for the place that is a file; `NotPrivate`, `Io`.
    pub fn note_kept(&self, note: &KeptNote) -> Result<(), LocalError> {
        if note.place == KeptPlace::File {
            return Err(LocalError::Bounds("a key in a file is wrapped, not noted"));
        }
        let mut bytes = note.encode();
        let checksum = Sha256::digest(&bytes);
        bytes.extend_from_slice(&checksum);
        self.dir().replace(&name(note.volume), &bytes, Durability::Now)
    }

    /// Keeps `key` in a file, wrapped under `passphrase` at `cost`; durable when it returns. Takes about as
    /// long as opening a passphrase slot of that cost.
    ///
    /// # Errors
    /// `Sealing` for a cost out of bounds or too little memory; `NotPrivate`, `Io`.
    pub fn wrap_kept(
        &self,
        key: &KeptKey,
        until: Option<u64>,
        passphrase: &SecretBytes,
        cost: Cost,
        random: &dyn Random,
    ) -> Result<(), LocalError> {
        let mut salt = [0; SALT_LEN];
        random.fill(&mut salt);
        let note =
            KeptNote { volume: key.volume(), place: KeptPlace::File, fingerprint: key.fingerprint(), until };
        let mut bytes = note.encode();
        bytes.extend_from_slice(&salt);
        for parameter in [cost.memory_kib, cost.passes, cost.lanes] {
            bytes.extend_from_slice(&parameter.to_le_bytes());
        }
        let sealing = |source| LocalError::Sealing { source };
        let stretched = cost.stretch(passphrase.expose(), &salt).map_err(sealing)?;
        let plain = key.encode();
        let sealed =
            seal_record(&stretched, Purpose::KeptKey, &bytes, plain.expose(), random).map_err(sealing)?;
        bytes.extend_from_slice(&sealed);
        self.dir().replace(&name(note.volume), &bytes, Durability::Now)
    }

    /// Opens what [`Self::wrap_kept`] keeps; `None` when no key is kept in a file.
    ///
    /// # Errors
    /// `WrongPassphrase`; `RefusedKept` when the passphrase is right and the file was changed, or its cost is
    /// out of bounds; `NotPrivate`, `Io`, `DamagedKept`.
    pub fn unwrap_kept(
        &self,
        volume: VolumeId,
        passphrase: &SecretBytes,
    ) -> Result<Option<KeptKey>, LocalError> {
        let Some(file) = self.read_kept(volume)? else { return Ok(None) };
        let Some((salt, cost)) = file.stretching else { return Ok(None) };
        let path = || self.kept_path(volume);
        let refused = |source| match source {
            CryptoError::WrongKey => LocalError::WrongPassphrase { path: path() },
            source => LocalError::RefusedKept { path: path(), source },
        };
        let stretched = cost.stretch(passphrase.expose(), &salt).map_err(refused)?;
        let (head, sealed) = file.bytes.split_at(WRAPPED_AT);
        let plain = open_record(&stretched, Purpose::KeptKey, head, sealed).map_err(refused)?;
        match KeptKey::decode(plain.expose(), volume) {
            Ok(key) => Ok(Some(key)),
            Err(KeyringError::Derivation(source)) => Err(refused(source)),
            Err(error) => {
                log::debug!("a kept key: {error}");
                Err(LocalError::DamagedKept { path: path(), source: DecodeError::Invalid("kept key") })
            }
        }
    }

    /// Removes the note, and with it the key where that is a file. What is left of it on the disk is what
    /// the passphrase protects.
    ///
    /// # Errors
    /// `Io`.
    pub fn forget_kept(&self, volume: VolumeId) -> Result<(), LocalError> {
        self.dir().forget(&name(volume))
    }

    fn read_kept(&self, volume: VolumeId) -> Result<Option<KeptFile>, LocalError> {
        let name = name(volume);
        let Some(bytes) = self.dir().read(&name)? else { return Ok(None) };
        let damaged = |source| LocalError::DamagedKept { path: self.kept_path(volume), source };
        let file = KeptFile::decode(bytes).map_err(damaged)?;
        if file.note.volume != volume {
            return Err(damaged(DecodeError::Invalid("volume id")));
        }
        Ok(Some(file))
    }
}

fn name(volume: VolumeId) -> String {
    format!("{volume}{SUFFIX}")
}
