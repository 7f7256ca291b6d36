//! Requests about the bucket itself: its settings, not its objects. One file per question.
//!
//! They need permissions of their own, which [`super::S3Bucket`] does not need for a volume, and every one says
//! which. A question that is asked of the bucket carries its subresource (`?policy`) in the place of a key in errors.
//! Unlike requests for objects these are repeated by the SDK when the trouble is passing: each is idempotent, and no
//! decorator stands above them.

mod default_encryption;
mod lifecycle;
mod object_lock;
mod policy;
mod public_access;
mod uploads;
mod versioning;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{Builder, Config};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

pub use self::default_encryption::BucketDefault;
pub use self::lifecycle::LifecycleRule;
pub use self::object_lock::ObjectLock;
pub use self::public_access::PublicAccessBlock;
pub use self::uploads::Uploads;
pub use self::versioning::Versioning;
use super::error::{refusal_of, translate};
use super::limits::within;
use crate::object::error::{BucketError, BucketResult, ErrorKind};

/// For `customize().config_override(…)` of each request here: three attempts.
fn repeated() -> Builder {
    Config::builder().retry_config(RetryConfig::standard())
}

/// Waits for a request on `subresource` (`?policy`) and translates its error.
async fn ask<T, E>(
    operation: &'static str,
    subresource: &str,
    request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
) -> BucketResult<T>
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let sent = async { request.await.map_err(|error| translate(operation, subresource, error)) };
    within(operation, subresource, 0, sent).await.map_err(|error| match error.kind {
        ErrorKind::Corrupt => {
            BucketError::new(ErrorKind::Unsupported, operation, subresource, Unknown(error))
        }
        _ => error,
    })
}

/// Ceph answers a question that it does not know with a list of the bucket: nothing is damaged.
#[derive(Debug, thiserror::Error)]
#[error("the answer is that to another question; this server does not seem to know this one")]
struct Unknown(#[source] BucketError);

/// `None` where the server says by `code` that the bucket has no such setting.
fn unless_missing<T>(reply: BucketResult<T>, code: &str) -> BucketResult<Option<T>> {
    match reply {
        Ok(reply) => Ok(Some(reply)),
        Err(error) if is_refused_with(&error, code) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_refused_with(error: &BucketError, code: &str) -> bool {
    matches!(refusal_of(error), Some((_, Some(said))) if said == code)
}
