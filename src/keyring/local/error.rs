//! Errors of the local keyring, grouped by what the user can do.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::base::{DecodeError, VolumeId};
use crate::crypto::CryptoError;
use crate::keyring::Fingerprint;

/// A local keyring that was not used, and why.
#[derive(Debug, Error)]
pub enum LocalError {
    /// Folder or file is not private to the caller.
    #[error("{path:?} is refused: it {reason}")]
    NotPrivate { path: PathBuf, reason: &'static str },
    /// A system call failed.
    #[error("cannot {operation} {path:?}")]
    Io { operation: &'static str, path: PathBuf, source: io::Error },
    /// A file is not what was written, by accident or by hand.
    #[error(
        "{path:?} is damaged; if you are sure that the bucket is the right one, remove the file (the next command wants --fingerprint then)"
    )]
    Damaged { path: PathBuf, source: DecodeError },
    /// The same of the file with this machine's id, which says nothing of any volume.
    #[error(
        "{path:?} is damaged; it holds the id that this machine goes by in volumes. Remove the file: a new id is drawn then, and volumes that this machine knows keep the old one"
    )]
    DamagedMachine { path: PathBuf, source: DecodeError },
    /// The same of a key that was kept, which is no loss.
    #[error("{path:?} is damaged; forget it (`hushfs lock`) and unlock the volume again")]
    DamagedKept { path: PathBuf, source: DecodeError },
    /// The same, found out with the right passphrase.
    #[error("{path:?} is refused; forget it (`hushfs lock`) and unlock the volume again")]
    RefusedKept { path: PathBuf, source: CryptoError },
    /// The passphrase does not open the kept key.
    #[error("wrong passphrase: it does not open the key that is kept in {path:?}")]
    WrongPassphrase { path: PathBuf },
    /// A record that the volume key does not authenticate.
    #[error(
        "{path:?} was not written with this volume's key; if you are sure that the bucket is the right one, remove the file (the next command wants --fingerprint then)"
    )]
    Forged { path: PathBuf, source: CryptoError },
    /// The record of a volume that this machine has used is not there any more.
    #[error(
        "{path:?} is gone: this machine has used volume {volume} before, and what it had seen of it last was in there"
    )]
    Lost { path: PathBuf, volume: VolumeId },
    /// The place held another volume the last time.
    #[error("{place} holds volume {found}, but this machine knows volume {pinned} there")]
    AnotherVolume { place: String, pinned: VolumeId, found: VolumeId },
    /// The volume has the known id, but another volume key.
    #[error("volume {volume} has the key {found}, but this machine knows it with the key {pinned}")]
    AnotherKey { volume: VolumeId, pinned: Fingerprint, found: Fingerprint },
    /// The bucket serves a volume header that was replaced since.
    #[error(
        "the volume header has generation {found}, but this machine has seen {seen}: an older copy was put in its place"
    )]
    OlderHeader { seen: u64, found: u64 },
    /// The record could not be sealed.
    #[error("the local record could not be sealed")]
    Sealing { source: CryptoError },
    /// A place or a list of places that is too long to remember.
    #[error("{0}")]
    Bounds(&'static str),
}
