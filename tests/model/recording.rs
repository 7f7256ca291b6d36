//! A bucket that remembers every change, so that the machine can have died after any of them.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use hushfs::object::memory::MemoryBucket;
use hushfs::object::{Bucket, BucketResult, Condition, ETag, Fetched, ObjectInfo, Page, Watch};
use parking_lot::Mutex;

enum Change {
    Put(String, Bytes),
    Delete(Vec<String>),
}

/// A memory bucket and the history of its changes.
#[derive(Default)]
pub struct Recording {
    bucket: MemoryBucket,
    history: Mutex<Vec<Change>>,
}

impl Recording {
    /// How many requests changed something so far.
    pub fn changes(&self) -> usize {
        self.history.lock().len()
    }

    /// The bucket as it was after the first `count` changes.
    pub fn cut_at(&self, count: usize) -> Recording {
        let cut = Recording::default();
        for change in &self.history.lock()[..count] {
            match change {
                Change::Put(key, bytes) => cut.bucket.overwrite_raw(key, bytes.clone()),
                Change::Delete(keys) => {
                    for key in keys {
                        cut.bucket.remove_raw(key);
                    }
                }
            }
        }
        cut
    }
}

#[async_trait]
impl Bucket for Recording {
    async fn get_watched(
        &self,
        key: &str,
        range: Option<Range<u64>>,
        watch: &Watch<'_>,
    ) -> BucketResult<Fetched> {
        self.bucket.get_watched(key, range, watch).await
    }

    async fn put(&self, key: &str, body: Bytes, condition: Condition) -> BucketResult<ETag> {
        let etag = self.bucket.put(key, body.clone(), condition).await?;
        self.history.lock().push(Change::Put(key.into(), body));
        Ok(etag)
    }

    async fn head(&self, key: &str) -> BucketResult<ObjectInfo> {
        self.bucket.head(key).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> BucketResult<Page> {
        self.bucket.list(prefix, after, limit).await
    }

    async fn delete(&self, keys: &[String]) -> BucketResult<()> {
        self.bucket.delete(keys).await?;
        self.history.lock().push(Change::Delete(keys.to_vec()));
        Ok(())
    }

    fn describe(&self) -> String {
        "recording".into()
    }
}
