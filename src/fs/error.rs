//! Why a system call fails, grouped by who has to act: the caller, the kernel's caches, or the volume.
//!
//! The number each error becomes stands in [`super::errno`], and nowhere else.

use thiserror::Error;

use crate::base::Ino;
use crate::data::DataError;
use crate::meta::apply::ApplyError;
use crate::meta::tree::PackRef;
use crate::meta::view::ReadError;
use crate::object::ErrorKind;
use crate::volume::{NeedsPack, VolumeError};

/// Why a file operation was not done. Nothing changed when one is returned, unless the operation says so.
#[derive(Debug, Error)]
pub enum FsError {
    // What the caller asked for is against the rules of POSIX.
    /// No entry of this name.
    #[error("no such entry")]
    NotFound,
    /// An entry of this name (or an attribute that must be new) exists.
    #[error("it exists already")]
    Exists,
    /// A directory is needed, something else stands there.
    #[error("not a directory")]
    NotDirectory,
    /// Something other than a directory is needed.
    #[error("is a directory")]
    IsDirectory,
    /// A directory still has entries.
    #[error("the directory is not empty")]
    NotEmpty,
    /// A directory would become its own ancestor.
    #[error("a directory cannot move into itself")]
    IntoItself,
    /// The inode has as many names as it can have.
    #[error("too many links")]
    TooManyLinks,
    /// A name of more than 255 bytes, or a symlink target of more than 4095.
    #[error("the name is too long")]
    NameTooLong,
    /// Nobody may do this.
    #[error("not permitted")]
    NotPermitted,
    /// The caller may not do this, or not to this kind of file.
    #[error("permission denied")]
    Denied,
    /// An argument is out of its range.
    #[error("invalid argument: {0}")]
    Invalid(&'static str),
    /// A file would become larger than the volume's limit.
    #[error("the file would be too big")]
    TooBig,
    /// No data (or no hole) follows this offset.
    #[error("nothing at or after this offset")]
    NoSuchOffset,
    /// The inode has no such extended attribute.
    #[error("no such attribute")]
    NoXattr,
    /// The caller's buffer is too small for the attribute.
    #[error("the buffer is too small")]
    BufferTooSmall,
    /// The attribute is larger than attributes can be.
    #[error("the attribute is too big")]
    XattrTooBig,
    /// The volume cannot do this to this file.
    #[error("not supported")]
    NotSupported,

    // The caller's picture is old.
    /// The kernel knows this inode, the volume does not any more: look up the path again.
    #[error("inode {0} is gone")]
    Stale(Ino),
    /// Another writer changed the same thing first.
    #[error("changed by another writer")]
    Changed,

    // The volume does not take it.
    /// Over the quota.
    #[error("no space left within the quota")]
    NoSpace,
    /// Mounted read-only.
    #[error("the volume is mounted read-only")]
    ReadOnly,
    /// The volume has another volume key than when it was mounted: nothing can be committed.
    #[error(transparent)]
    KeyReplaced(VolumeError),
    /// The bucket, or the disk that holds it, is full: what was accepted waits until there is room.
    #[error(transparent)]
    StoreFull(VolumeError),

    // The volume is in trouble: the reason is logged.
    /// A tree pack must be fetched first; the volume does that and calls again, so nobody else sees this.
    #[error("tree pack {} is not in memory", .0.id)]
    Missing(PackRef),
    /// Metadata that is not what its reference promised.
    #[error("{0}")]
    Corrupt(String),
    /// File content that cannot be fetched or verified.
    #[error(transparent)]
    Data(DataError),
    /// The volume cannot go on for now.
    #[error(transparent)]
    Volume(VolumeError),
    /// The code that served this request panicked; the mount goes on.
    #[error("a defect stopped this request: {0}")]
    Panicked(String),
}

impl From<ReadError> for FsError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Missing(pack) => Self::Missing(pack),
            ReadError::Corrupt(what) | ReadError::Unfetched(_, what) => Self::Corrupt(what),
        }
    }
}

impl From<ApplyError> for FsError {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Read(error) => error.into(),
            ApplyError::NoInode(ino) => Self::Stale(ino),
            ApplyError::NoEntry => Self::NotFound,
            ApplyError::Exists | ApplyError::XattrExists => Self::Exists,
            ApplyError::NotDirectory => Self::NotDirectory,
            ApplyError::IsDirectory => Self::IsDirectory,
            ApplyError::NotEmpty => Self::NotEmpty,
            ApplyError::Loop => Self::IntoItself,
            ApplyError::TooManyLinks => Self::TooManyLinks,
            ApplyError::NoXattr => Self::NoXattr,
            ApplyError::Changed => Self::Changed,
            ApplyError::Quota => Self::NoSpace,
            ApplyError::Invalid(what) => Self::Invalid(what),
        }
    }
}

impl From<VolumeError> for FsError {
    fn from(error: VolumeError) -> Self {
        match error {
            VolumeError::Apply(error) => error.into(),
            VolumeError::Data(error) => error.into(),
            VolumeError::ReadOnly => Self::ReadOnly,
            other if other.is_locked_out() => Self::KeyReplaced(other),
            other if other.kind() == Some(ErrorKind::Full) => Self::StoreFull(other),
            other => Self::Volume(other),
        }
    }
}

impl FsError {
    /// An object that the metadata names does not exist (any more).
    pub fn is_gone(&self) -> bool {
        match self {
            Self::Data(error) => error.is_gone(),
            Self::Volume(error) => error.is_gone(),
            _ => false,
        }
    }

    /// The way back, for the cut: what stopped a file from settling stops the commit.
    pub fn into_volume(self) -> VolumeError {
        match self {
            Self::Volume(error) | Self::KeyReplaced(error) | Self::StoreFull(error) => error,
            Self::Data(error) => VolumeError::Data(error),
            Self::ReadOnly => VolumeError::ReadOnly,
            Self::NoSpace => VolumeError::Apply(ApplyError::Quota),
            other => VolumeError::Corrupt(other.to_string()),
        }
    }
}

impl From<DataError> for FsError {
    fn from(error: DataError) -> Self {
        if error.kind() == Some(ErrorKind::Full) {
            return Self::StoreFull(error.into());
        }
        Self::Data(error)
    }
}

impl NeedsPack for FsError {
    fn needs_pack(&self) -> Option<PackRef> {
        match self {
            Self::Missing(pack) => Some(*pack),
            _ => None,
        }
    }
}
