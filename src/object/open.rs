//! From a location to a bucket: the one place that knows every backend.

use std::sync::Arc;

use super::bucket::Bucket;
use super::error::BucketResult;
use super::folder::FolderBucket;
use super::location::Location;
use super::s3::{S3Bucket, S3Options};
use crate::base::{OsRandom, SystemClock};

/// A bucket, and what is special to S3 about it.
pub struct Reached {
    pub bucket: Arc<dyn Bucket>,
    /// The same bucket, where it is on an S3 server: its link and its own settings.
    pub s3: Option<Arc<S3Bucket>>,
}

/// Opens the bucket at `location`, which must exist. `s3` is ignored for folders.
///
/// # Errors
/// `NotFound` when the folder is missing, `Denied` without access, `Invalid` for options that make no
/// sense, `Insecure`
/// for a server that would be reached without protection. An S3 bucket is not contacted: the first request tells.
pub async fn open(location: &Location, s3: &S3Options) -> BucketResult<Reached> {
    match location {
        Location::S3 { bucket, prefix } => {
            let s3 = Arc::new(S3Bucket::connect(bucket, prefix, s3).await?);
            Ok(Reached { bucket: Arc::<S3Bucket>::clone(&s3), s3: Some(s3) })
        }
        Location::Folder(path) => {
            let folder = FolderBucket::open(path, Arc::new(SystemClock), Arc::new(OsRandom)).await?;
            Ok(Reached { bucket: Arc::new(folder), s3: None })
        }
    }
}

/// As [`open`], but makes the folder (mode 0700, durable) when only its last part is missing. For `init`;
/// a mount must not take an empty mount point for a new bucket.
///
/// # Errors
/// As [`open`]; `NotFound` when the folder's parent is missing.
pub async fn open_or_create(location: &Location, s3: &S3Options) -> BucketResult<Reached> {
    if let Location::Folder(path) = location {
        FolderBucket::create(path).await?;
    }
    open(location, s3).await
}
