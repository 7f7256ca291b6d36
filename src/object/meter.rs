//! Counts requests and bytes: what a store bills, and what tests pin.
//!
//! Counters are separate atomics: a reading taken while requests run may be torn between counters, never
//! within one. The request log is off until a test asks for it.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use serde::Serialize;

use super::bucket::{Bucket, Condition, ETag, Fetched, ObjectInfo, Page, Reencryption, Watch};
use super::error::{BucketResult, ErrorKind, Throttle};
use super::retry::RetryCounter;

pub use super::request::RequestKind;

/// Keys per delete request (the limit of S3's DeleteObjects).
const DELETE_BATCH: usize = 1000;

/// What went over the wire since the meter was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct MeterSnapshot {
    pub gets: u64,
    pub puts: u64,
    pub heads: u64,
    pub lists: u64,
    pub deletes: u64,
    /// Bodies sent, in bytes, whether accepted or not.
    pub bytes_up: u64,
    /// Bodies received, in bytes.
    pub bytes_down: u64,
    /// Requests that failed, except for "not found" and "precondition failed", which are answers.
    pub errors: u64,
    /// Requests that the store refused because there were too many of them, key service included.
    pub throttled: u64,
    /// Those of them that the key service behind the store refused (SSE-KMS, DSSE-KMS).
    pub throttled_by_kms: u64,
    /// Attempts that were repeated, when a retry decorator is being watched.
    pub retries: u64,
}

impl MeterSnapshot {
    /// Requests of all kinds.
    pub fn requests(&self) -> u64 {
        self.gets + self.puts + self.heads + self.lists + self.deletes
    }
}

/// One request, as the log keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoggedRequest {
    pub kind: RequestKind,
    /// The key, the prefix of a list, or the first key of a delete.
    pub key: String,
    /// Bytes of the body sent or received; keys of a list or a delete.
    pub amount: u64,
    /// False when the store answered with an error of any kind.
    pub ok: bool,
}

/// A bucket that counts; clones share the counters.
#[derive(Clone)]
pub struct Meter {
    inner: Arc<dyn Bucket>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    gets: AtomicU64,
    puts: AtomicU64,
    heads: AtomicU64,
    lists: AtomicU64,
    deletes: AtomicU64,
    bytes_up: AtomicU64,
    bytes_down: AtomicU64,
    errors: AtomicU64,
    throttled: AtomicU64,
    throttled_by_kms: AtomicU64,
    retries: RetryCounter,
    log: Mutex<Option<Vec<LoggedRequest>>>,
}

impl Meter {
    /// Counts what goes to `inner`.
    pub fn new(inner: Arc<dyn Bucket>) -> Self {
        Self { inner, shared: Arc::default() }
    }

    /// The count of repeated attempts in the readings, for all decorators that repeat what goes through this meter.
    pub fn retries(&self) -> RetryCounter {
        self.shared.retries.clone()
    }

    /// Reads all counters.
    pub fn snapshot(&self) -> MeterSnapshot {
        let shared = &self.shared;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        MeterSnapshot {
            gets: read(&shared.gets),
            puts: read(&shared.puts),
            heads: read(&shared.heads),
            lists: read(&shared.lists),
            deletes: read(&shared.deletes),
            bytes_up: read(&shared.bytes_up),
            bytes_down: read(&shared.bytes_down),
            errors: read(&shared.errors),
            throttled: read(&shared.throttled),
            throttled_by_kms: read(&shared.throttled_by_kms),
            retries: shared.retries.get(),
        }
    }

    /// Starts (or empties) the log of single requests. It grows without limit: for tests.
    pub fn start_log(&self) {
        *self.shared.log.lock() = Some(Vec::new());
    }

