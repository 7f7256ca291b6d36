//! From BUCKET to a bucket of an S3 server: these commands have nothing to do with folders.

use std::sync::Arc;

use anyhow::{Context, Result};

use crate::cli::bucket_args::S3Args;
use crate::cli::exit::{Exit, refuse};
use crate::object::{BucketError, ErrorKind, Location, S3Bucket, open};

/// Prepares to talk to the bucket at `location`; the first request tells whether it is there.
///
/// # Errors
/// `Usage` for a folder; what the S3 configuration lacks.
pub async fn reach(location: &Location, s3: &S3Args) -> Result<Arc<S3Bucket>> {
    let reached = match location {
        Location::S3 { .. } => {
            open(location, &s3.options()).await.with_context(|| format!("opening {location}"))?.s3
        }
        Location::Folder(_) => None,
    };
    reached.ok_or_else(|| {
        let why = format!(
            "{location} is a folder: it has no policy and no encryption of its own; give s3://bucket"
        );
        refuse(Exit::Usage, why)
    })
}

/// Adds to a denial which permission the request takes.
pub fn needs(permission: &'static str) -> impl Fn(BucketError) -> anyhow::Error {
    move |error| match error.kind {
        ErrorKind::Denied => {
            anyhow::Error::new(error).context(format!("this takes the permission {permission}"))
        }
        _ => error.into(),
    }
}
