//! Whole objects that the bucket lists. One that cannot be had is a problem by its name, and no end of the check.

use super::super::{Volume, VolumeError};
use super::FsckReport;
use crate::object::{ErrorKind, Fetched, get_at_most};

/// Fetches a listed object of at most `most` bytes; None where that is a problem of it, which is reported.
///
/// # Errors
/// When the bucket cannot be read.
pub(super) fn fetch(
    volume: &Volume,
    key: &str,
    most: u64,
    report: &mut FsckReport,
) -> Result<Option<Fetched>, VolumeError> {
    match volume.runtime().block_on(get_at_most(&*volume.environment().bucket, key, most)) {
        Ok(fetched) => Ok(Some(fetched)),
        Err(error) if error.kind == ErrorKind::Corrupt => {
            report.problem(format!("{key}: {}", error.source));
            Ok(None)
        }
        Err(error) if error.kind == ErrorKind::NotFound => {
            report.problem(format!("{key} is listed, but cannot be had: {}", error.source));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}
