//! A volume key that this machine keeps between commands, so that nobody is asked again.
//!
//! ```text
//! 0 8 magic "hushfs-s"   8 2 format   10 16 volume id   26 16 fingerprint   42 32 volume key
//! ```
//!
//! Whoever has these bytes can open the volume: they go only into a place that guards them. A key is bound
//! to its volume by its fingerprint, which is checked whenever it is read, and by the header that it has to
//! open.

use super::error::KeyringError;
use super::fingerprint::Fingerprint;
use super::unlocked::UnlockedVolume;
use super::volume_header::VolumeHeader;
use crate::base::{DecodeError, Reader, VolumeId};
use crate::crypto::{CryptoError, SecretBytes, SecretKey, same};

const MAGIC: [u8; 8] = *b"hushfs-s";
const FORMAT: u16 = 1;

/// A volume key on its way into or out of a place that keeps it. Has neither `Debug` nor `Clone`.
pub struct KeptKey {
    volume: VolumeId,
    fingerprint: Fingerprint,
    vmk: SecretKey,
}

impl KeptKey {
    /// Length of [`Self::encode`]'s bytes.
    pub const LEN: usize = 8 + 2 + VolumeId::LEN + Fingerprint::LEN + SecretKey::LEN;

    /// The key of an unlocked volume.
    pub fn of(unlocked: &UnlockedVolume) -> Self {
        Self {
            volume: unlocked.volume(),
            fingerprint: unlocked.fingerprint(),
            vmk: SecretKey::copy_of(unlocked.volume_key().expose()),
        }
    }

    /// The only volume that it can open.
    pub fn volume(&self) -> VolumeId {
        self.volume
    }

    /// Its fingerprint, which may be shown.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// What a place is given to keep.
    pub fn encode(&self) -> SecretBytes {
        // Filled without growing: a buffer that grows leaves copies behind.
        let mut bytes = Vec::with_capacity(Self::LEN);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        bytes.extend_from_slice(&self.volume.0);
        bytes.extend_from_slice(&self.fingerprint.0);
        bytes.extend_from_slice(self.vmk.expose());
        SecretBytes::new(bytes)
    }

    /// Reads what a place gave back for `volume`.
    ///
    /// # Errors
    /// `Damaged` when it is not what was kept; `AnotherVolume`; `NewerFormat`.
    pub fn decode(bytes: &[u8], volume: VolumeId) -> Result<Self, KeyringError> {
        let mut reader = Reader::new(bytes);
        if reader.array("magic")? != MAGIC {
            return Err(DecodeError::Invalid("magic").into());
        }
        match reader.u16("format")? {
            FORMAT => {}
            format => return Err(KeyringError::NewerFormat(format!("a kept key of format {format}"))),
        }
        let found = VolumeId(reader.array("volume id")?);
        let fingerprint = Fingerprint(reader.array("fingerprint")?);
        let key: &[u8; SecretKey::LEN] = reader
            .raw(SecretKey::LEN, "volume key")?
            .first_chunk()
            .ok_or(DecodeError::Truncated("volume key"))?;
        let vmk = SecretKey::copy_of(key);
        reader.end()?;
        if found != volume {
            return Err(KeyringError::AnotherVolume { known: volume, found });
        }
        let derived = Fingerprint::derive(&vmk, volume).map_err(KeyringError::Derivation)?;
        if !same(&derived.0, &fingerprint.0) {
            return Err(DecodeError::Invalid("fingerprint").into());
        }
        Ok(Self { volume, fingerprint, vmk })
    }
}

impl VolumeHeader {
    /// As [`VolumeHeader::unlock`], with the volume key itself.
    pub(super) fn unlock_kept(&self, kept: &KeptKey) -> Result<UnlockedVolume, KeyringError> {
        if self.volume() != kept.volume {
            return Err(KeyringError::AnotherVolume { known: kept.volume, found: self.volume() });
        }
        self.unlock_with(SecretKey::copy_of(kept.vmk.expose())).map_err(|error| match error {
            KeyringError::Derivation(CryptoError::WrongKey) => KeyringError::VolumeKeyReplaced,
            error => error,
        })
    }
}
