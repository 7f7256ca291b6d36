use std::sync::Arc;
use crate::base::{Epoch, ObjectId, Random, VolumeId};

/// What an object is for; part of its key derivation, so one kind never passes for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectKind { LogEntry = 1, TreePack = 2, Segment = 3, Keyring = 4, Local = 5 }

/// Bytes of the plain header in front of every sealed object.
pub const HEADER_LEN: usize = 128;
/// Bytes of a frame that are not the chunk's stored bytes: frame header and tag.
pub const FRAME_OVERHEAD: usize = 24;
/// Largest plaintext of one chunk.
pub const MAX_CHUNK: usize = 128 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// Not ours, damaged or forged: never trusted, never shown. Says object id, chunk and check.
    #[error("{0}")] Tampered(String),
    /// The object names a newer format, suite or an epoch this keyring lacks.
    #[error("{0}")] Unsupported(String),
    /// The caller broke a bound (chunk too long, too many chunks).
    #[error("{0}")] Bounds(String),
}

/// The volume's keys, ready for use. Cheap to clone (Arc inside), Send + Sync.
#[derive(Clone)]
pub struct Vault { _inner: Arc<()> }

impl Vault {
    pub fn volume(&self) -> VolumeId { todo!() }
    /// The epoch that new objects are sealed under.
    pub fn epoch(&self) -> Epoch { todo!() }
    /// Starts a new object: fresh salt, own key, nonce base and commitment.
    pub fn sealer(&self, _kind: ObjectKind, _id: ObjectId, _random: &dyn Random) -> Result<Sealer, VaultError> { todo!() }
    /// Checks the header (format, suite, kind, volume, id, epoch, commitment) and derives the keys.
    pub fn opener(&self, _kind: ObjectKind, _id: ObjectId, _header: &[u8]) -> Result<Opener, VaultError> { todo!() }
    /// Header and as many frames as needed, the last one final. `plain` may be empty (one empty frame).
    pub fn seal_object(&self, _kind: ObjectKind, _id: ObjectId, _plain: &[u8], _random: &dyn Random) -> Result<Vec<u8>, VaultError> { todo!() }
    /// The inverse; refuses more than `max_plain` bytes, missing final frame, trailing bytes.
    pub fn open_object(&self, _kind: ObjectKind, _id: ObjectId, _sealed: &[u8], _max_plain: usize) -> Result<Vec<u8>, VaultError> { todo!() }
}

/// One object in the making: frames are numbered 0, 1, 2, … in the order of calls.
pub struct Sealer { _p: () }
impl Sealer {
    /// The first `HEADER_LEN` bytes of the object.
    pub fn header(&self) -> &[u8; HEADER_LEN] { todo!() }
    /// Compresses (if it pays), seals and appends one frame to `out`; returns the frame's length in bytes.
    pub fn seal(&mut self, _plain: &[u8], _last: bool, _out: &mut Vec<u8>) -> Result<u32, VaultError> { todo!() }
}

/// Opens frames of one object in any order. Clone + Send + Sync.
#[derive(Clone)]
pub struct Opener { _inner: Arc<()> }
impl Opener {
    /// `frame` is exactly one frame, as long as `Sealer::seal` said. `last` must be what it was sealed with.
    pub fn open(&self, _number: u32, _last: bool, _frame: &[u8]) -> Result<Vec<u8>, VaultError> { todo!() }
}
