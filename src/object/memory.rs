//! A bucket in memory, for tests and simulations.
//!
//! Invariants: conditions are decided under one lock, every write gets an ETag that no other write of
//! this bucket ever had, and clones share the objects. The tampering helpers bypass the conditions on
//! purpose: they play the store that lies.

use std::collections::BTreeMap;
use std::ops::{Bound, Range};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use super::bucket::{Bucket, Condition, ETag, Fetched, Listed, ObjectInfo, Page, Watch};
use super::encryption::StoredEncryption;
use super::error::{BucketError, BucketResult, ErrorKind};
use super::key::{check_key, check_prefix};
use super::range::resolve_range;
use crate::base::{Clock, SystemClock, Timestamp};

/// All objects of a bucket at one moment, by key.
pub type ObjectMap = BTreeMap<String, Bytes>;

/// A bucket that lives as long as its last clone.
#[derive(Clone)]
pub struct MemoryBucket {
    state: Arc<Mutex<State>>,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Object>,
    writes: u64,
}

struct Object {
    bytes: Bytes,
    etag: ETag,
    modified: Timestamp,
}

impl State {
    fn write(&mut self, key: &str, bytes: Bytes, modified: Timestamp) -> ETag {
        self.writes += 1;
        let etag = ETag(format!("{:016x}", self.writes));
        self.objects.insert(key.to_owned(), Object { bytes, etag: etag.clone(), modified });
        etag
    }

    fn find(&self, operation: &'static str, key: &str) -> BucketResult<&Object> {
        self.objects
            .get(key)
            .ok_or_else(|| BucketError::new(ErrorKind::NotFound, operation, key, "no object has this key"))
    }
}

impl Default for MemoryBucket {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryBucket {
    /// An empty bucket whose objects are stamped with the machine's time.
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }

    /// An empty bucket whose objects are stamped with `clock`'s time.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self { state: Arc::default(), clock }
    }

    /// What is stored right now.
    pub fn objects(&self) -> ObjectMap {
        self.state.lock().objects.iter().map(|(key, object)| (key.clone(), object.bytes.clone())).collect()
    }

    /// Rolls the whole bucket back to `objects`, as a hostile store could; ETags are new.
    pub fn restore(&self, objects: &ObjectMap) {
        let now = self.clock.now();
        let mut state = self.state.lock();
        state.objects.clear();
        for (key, bytes) in objects {
            state.write(key, bytes.clone(), now);
        }
    }

    /// Replaces or plants an object without any condition or check of its key.
    pub fn overwrite_raw(&self, key: &str, bytes: impl Into<Bytes>) {
        let now = self.clock.now();
        self.state.lock().write(key, bytes.into(), now);
    }

    /// Removes an object and returns what it held.
    pub fn remove_raw(&self, key: &str) -> Option<Bytes> {
        self.state.lock().objects.remove(key).map(|object| object.bytes)
    }
}

#[async_trait]
impl Bucket for MemoryBucket {
    async fn get_watched(
        &self,
        key: &str,
        range: Option<Range<u64>>,
        _: &Watch<'_>,
    ) -> BucketResult<Fetched> {
        check_key("get", key)?;
        let state = self.state.lock();
        let object = state.find("get", key)?;
        let object_len = object.bytes.len() as u64;
        let range = resolve_range(key, range.as_ref(), object_len)?;
        let bytes = object.bytes.slice(range.start as usize..range.end as usize);
        Ok(Fetched { bytes, etag: object.etag.clone(), object_len })
    }

    async fn put(&self, key: &str, body: Bytes, condition: Condition) -> BucketResult<ETag> {
        check_key("put", key)?;
        let now = self.clock.now();
        let mut state = self.state.lock();
        let current = state.objects.get(key).map(|object| &object.etag);
        let refusal = match (&condition, current) {
            (Condition::CreateOnly, Some(_)) => Some("an object of this key exists"),
            (Condition::Matches(_), None) => Some("no object has this key"),
            (Condition::Matches(wanted), Some(found)) if wanted != found => {
                Some("the object has another ETag")
            }
            _ => None,
        };
        match refusal {
            Some(why) => Err(BucketError::new(ErrorKind::Precondition, "put", key, why)),
            None => Ok(state.write(key, body, now)),
        }
    }

    async fn head(&self, key: &str) -> BucketResult<ObjectInfo> {
        check_key("head", key)?;
        let state = self.state.lock();
        let object = state.find("head", key)?;
        Ok(ObjectInfo {
            len: object.bytes.len() as u64,
            etag: object.etag.clone(),
            modified: object.modified,
            encryption: StoredEncryption::default(),
        })
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> BucketResult<Page> {
        check_prefix(prefix)?;
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let state = self.state.lock();
        let mut matching = state
            .objects
            .range::<str, _>((start, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix));
        let objects = matching
            .by_ref()
            .take(limit)
            .map(|(key, object)| Listed {
                key: key.clone(),
                len: object.bytes.len() as u64,
                modified: object.modified,
            })
            .collect();
        Ok(Page { objects, more: matching.next().is_some() })
    }

    async fn delete(&self, keys: &[String]) -> BucketResult<()> {
        for key in keys {
            check_key("delete", key)?;
            self.state.lock().objects.remove(key);
        }
        Ok(())
    }

    fn describe(&self) -> String {
        "memory:".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::base::clock::ManualClock;

    #[tokio::test]
    async fn clones_share_objects_and_times_come_from_the_clock() {
        let clock = ManualClock::default();
        let bucket = MemoryBucket::with_clock(Arc::new(clock.clone()));
        clock.advance(Duration::from_secs(60));
        bucket.clone().put("a", Bytes::from_static(b"1"), Condition::CreateOnly).await.unwrap();
        assert_eq!(bucket.head("a").await.unwrap().modified, clock.now());
    }

    #[tokio::test]
    async fn an_object_that_was_rolled_back_has_a_new_etag() {
        let bucket = MemoryBucket::new();
        let old = bucket.put("a", Bytes::from_static(b"1"), Condition::CreateOnly).await.unwrap();
        let before = bucket.objects();
        bucket.overwrite_raw("a", Bytes::from_static(b"2"));
        bucket.overwrite_raw("b", Bytes::from_static(b"3"));
        bucket.restore(&before);
        assert_eq!(bucket.objects(), before);
        assert_ne!(bucket.head("a").await.unwrap().etag, old);
        assert_eq!(bucket.remove_raw("a").unwrap(), Bytes::from_static(b"1"));
    }
}
