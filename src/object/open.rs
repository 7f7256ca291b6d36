//! From a location to a bucket: the one place that knows every backend.

use std::sync::Arc;

use super::bucket::Bucket;
use super::error::BucketResult;
use super::folder::FolderBucket;
use super::location::Location;
use super::s3::{S3Bucket, S3Options};
use crate::base::{OsRandom, SystemClock};

/// Opens the bucket at `location`, which must exist. `s3` is ignored for folders.
///
/// # Errors
/// `NotFound` when the folder is missing, `Denied` without access, `Invalid` for options that make no
/// sense. An S3 bucket is not contacted: the first request tells.
pub async fn open(location: &Location, s3: &S3Options) -> BucketResult<Arc<dyn Bucket>> {
    match location {
        Location::S3 { bucket, prefix } => Ok(Arc::new(S3Bucket::connect(bucket, prefix, s3).await?)),
        Location::Folder(path) => {
            Ok(Arc::new(FolderBucket::open(path, Arc::new(SystemClock), Arc::new(OsRandom)).await?))
        }
    }
}

/// As [`open`], but makes the folder (mode 0700, durable) when only its last part is missing. For `init`;
/// a mount must not take an empty mount point for a new bucket.
///
/// # Errors
/// As [`open`]; `NotFound` when the folder's parent is missing.
pub async fn open_or_create(location: &Location, s3: &S3Options) -> BucketResult<Arc<dyn Bucket>> {
    if let Location::Folder(path) = location {
        FolderBucket::create(path).await?;
    }
    open(location, s3).await
}
