//! From BUCKET to a bucket of an S3 server (these commands have nothing to do with folders), and back from a change
//! of it to what the bucket then says.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::cli::bucket_args::S3Args;
use crate::cli::exit::{Exit, refuse};
use crate::object::{BucketError, ErrorKind, Location, S3Bucket, open};

/// How often the bucket is asked whether it says what it was told, and how long it is given at first. S3 takes a
/// moment to spread a bucket's settings (S3 user guide, "Consistency model").
const ASKED: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(100);

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
    reached.ok_or_else(|| folder_refused(location))
}

/// Says that a folder is no bucket of a server.
pub fn folder_refused(location: &Location) -> anyhow::Error {
    let why =
        format!("{location} is a folder: it has no policy and no encryption of its own; give s3://bucket");
    refuse(Exit::Usage, why)
}

/// Adds to a denial which permission the request takes. What is not found is the bucket.
pub fn needs(permission: &'static str) -> impl Fn(BucketError) -> anyhow::Error {
    move |error| match error.kind {
        ErrorKind::NotFound => refuse(Exit::NoVolume, format!("there is no such bucket: {}", error.source)),
        ErrorKind::Denied => {
            anyhow::Error::new(error).context(format!("this takes the permission {permission}"))
        }
        _ => error.into(),
    }
}

/// Asks until the answer fits what was just changed. `Err` holds the last answer where none did.
///
/// # Errors
/// Those of asking.
pub async fn settled<T>(
    ask: impl AsyncFn() -> Result<T>,
    fits: impl Fn(&T) -> bool,
) -> Result<std::result::Result<T, T>> {
    settled_after(FIRST_PAUSE, ask, fits).await
}

async fn settled_after<T>(
    mut pause: Duration,
    ask: impl AsyncFn() -> Result<T>,
    fits: impl Fn(&T) -> bool,
) -> Result<std::result::Result<T, T>> {
    for _ in 1..ASKED {
        let said = ask().await?;
        if fits(&said) {
            return Ok(Ok(said));
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    let said = ask().await?;
    Ok(if fits(&said) { Ok(said) } else { Err(said) })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_change_is_waited_for_but_not_for_ever() {
        let asked = AtomicU32::new(0);
        let ask = async || Ok(asked.fetch_add(1, Ordering::SeqCst));
        assert_eq!(settled_after(Duration::ZERO, ask, |said| *said == 3).await.unwrap(), Ok(3));
        assert_eq!(settled_after(Duration::ZERO, ask, |said| *said > 1000).await.unwrap(), Err(3 + ASKED));
    }
}
