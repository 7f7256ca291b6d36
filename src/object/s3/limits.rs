//! How long a request may take and how much it may carry.
//!
//! A connection that hangs must become `Transient` in the end. The limits grow with the body, so that a
//! slow line shared by several uploads is not mistaken for a dead one; stalls within a body are noticed
//! much earlier by the SDK's stalled-stream protection.

use std::time::Duration;

use crate::object::error::{BucketError, BucketResult, ErrorKind};

/// For a request with a small body.
const BASE: Duration = Duration::from_secs(60);
/// The slowest line that is waited for, in bytes per second and request.
const SLOWEST: u64 = 16 << 10;
/// The largest body that is taken from a store in one request. Objects of the format are far smaller; a
/// store that announces more is not believed.
pub(super) const MAX_BODY: u64 = 256 << 20;

/// Time for a request that moves `bytes`.
pub(super) fn time_for(bytes: u64) -> Duration {
    BASE + Duration::from_secs(bytes / SLOWEST)
}

/// Waits for `request` no longer than is reasonable for `bytes`.
///
/// # Errors
/// Those of the request; `Transient` when time is up.
pub(super) async fn within<T>(
    operation: &'static str,
    key: &str,
    bytes: u64,
    request: impl Future<Output = BucketResult<T>>,
) -> BucketResult<T> {
    let limit = time_for(bytes);
    tokio::time::timeout(limit, request).await.unwrap_or_else(|_elapsed| {
        let why = format!("no answer within {} s", limit.as_secs());
        Err(BucketError::new(ErrorKind::Transient, operation, key, why))
    })
}
