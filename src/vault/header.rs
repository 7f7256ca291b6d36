//! The plain header in front of every sealed object.
//!
//! ```text
//!   0  8  magic "hushfs-o"        20 12  zero
//!   8  2  format                  32 16  volume id
//!  10  1  suite                   48 16  object id
//!  11  1  kind                    64 32  salt
//!  12  4  flags (none yet: zero)  96 32  key commitment
//!  16  4  epoch
//! ```
//!
//! Everything before the commitment is bound into the key derivation, so a changed header derives
//! other keys. The checks here only make for better messages; none of them is relied upon.

use crate::base::{Epoch, ObjectId, VolumeId};
use crate::crypto::{COMMITMENT_LEN, SALT_LEN, Suite};

use super::error::VaultError;
use super::kind::ObjectKind;

const MAGIC_LEN: usize = 8;
const FORMAT_AT: usize = MAGIC_LEN;
const SUITE_AT: usize = FORMAT_AT + 2;
const KIND_AT: usize = SUITE_AT + 1;
const FLAGS_AT: usize = KIND_AT + 1;
const EPOCH_AT: usize = FLAGS_AT + 4;
const ZERO_AT: usize = EPOCH_AT + 4;
const ZERO_LEN: usize = 12;
const VOLUME_AT: usize = ZERO_AT + ZERO_LEN;
const OBJECT_AT: usize = VOLUME_AT + VolumeId::LEN;
const SALT_AT: usize = OBJECT_AT + ObjectId::LEN;
/// Where the commitment starts and what is bound into the derivation ends.
pub(super) const BOUND_LEN: usize = SALT_AT + SALT_LEN;

/// Bytes of the plain header in front of every sealed object.
pub const HEADER_LEN: usize = BOUND_LEN + COMMITMENT_LEN;

const MAGIC: [u8; MAGIC_LEN] = *b"hushfs-o";
const FORMAT: u16 = 1;

/// What a header says about its object, commitment apart.
#[derive(Clone, Copy)]
pub(super) struct ObjectHeader {
    pub kind: ObjectKind,
    pub epoch: Epoch,
    pub volume: VolumeId,
    pub object: ObjectId,
    pub salt: [u8; SALT_LEN],
}

impl ObjectHeader {
    /// The bytes that the derivation covers.
    pub fn bound(&self) -> [u8; BOUND_LEN] {
        let mut bytes = [0; BOUND_LEN];
        bytes[..FORMAT_AT].copy_from_slice(&MAGIC);
        bytes[FORMAT_AT..SUITE_AT].copy_from_slice(&FORMAT.to_le_bytes());
        bytes[SUITE_AT] = Suite::CURRENT.to_byte();
        bytes[KIND_AT] = self.kind.to_byte();
        bytes[EPOCH_AT..ZERO_AT].copy_from_slice(&self.epoch.0.to_le_bytes());
        bytes[VOLUME_AT..OBJECT_AT].copy_from_slice(&self.volume.0);
        bytes[OBJECT_AT..SALT_AT].copy_from_slice(&self.object.0);
        bytes[SALT_AT..].copy_from_slice(&self.salt);
        bytes
    }

    /// The whole header.
    pub fn encode(&self, commitment: &[u8; COMMITMENT_LEN]) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[..BOUND_LEN].copy_from_slice(&self.bound());
        bytes[BOUND_LEN..].copy_from_slice(commitment);
        bytes
    }

    /// Reads the header of the object that the caller expects; returns it with its commitment.
    ///
    /// # Errors
    /// `Tampered` when it is no header or that of another object; `Unsupported` for another format,
    /// suite or flag.
    pub fn decode(
        untrusted: &[u8],
        kind: ObjectKind,
        volume: VolumeId,
        object: ObjectId,
    ) -> Result<(Self, [u8; COMMITMENT_LEN]), VaultError> {
        let wrong = |reason| VaultError::object(object, reason);
        let bytes = untrusted.first_chunk().ok_or_else(|| wrong("is shorter than a header"))?;
        if part(bytes, 0) != MAGIC {
            return Err(wrong("is not a sealed object"));
        }
        let format = u16::from_le_bytes(part(bytes, FORMAT_AT));
        let suite = bytes[SUITE_AT];
        let flags = u32::from_le_bytes(part(bytes, FLAGS_AT));
        if format != FORMAT || Suite::from_byte(suite).is_none() || flags != 0 {
            return Err(VaultError::Unsupported(format!(
                "object {object} has format {format}, suite {suite}, flags {flags:#x}, which this version of hushfs does not know"
            )));
        }
        if bytes[KIND_AT] != kind.to_byte() {
            return Err(wrong("is an object of another kind"));
        }
        if part(bytes, ZERO_AT) != [0; ZERO_LEN] {
            return Err(wrong("has bytes where its header must be zero"));
        }
        if part(bytes, VOLUME_AT) != volume.0 {
            return Err(wrong("belongs to another volume"));
        }
        if part(bytes, OBJECT_AT) != object.0 {
            return Err(wrong("is another object under this name"));
        }
        let epoch = Epoch(u32::from_le_bytes(part(bytes, EPOCH_AT)));
        Ok((Self { kind, epoch, volume, object, salt: part(bytes, SALT_AT) }, part(bytes, BOUND_LEN)))
    }
}

/// The epoch that the header of a sealed object names, whoever's object it is. Nothing is authenticated.
pub(super) fn claimed_epoch(untrusted: &[u8]) -> Option<Epoch> {
    let bytes = untrusted.first_chunk()?;
    let sealed = part(bytes, 0) == MAGIC && u16::from_le_bytes(part(bytes, FORMAT_AT)) == FORMAT;
    sealed.then(|| Epoch(u32::from_le_bytes(part(bytes, EPOCH_AT))))
}

/// What the first bytes of an object claim, whoever's it is. Nothing is authenticated: for audits only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    pub volume: VolumeId,
    pub epoch: Epoch,
}

impl Claim {
    /// `None` for what is not the beginning of a sealed object.
    pub fn of(untrusted: &[u8]) -> Option<Self> {
        let epoch = claimed_epoch(untrusted)?;
        let volume = VolumeId(part(untrusted.first_chunk()?, VOLUME_AT));
        Some(Self { volume, epoch })
    }
}

/// The `N` bytes of a header that start at `at`.
fn part<const N: usize>(header: &[u8; HEADER_LEN], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&header[at..at + N]);
    bytes
}
