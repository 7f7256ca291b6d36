//! What goes wrong in a folder, and what a bucket calls it.

use std::io;

use rustix::io::Errno;
use thiserror::Error;

use crate::object::error::{BucketError, ErrorKind};

/// A failed file operation, before it is known in whose name it was done.
#[derive(Debug, Error)]
pub(super) enum Trouble {
    /// A system call failed.
    #[error(transparent)]
    Os(#[from] Errno),
    /// A file stands where a key needs a folder.
    #[error("a file stands where a folder is needed")]
    FileInTheWay,
    /// What is there cannot be an object, or must not be touched.
    #[error("{1}")]
    Refused(ErrorKind, &'static str),
    /// The standard library's view of a failed system call.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// An error that already carries its kind and key.
    #[error(transparent)]
    Bucket(#[from] BucketError),
}

impl Trouble {
    /// The bucket's error for it.
    pub(super) fn into_error(self, operation: &'static str, key: &str) -> BucketError {
        let kind = match &self {
            Self::Os(errno) => kind_of(*errno),
            // Whoever looks finds nothing; whoever writes cannot.
            Self::FileInTheWay if operation == "put" => ErrorKind::Invalid,
            Self::FileInTheWay => ErrorKind::NotFound,
            Self::Refused(kind, _) => *kind,
            Self::Io(error) => kind_of_io(error),
            Self::Bucket(_) => ErrorKind::Invalid,
        };
        match self {
            Self::Bucket(error) => error,
            other => BucketError::new(kind, operation, key, other),
        }
    }
}

fn kind_of_io(error: &io::Error) -> ErrorKind {
    match Errno::from_io_error(error) {
        Some(errno) => kind_of(errno),
        None if error.kind() == io::ErrorKind::UnexpectedEof => ErrorKind::Corrupt,
        None => ErrorKind::Transient,
    }
}

/// Groups errno values (see errno(3)); disks and network disks recover from what is not named here.
fn kind_of(errno: Errno) -> ErrorKind {
    match errno {
        Errno::NOENT => ErrorKind::NotFound,
        Errno::EXIST => ErrorKind::Precondition,
        Errno::ACCESS | Errno::PERM | Errno::ROFS => ErrorKind::Denied,
        Errno::NOSPC | Errno::DQUOT | Errno::FBIG | Errno::MLINK => ErrorKind::Full,
        Errno::LOOP
        | Errno::NOTDIR
        | Errno::ISDIR
        | Errno::NAMETOOLONG
        | Errno::INVAL
        | Errno::ILSEQ
        | Errno::NOSYS
        | Errno::OPNOTSUPP => ErrorKind::Invalid,
        _ => ErrorKind::Transient,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errno_is_grouped_by_what_the_caller_can_do() {
        for (errno, kind) in [
            (Errno::NOSPC, ErrorKind::Full),
            (Errno::DQUOT, ErrorKind::Full),
            (Errno::ACCESS, ErrorKind::Denied),
            (Errno::ROFS, ErrorKind::Denied),
            (Errno::IO, ErrorKind::Transient),
            (Errno::STALE, ErrorKind::Transient),
            (Errno::NAMETOOLONG, ErrorKind::Invalid),
            (Errno::NOENT, ErrorKind::NotFound),
        ] {
            assert_eq!(Trouble::Os(errno).into_error("put", "k").kind, kind, "{errno}");
            assert_eq!(Trouble::Io(errno.into()).into_error("put", "k").kind, kind, "{errno}");
        }
    }
}
