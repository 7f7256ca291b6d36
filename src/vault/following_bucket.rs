//! A bucket whose user follows the volume's settings of encryption at rest while somebody else changes them.
//!
//! Objects are moved to another kind in place, while machines that have the volume mounted read and write. So a read
//! that the server's encryption stops looks into the volume header and is tried once more when that is newer, and so
//! does a write that is denied, because a policy may demand another kind by now;
//! before a write the header is looked at again when the last look is more than a minute old. The rules of the
//! bucket below take the newest settings from the vault.
//!
//! Failure behaviour: a header that cannot be had or is not accepted stops no write; a read fails with the error
//! that it had.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Mutex;

use super::vault::Vault;
use super::{HEADER_KEY, MAX_HEADER_LEN};
use crate::base::Clock;
use crate::object::{
    Bucket, BucketResult, Condition, ETag, ErrorKind, Fetched, ObjectInfo, Page, Reencryption, Watch,
    get_at_most, is_open,
};

/// How long a look at the header is good for writing: one request a minute while something is written.
const FRESH: Duration = Duration::from_secs(60);

/// The decorator; put it outside of the one that retries.
pub struct FollowingBucket {
    inner: Arc<dyn Bucket>,
    vault: Vault,
    clock: Arc<dyn Clock>,
    /// When the header was last looked at, by the clock that counts from boot.
    looked: Mutex<Duration>,
}

impl FollowingBucket {
    /// Follows `vault`'s volume in `inner`. The vault was made of a header that was just read.
    pub fn new(inner: Arc<dyn Bucket>, vault: Vault, clock: Arc<dyn Clock>) -> Self {
        let looked = Mutex::new(clock.boot());
        Self { inner, vault, clock, looked }
    }

    /// Looks at the header, unless somebody else has found a newer one than `known` meanwhile. True when the vault
    /// knows a newer one now.
    async fn look(&self, known: u64) -> bool {
        let mut looked = self.looked.lock().await;
        if self.vault.generation() == known {
            match get_at_most(self.inner.as_ref(), HEADER_KEY, MAX_HEADER_LEN as u64).await {
                Ok(fetched) => match self.vault.renew(&fetched.bytes) {
                    Ok(_) => *looked = self.clock.boot(),
                    Err(error) => log::warn!("the volume header is not accepted: {error}"),
                },
                Err(error) => log::debug!("the volume header is not to be had: {error}: {}", error.source),
            }
        }
        self.vault.generation() > known
    }

    /// Before a write.
    async fn look_if_stale(&self) {
        let known = self.vault.generation();
        let age = self.clock.boot().saturating_sub(*self.looked.lock().await);
        if age >= FRESH && self.look(known).await {
            log::info!("the volume's settings have changed; this is written by the new ones");
        }
    }

    /// Tries a read again when the newest header may explain why it failed.
    async fn read<T, F>(&self, key: &str, attempt: impl Fn() -> F) -> BucketResult<T>
    where
        F: Future<Output = BucketResult<T>>,
    {
        let known = self.vault.generation();
        match attempt().await {
            Err(error) if error.kind == ErrorKind::Encryption && !is_open(key) => {
                if self.look(known).await {
                    attempt().await
                } else {
                    Err(error)
                }
            }
            answered => answered,
        }
    }
}

#[async_trait]
impl Bucket for FollowingBucket {
    async fn get_watched(
        &self,
        key: &str,
        range: Option<Range<u64>>,
        watch: &Watch<'_>,
    ) -> BucketResult<Fetched> {
        self.read(key, || self.inner.get_watched(key, range.clone(), watch)).await
    }

    async fn put(&self, key: &str, body: Bytes, condition: Condition) -> BucketResult<ETag> {
        if !is_open(key) {
            self.look_if_stale().await;
        }
        let known = self.vault.generation();
        match self.inner.put(key, body.clone(), condition.clone()).await {
            Err(error) if error.kind == ErrorKind::Denied && key != HEADER_KEY && self.look(known).await => {
                log::info!(
                    "the volume's settings have changed; what was denied is asked for by the new ones"
                );
                self.inner.put(key, body, condition).await
            }
            answered => answered,
        }
    }

    async fn head(&self, key: &str) -> BucketResult<ObjectInfo> {
        self.read(key, || self.inner.head(key)).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> BucketResult<Page> {
        self.inner.list(prefix, after, limit).await
    }

    async fn delete(&self, keys: &[String]) -> BucketResult<()> {
        self.inner.delete(keys).await
    }

    async fn reencrypt(&self, key: &str) -> BucketResult<Reencryption> {
        self.inner.reencrypt(key).await
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}
