//! The volume's keys at work: starts, opens and checks objects.

use std::sync::Arc;

use crate::base::{Epoch, ObjectId, Random, VolumeId};
use crate::crypto::{Purpose, SALT_LEN, SealingKeys, SecretKey};
use crate::keyring::{EncryptionSettings, EpochKeys, EpochKeysError, UnlockedVolume};

use super::error::{RenewError, VaultError};
use super::frame::{FRAME_OVERHEAD, MAX_CHUNK};
use super::header::{HEADER_LEN, ObjectHeader};
use super::kind::ObjectKind;
use super::opener::Opener;
use super::ring::{Renewed, Ring};
use super::sealer::Sealer;

/// The volume's keys, ready for use. Clones share them, and learn of new epochs together.
#[derive(Clone)]
pub struct Vault {
    volume: VolumeId,
    ring: Arc<Ring>,
}

impl Vault {
    /// The vault of `volume`; `keys` know which epoch is current, and stay as they are.
    pub fn new(volume: VolumeId, keys: Arc<EpochKeys>) -> Self {
        Self { volume, ring: Arc::new(Ring::fixed(keys)) }
    }

    /// The vault of a volume whose header was unlocked. Keeps a copy of the volume key, for
    /// [`Vault::renew`].
    pub fn of(unlocked: &UnlockedVolume) -> Self {
        Self { volume: unlocked.volume(), ring: Arc::new(Ring::of(unlocked)) }
    }

    /// Takes over the keys of `untrusted`, the `volume` object as it came from the bucket, when it is
    /// authentic and newer than the header known. From then on all clones seal under its current epoch;
    /// what was sealed under older ones can still be opened while this process lives.
    ///
    /// # Errors
    /// `Fixed`, `Older`, `Header`; nothing has changed then.
    pub fn renew(&self, untrusted: &[u8]) -> Result<Renewed, RenewError> {
        self.ring.renew(untrusted)
    }

    /// Whether everybody with the newest header known here can open what is sealed under `epoch`.
    pub fn lists(&self, epoch: Epoch) -> bool {
        self.ring.lists(epoch)
    }

    /// A vault from bare key bytes, for tests, benchmarks and tools that have no volume header.
    ///
    /// # Errors
    /// When `current` is not among `keys` or an epoch occurs twice.
    pub fn from_epoch_keys(
        volume: VolumeId,
        current: Epoch,
        keys: &[(Epoch, [u8; SecretKey::LEN])],
    ) -> Result<Self, EpochKeysError> {
        let keys = keys.iter().map(|(epoch, key)| (*epoch, SecretKey::copy_of(key)));
        Ok(Self::new(volume, Arc::new(EpochKeys::new(current, keys)?)))
    }

    /// The volume that all objects belong to.
    pub fn volume(&self) -> VolumeId {
        self.volume
    }

    /// The generation of the newest header known here; 0 for a vault without a header.
    pub fn generation(&self) -> u64 {
        self.ring.generation()
    }

    /// The encryption at rest that the newest header names.
    pub fn encryption(&self) -> EncryptionSettings {
        self.ring.encryption()
    }

    /// The epoch keys of the moment.
    pub(super) fn keys(&self) -> Arc<EpochKeys> {
        self.ring.keys()
    }

    /// The epoch that new objects are sealed under.
    pub fn epoch(&self) -> Epoch {
        self.ring.keys().current()
    }

    /// Starts a new object: fresh salt, own key, nonce base and commitment.
    ///
    /// # Errors
    /// `UnknownEpoch` when the current epoch has no key, which [`EpochKeys`] rules out.
    pub fn sealer(&self, kind: ObjectKind, id: ObjectId, random: &dyn Random) -> Result<Sealer, VaultError> {
        let mut salt = [0; SALT_LEN];
        random.fill(&mut salt);
        // Once: the epoch may change at any moment.
        let ring = self.ring.keys();
        let header = ObjectHeader { kind, epoch: ring.current(), volume: self.volume, object: id, salt };
        let keys = derive(&ring, &header)?;
        Ok(Sealer::new(&header, keys))
    }

