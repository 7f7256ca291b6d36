//! Which volume a place had: the plain index that is consulted before a passphrase is asked for.
//!
//! ```text
//! 0 8 magic "hushfs-p"   8 2 format   10 16 volume id   26 16 fingerprint   42 8 generation
//! 50 4 length   54 place   32 SHA-256
//! ```
//!
//! In format 1, which is still read, the generation is missing. It is a hint for when no key opens the header; the one
//! that is sealed in the volume's record decides.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::error::LocalError;
use crate::base::{DecodeError, Reader, VolumeId, Writer};
use crate::keyring::{Fingerprint, UnlockedVolume, VolumeHeader};

/// Longest place (bucket URL), in bytes.
pub(super) const MAX_PLACE_LEN: usize = 4096;

const MAGIC: [u8; 8] = *b"hushfs-p";
const FORMAT: u16 = 2;
const WITHOUT_GENERATION: u16 = 1;

/// The identity of a volume as this machine knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin {
    pub volume: VolumeId,
    pub fingerprint: Fingerprint,
    /// Of the newest header seen there; 0 when that is not known.
    pub generation: u64,
}

impl Pin {
    /// The identity of an unlocked volume.
    pub fn of(unlocked: &UnlockedVolume) -> Self {
        Self {
            volume: unlocked.volume(),
            fingerprint: unlocked.fingerprint(),
            generation: unlocked.generation(),
        }
    }

    /// Refuses a header that is older than the newest that this machine has seen there. For a header that no key
    /// opens; the sealed record decides about others ([`super::LocalVolume::load`]).
    ///
    /// # Errors
    /// `OlderHeader`.
    pub fn check_generation(&self, header: &VolumeHeader) -> Result<(), LocalError> {
        let (seen, found) = (self.generation, header.generation());
        if found < seen { Err(LocalError::OlderHeader { seen, found }) } else { Ok(()) }
    }

    /// Whether both are of the same volume under the same volume key.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (self.volume, self.fingerprint) == (other.volume, other.fingerprint)
    }

    /// The file that remembers `place`.
    pub(super) fn file_name(place: &str) -> String {
        format!("place-{}", HEXLOWER.encode(&Sha256::digest(place.as_bytes())))
    }

    pub(super) fn encode(&self, place: &str) -> Vec<u8> {
        let mut writer = Writer::new();
        let format = if self.generation == 0 { WITHOUT_GENERATION } else { FORMAT };
        writer.raw(&MAGIC).u16(format).raw(&self.volume.0).raw(&self.fingerprint.0);
        if self.generation != 0 {
            writer.u64(self.generation);
        }
        writer.bytes(place.as_bytes());
        let mut bytes = writer.finish();
        let checksum = Sha256::digest(&bytes);
        bytes.extend_from_slice(&checksum);
        bytes
    }

    /// Whether a file of that name holds a pin.
    pub(super) fn is_file_name(name: &str) -> bool {
        name.strip_prefix("place-").is_some_and(|hash| hash.len() == 64)
    }

    pub(super) fn decode(bytes: &[u8], place: &str) -> Result<Self, DecodeError> {
        match Self::decode_with_place(bytes)? {
            (pin, found) if found == place => Ok(pin),
            _ => Err(DecodeError::Invalid("place")),
        }
    }

    pub(super) fn decode_with_place(bytes: &[u8]) -> Result<(Self, String), DecodeError> {
        let (content, checksum) = bytes.split_last_chunk::<32>().ok_or(DecodeError::Truncated("checksum"))?;
        if Sha256::digest(content)[..] != checksum[..] {
            return Err(DecodeError::Invalid("checksum"));
        }
        let mut reader = Reader::new(content);
        if reader.array("magic")? != MAGIC {
            return Err(DecodeError::Invalid("magic"));
        }
        let format = reader.u16("format")?;
        let volume = VolumeId(reader.array("volume id")?);
        let fingerprint = Fingerprint(reader.array("fingerprint")?);
        let generation = match format {
            WITHOUT_GENERATION => 0,
            FORMAT => match reader.u64("generation")? {
                0 => return Err(DecodeError::Invalid("generation")),
                generation => generation,
            },
            _ => return Err(DecodeError::Invalid("format")),
        };
        let pin = Self { volume, fingerprint, generation };
        let place = std::str::from_utf8(reader.bytes(MAX_PLACE_LEN, "place")?);
        let place = place.map_err(|_: std::str::Utf8Error| DecodeError::Invalid("place"))?.to_owned();
        reader.end()?;
        Ok((pin, place))
    }
}