    /// Takes what was logged since the last call; empty when the log is off.
    pub fn take_log(&self) -> Vec<LoggedRequest> {
        self.shared.log.lock().as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn note<T>(&self, kind: RequestKind, key: &str, amount: u64, result: &BucketResult<T>) {
        if let Err(error) = result
            && !matches!(error.kind, ErrorKind::NotFound | ErrorKind::Precondition)
        {
            self.shared.errors.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(throttle) = result.as_ref().err().and_then(|error| error.throttle) {
            self.shared.throttled.fetch_add(1, Ordering::Relaxed);
            self.shared.throttled_by_kms.fetch_add(u64::from(throttle == Throttle::Kms), Ordering::Relaxed);
        }
        self.count(kind, key, amount, result.is_ok());
    }

    fn count(&self, kind: RequestKind, key: &str, amount: u64, ok: bool) {
        let counter = match kind {
            RequestKind::Get => &self.shared.gets,
            RequestKind::Put => &self.shared.puts,
            RequestKind::Head => &self.shared.heads,
            RequestKind::List => &self.shared.lists,
            RequestKind::Delete => &self.shared.deletes,
        };
        // A delete of many keys is as many requests as batches.
        let requests = if kind == RequestKind::Delete { amount.div_ceil(DELETE_BATCH as u64) } else { 1 };
        counter.fetch_add(requests, Ordering::Relaxed);
        if let Some(log) = self.shared.log.lock().as_mut() {
            log.push(LoggedRequest { kind, key: key.to_owned(), amount, ok });
        }
    }
}

/// A GET that somebody stopped waiting for is a request all the same.
struct Unanswered<'a> {
    meter: &'a Meter,
    key: &'a str,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        self.meter.count(RequestKind::Get, self.key, 0, false);
    }
}

#[async_trait]
impl Bucket for Meter {
    async fn get_watched(
        &self,
        key: &str,
        range: Option<Range<u64>>,
        watch: &Watch<'_>,
    ) -> BucketResult<Fetched> {
        let unanswered = Unanswered { meter: self, key };
        let result = self.inner.get_watched(key, range, watch).await;
        std::mem::forget(unanswered);
        let received = result.as_ref().map_or(0, |fetched| fetched.bytes.len() as u64);
        self.shared.bytes_down.fetch_add(received, Ordering::Relaxed);
        self.note(RequestKind::Get, key, received, &result);
        result
    }

    async fn put(&self, key: &str, body: Bytes, condition: Condition) -> BucketResult<ETag> {
        let sent = body.len() as u64;
        let result = self.inner.put(key, body, condition).await;
        self.shared.bytes_up.fetch_add(sent, Ordering::Relaxed);
        self.note(RequestKind::Put, key, sent, &result);
        result
    }

    async fn head(&self, key: &str) -> BucketResult<ObjectInfo> {
        let result = self.inner.head(key).await;
        self.note(RequestKind::Head, key, 0, &result);
        result
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> BucketResult<Page> {
        let result = self.inner.list(prefix, after, limit).await;
        let keys = result.as_ref().map_or(0, |page| page.objects.len() as u64);
        self.note(RequestKind::List, prefix, keys, &result);
        result
    }

    async fn delete(&self, keys: &[String]) -> BucketResult<()> {
        let result = self.inner.delete(keys).await;
        let first = keys.first().map_or("", String::as_str);
        self.note(RequestKind::Delete, first, keys.len() as u64, &result);
        result
    }

    /// A read of the object's beginning, and a copy (billed as a put) unless it has its encryption already.
    async fn reencrypt(&self, key: &str) -> BucketResult<Reencryption> {
        let result = self.inner.reencrypt(key).await;
        match &result {
            Ok(Reencryption::Already) => self.note(RequestKind::Get, key, 0, &result),
            Ok(Reencryption::Moved | Reencryption::Rewritten) => {
                self.note(RequestKind::Get, key, 0, &result);
                self.note(RequestKind::Put, key, 0, &result);
            }
            Err(_) => self.note(RequestKind::Put, key, 0, &result),
        }
        result
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::memory::MemoryBucket;

    #[tokio::test]
    async fn requests_bytes_and_errors_are_counted_by_kind() {
        let meter = Meter::new(Arc::new(MemoryBucket::new()));
        meter.start_log();
        meter.put("a", Bytes::from_static(b"12345"), Condition::CreateOnly).await.unwrap();
        meter.put("a", Bytes::from_static(b"12345"), Condition::CreateOnly).await.unwrap_err();
        meter.get("a", Some(1..3)).await.unwrap();
        meter.get("a", Some(9..10)).await.unwrap_err();
        meter.head("b").await.unwrap_err();
        meter.list("", None, 10).await.unwrap();
        meter.delete(&vec!["a".to_owned(); 1001]).await.unwrap();
        let expected = MeterSnapshot {
            gets: 2,
            puts: 2,
            heads: 1,
            lists: 1,
            deletes: 2,
            bytes_up: 10,
            bytes_down: 2,
            errors: 1,
            ..MeterSnapshot::default()
        };
        assert_eq!(meter.clone().snapshot(), expected);
        assert_eq!(expected.requests(), 8);
        let log = meter.take_log();
        assert_eq!(log.len(), 7);
        assert_eq!(log[2], LoggedRequest { kind: RequestKind::Get, key: "a".into(), amount: 2, ok: true });
        assert!(meter.take_log().is_empty());
    }
}
