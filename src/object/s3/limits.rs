//! How long a request may take and how much it may carry.
//!
//! A connection that hangs must become `Transient` in the end. The limits grow with the body, so that a
//! slow line shared by several uploads is not mistaken for a dead one; stalls within a body are noticed
//! much earlier by the SDK's stalled-stream protection.

use std::time::Duration;

use super::S3Bucket;
use crate::object::error::{BucketError, BucketResult, ErrorKind};

/// For a request with a small body.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// The slowest line that is waited for, in bytes per second and request.
const SLOWEST: u64 = 16 << 10;
/// The largest body that is taken from a store in one request. Objects of the format are far smaller; a
/// store that announces more is not believed.
pub(super) const MAX_BODY: u64 = 256 << 20;

impl S3Bucket {
    /// With another time limit for requests with small bodies than a minute, for tests.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Waits for `request` no longer than is reasonable for `bytes`.
    ///
    /// # Errors
    /// Those of the request; `Transient` when time is up.
    pub(super) async fn within<T>(
        &self,
        operation: &'static str,
        key: &str,
        bytes: u64,
        request: impl Future<Output = BucketResult<T>>,
    ) -> BucketResult<T> {
        limited(self.patience, operation, key, bytes, request).await
    }
}

/// As [`S3Bucket::within`], with the usual limit.
///
/// # Errors
/// The same.
pub(super) async fn within<T>(
    operation: &'static str,
    key: &str,
    bytes: u64,
    request: impl Future<Output = BucketResult<T>>,
) -> BucketResult<T> {
    limited(PATIENCE, operation, key, bytes, request).await
}

async fn limited<T>(
    patience: Duration,
    operation: &'static str,
    key: &str,
    bytes: u64,
    request: impl Future<Output = BucketResult<T>>,
) -> BucketResult<T> {
    let limit = patience + Duration::from_secs(bytes / SLOWEST);
    tokio::time::timeout(limit, request).await.unwrap_or_else(|_elapsed| {
        let why = format!("no answer within {} s", limit.as_secs());
        Err(BucketError::new(ErrorKind::Transient, operation, key, why))
    })
}