    /// Checks the header (format, suite, kind, volume, id, epoch, commitment) and derives the keys.
    /// `header` is the start of the object; bytes after the first [`HEADER_LEN`] are not looked at.
    ///
    /// # Errors
    /// `Tampered` when it is not the header of this object; `Unsupported` for another format or suite;
    /// `UnknownEpoch` for one without a key.
    pub fn opener(&self, kind: ObjectKind, id: ObjectId, header: &[u8]) -> Result<Opener, VaultError> {
        let (header, commitment) = ObjectHeader::decode(header, kind, self.volume, id)?;
        let keys = derive(&self.ring.keys(), &header)?;
        keys.check(&commitment).map_err(|error| VaultError::crypto(id, error))?;
        Ok(Opener::new(&header, keys))
    }

    /// Header and as many frames as needed, the last one final. `plain` may be empty (one empty frame).
    ///
    /// # Errors
    /// `Bounds` beyond 2^32 chunks.
    pub fn seal_object(
        &self,
        kind: ObjectKind,
        id: ObjectId,
        plain: &[u8],
        random: &dyn Random,
    ) -> Result<Vec<u8>, VaultError> {
        let mut sealer = self.sealer(kind, id, random)?;
        let frames = plain.len().div_ceil(MAX_CHUNK).max(1);
        let mut out = Vec::with_capacity(HEADER_LEN + plain.len() + frames * FRAME_OVERHEAD);
        out.extend_from_slice(sealer.header());
        for number in 0..frames {
            let start = number * MAX_CHUNK;
            let chunk = &plain[start..plain.len().min(start + MAX_CHUNK)];
            sealer.seal(chunk, number + 1 == frames, &mut out)?;
        }
        Ok(out)
    }

    /// The inverse of [`Vault::seal_object`]: all frames in order, the last one final, nothing after it,
    /// and at most `max_plain` bytes in total.
    ///
    /// # Errors
    /// As [`Vault::opener`]; `Tampered` for anything else.
    pub fn open_object(
        &self,
        kind: ObjectKind,
        id: ObjectId,
        sealed: &[u8],
        max_plain: usize,
    ) -> Result<Vec<u8>, VaultError> {
        let mut plain = Vec::new();
        self.walk(kind, id, sealed, max_plain, |chunk| plain.extend_from_slice(chunk))?;
        Ok(plain)
    }

    /// Opens an object from end to end like [`Vault::open_object`], but keeps nothing of it.
    ///
    /// # Errors
    /// As [`Vault::open_object`].
    pub fn verify_object(
        &self,
        kind: ObjectKind,
        id: ObjectId,
        sealed: &[u8],
        max_plain: usize,
    ) -> Result<(), VaultError> {
        self.walk(kind, id, sealed, max_plain, |_| {})
    }

    /// Hands out the chunks of an object in order, one at a time.
    fn walk(
        &self,
        kind: ObjectKind,
        id: ObjectId,
        sealed: &[u8],
        max_plain: usize,
        mut each: impl FnMut(&[u8]),
    ) -> Result<(), VaultError> {
        let opener = self.opener(kind, id, sealed)?;
        let (mut rest, mut room) = (&sealed[HEADER_LEN..], max_plain);
        let mut number: u32 = 0;
        loop {
            let (chunk, after) = opener.open_next(number, rest, room)?;
            each(&chunk);
            if after.is_empty() {
                return Ok(());
            }
            room -= chunk.len();
            rest = after;
            number = number
                .checked_add(1)
                .ok_or_else(|| VaultError::object(id, "has more chunks than there are numbers"))?;
        }
    }

    /// The epoch that the header of an object claims. Nothing is authenticated: for counting only.
    ///
    /// # Errors
    /// As [`Vault::opener`], for everything that can be told without a key.
    pub fn claimed_epoch(&self, kind: ObjectKind, id: ObjectId, header: &[u8]) -> Result<Epoch, VaultError> {
        Ok(ObjectHeader::decode(header, kind, self.volume, id)?.0.epoch)
    }
}

fn derive(keys: &EpochKeys, header: &ObjectHeader) -> Result<SealingKeys, VaultError> {
    let unknown = VaultError::UnknownEpoch { object: header.object, epoch: header.epoch };
    let key = keys.get(header.epoch).ok_or(unknown)?;
    SealingKeys::derive(key.expose(), &header.salt, Purpose::Object, &header.bound())
        .map_err(|error| VaultError::crypto(header.object, error))
}
