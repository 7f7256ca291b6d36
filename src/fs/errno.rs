//! The one place where errors become the kernel's numbers.

use super::error::FsError;
use crate::base::with_causes;

/// The errno of an error. Whatever becomes `EIO` is logged here with its whole chain of reasons, so that
/// every "input/output error" a user sees has exactly one line that explains it; and so is a full store, which
/// `df` does not show.
pub fn errno(error: &FsError) -> i32 {
    let number = match error {
        FsError::NotFound => libc::ENOENT,
        FsError::Exists => libc::EEXIST,
        FsError::NotDirectory => libc::ENOTDIR,
        FsError::IsDirectory => libc::EISDIR,
        FsError::NotEmpty => libc::ENOTEMPTY,
        FsError::IntoItself => libc::EINVAL,
        FsError::TooManyLinks => libc::EMLINK,
        FsError::NameTooLong => libc::ENAMETOOLONG,
        FsError::NotPermitted => libc::EPERM,
        FsError::Denied => libc::EACCES,
        FsError::Invalid(_) => libc::EINVAL,
        FsError::TooBig => libc::EFBIG,
        FsError::NoSuchOffset => libc::ENXIO,
        FsError::NoXattr => libc::ENODATA,
        FsError::BufferTooSmall => libc::ERANGE,
        FsError::XattrTooBig => libc::E2BIG,
        FsError::NotSupported => libc::EOPNOTSUPP,
        FsError::Stale(_) | FsError::Changed => libc::ESTALE,
        FsError::NoSpace | FsError::StoreFull(_) => libc::ENOSPC,
        FsError::ReadOnly => libc::EROFS,
        FsError::KeyReplaced(_) => libc::EKEYREVOKED,
        FsError::Missing(_)
        | FsError::Corrupt(_)
        | FsError::Data(_)
        | FsError::Volume(_)
        | FsError::Panicked(_) => libc::EIO,
    };
    if number == libc::EIO {
        log::error!("input/output error: {}", with_causes(error));
    } else if matches!(error, FsError::StoreFull(_)) {
        log::error!("no space: {}", with_causes(error));
    }
    number
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::{Ino, ObjectId};
    use crate::data::DataError;
    use crate::meta::apply::ApplyError;
    use crate::object::{BucketError, ErrorKind};
    use crate::volume::VolumeError;

    #[test]
    fn rules_of_posix_have_the_numbers_that_programs_expect() {
        for (error, number) in [
            (ApplyError::NoEntry, libc::ENOENT),
            (ApplyError::Exists, libc::EEXIST),
            (ApplyError::XattrExists, libc::EEXIST),
            (ApplyError::NoXattr, libc::ENODATA),
            (ApplyError::NotDirectory, libc::ENOTDIR),
            (ApplyError::IsDirectory, libc::EISDIR),
            (ApplyError::NotEmpty, libc::ENOTEMPTY),
            (ApplyError::Loop, libc::EINVAL),
            (ApplyError::TooManyLinks, libc::EMLINK),
            (ApplyError::Quota, libc::ENOSPC),
            (ApplyError::NoInode(Ino(7)), libc::ESTALE),
        ] {
            assert_eq!(errno(&FsError::from(error)), number);
        }
    }

    #[test]
    fn an_error_wrapped_by_the_volume_keeps_its_number() {
        assert_eq!(errno(&FsError::from(VolumeError::Apply(ApplyError::Quota))), libc::ENOSPC);
        assert_eq!(errno(&FsError::from(VolumeError::ReadOnly)), libc::EROFS);
    }

    #[test]
    fn a_full_store_is_no_space_however_it_was_noticed() {
        let full = || BucketError::new(ErrorKind::Full, "put", "data/1/00/0", "No space left on device");
        let data = DataError::Bucket { segment: ObjectId([0; 16]), source: Arc::new(full()) };
        let commit = VolumeError::from(Arc::new(VolumeError::Bucket(full())));
        for error in [FsError::from(data.clone()), VolumeError::from(data).into(), commit.into()] {
            assert_eq!(errno(&error), libc::ENOSPC);
            assert_eq!(errno(&FsError::from(error.into_volume())), libc::ENOSPC);
        }
    }

    #[test]
    fn the_line_that_explains_an_eio_names_the_object_and_the_cause() {
        let bucket =
            BucketError::new(ErrorKind::Transient, "get", "log/0000000000000007", "connection reset");
        let line = with_causes(&FsError::from(VolumeError::Bucket(bucket)));
        assert!(line.contains("log/0000000000000007") && line.contains("connection reset"), "{line}");
    }
}
