//! S3 and everything that speaks like it.
//!
//! One file per concern: options, connecting, the [`transport`] beneath, one per request, requests about the
//! bucket itself in [`admin`], errors, and how long a request may take. Retries of requests for objects are not done
//! here (the SDK's own are off): the retry decorator knows which are safe. Bodies are checked against their
//! announced length; ETags are kept without quotes; keys get the volume's prefix on the way out and lose it on the
//! way in.

mod admin;
mod configuration;
mod connect;
mod counted;
mod customer_key;
mod delete;
mod error;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing;
mod get;
mod inspect;
mod kms_trouble;
mod limits;
mod list;
mod options;
mod put;
mod reencrypt;
mod replies;
mod sse;
pub mod transport;

use std::ops::Range;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use bytes::Bytes;
use tokio::sync::OnceCell;

pub use self::admin::{BucketDefault, LifecycleRule, ObjectLock, PublicAccessBlock, Uploads, Versioning};
pub use self::configuration::aws_configuration;
use self::counted::Counted;
pub use self::error::is_answer;
pub use self::inspect::Inspected;
pub use self::options::S3Options;
use self::transport::Link;
use super::Buffers;
use super::bucket::{Bucket, Condition, ETag, Fetched, ObjectInfo, Page, Reencryption, Watch};
use super::encryption::Encryption;
use super::error::{BucketError, BucketResult, ErrorKind};
use crate::base::Timestamp;

/// A bucket of an S3 server, or the part of it under a prefix.
pub struct S3Bucket {
    client: Client,
    bucket: String,
    /// Empty, or ending in a slash.
    prefix: String,
    link: Link,
    encryption: Encryption,
    requests: Counted,
    /// For large bodies.
    buffers: Buffers,
    /// The bucket's default encryption, once something had to know it.
    default: OnceCell<BucketDefault>,
    /// How long a request with a small body may take.
    patience: Duration,
    /// The server has shown that it takes If-Match without quotes only.
    bare_etags: AtomicBool,
    /// The bucket took no payload that was not signed.
    signs_all: AtomicBool,
}

impl S3Bucket {
    /// What the connections to the server have agreed upon.
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// What the server is asked for at each moment; whoever opens a volume sets it.
    pub fn encryption(&self) -> &Encryption {
        &self.encryption
    }

    /// How many requests were sent so far, repeated ones included.
    pub fn requests(&self) -> u64 {
        self.requests.get()
    }

    /// The name under which the store knows `key`.
    fn full_key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }
}

#[async_trait]
impl Bucket for S3Bucket {
    async fn get_watched(
        &self,
        key: &str,
        range: Option<Range<u64>>,
        watch: &Watch<'_>,
    ) -> BucketResult<Fetched> {
        self.get_object(key, range, watch).await
    }

    async fn put(&self, key: &str, body: Bytes, condition: Condition) -> BucketResult<ETag> {
        self.put_object(key, body, condition).await
    }

    async fn head(&self, key: &str) -> BucketResult<ObjectInfo> {
        self.head_object(key).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> BucketResult<Page> {
        self.list_objects(prefix, after, limit).await
    }

    async fn delete(&self, keys: &[String]) -> BucketResult<()> {
        self.delete_objects(keys).await
    }

    async fn reencrypt(&self, key: &str) -> BucketResult<Reencryption> {
        self.reencrypt_object(key).await
    }

    fn describe(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.prefix).trim_end_matches('/').to_owned()
    }
}

/// Longest ETag that is believed, in bytes. It goes back to the server in If-Match.
const MAX_ETAG: usize = 1024;

/// The ETag without its quotes (and without the mark of a weak one): visible ASCII (RFC 9110, 8.8.3, allows quotes
/// nowhere and other bytes by way of history).
fn unquote(operation: &'static str, key: &str, etag: Option<&str>) -> BucketResult<ETag> {
    let etag = etag.unwrap_or_default();
    let bare = etag.strip_prefix("W/").unwrap_or(etag).trim_matches('"');
    if bare.is_empty() {
        return Err(BucketError::new(ErrorKind::Corrupt, operation, key, "the reply has no ETag"));
    }
    if bare.len() > MAX_ETAG || !bare.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"') {
        return Err(BucketError::new(ErrorKind::Corrupt, operation, key, "the reply's ETag has odd bytes"));
    }
    Ok(ETag(bare.to_owned()))
}

/// The time a store stamped; the epoch where it gave none.
fn timestamp(time: Option<&aws_sdk_s3::primitives::DateTime>) -> Timestamp {
    time.map_or_else(Timestamp::default, |time| Timestamp { secs: time.secs(), nanos: time.subsec_nanos() })
}

/// A length or count of a reply, which must be there and not be negative.
fn length(operation: &'static str, key: &str, value: Option<i64>) -> BucketResult<u64> {
    value
        .and_then(|value| u64::try_from(value).ok())
        .ok_or_else(|| BucketError::new(ErrorKind::Corrupt, operation, key, "the reply has no length"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etags_lose_their_quotes_and_must_be_there() {
        for written in ["\"abc-1\"", "abc-1", "W/\"abc-1\""] {
            assert_eq!(unquote("head", "k", Some(written)).unwrap(), ETag("abc-1".into()));
        }
        for missing in [None, Some(""), Some("\"\"")] {
            assert_eq!(unquote("head", "k", missing).unwrap_err().kind, ErrorKind::Corrupt);
        }
    }
}
