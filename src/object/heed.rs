//! Asks what the store demands when a write is denied, and writes again when that can be given.
//!
//! A bucket's policy may change while a volume is in use: what was right a moment ago is denied now. Whoever can find
//! out is a [`Demand`], which comes from above; this decorator knows when to ask it.
//!
//! Bounds: one question in [`PAUSE`], however many writes are denied; one repetition for each write. Failure behaviour:
//! without an answer the write fails with the error that it had, and the caller still has what it wanted to write.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Mutex;

use super::bucket::{Bucket, Condition, ETag, Fetched, ObjectInfo, Page, Reencryption, Watch};
use super::error::{BucketResult, ErrorKind};
use crate::base::Clock;

/// The shortest time between two questions.
const PAUSE: Duration = Duration::from_secs(10);

/// What a store may demand of writes.
#[async_trait]
pub trait Demand: Send + Sync + 'static {
    /// Finds out what is demanded now. True when writes are made otherwise from now on.
    async fn adopt(&self) -> bool;
}

/// The decorator; put it outside of the one that retries.
pub struct Heed {
    inner: Arc<dyn Bucket>,
    demand: Arc<dyn Demand>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// When it was asked last, by the clock that counts from boot.
    asked: Option<Duration>,
    /// How often the answer was new.
    adopted: u64,
}

impl Heed {
    /// Asks `demand` about the writes that `inner` denies.
    pub fn new(inner: Arc<dyn Bucket>, demand: Arc<dyn Demand>, clock: Arc<dyn Clock>) -> Self {
        Self { inner, demand, clock, state: Mutex::default() }
    }

    /// True when a write that began after `known` answers may be allowed now.
    async fn heed(&self, known: u64) -> bool {
        let mut state = self.state.lock().await;
        if state.adopted > known {
            return true;
        }
        let now = self.clock.boot();
        if state.asked.is_some_and(|asked| now.saturating_sub(asked) < PAUSE) {
            return false;
        }
        state.asked = Some(now);
        let adopted = self.demand.adopt().await;
        state.adopted += u64::from(adopted);
        adopted
    }
}

#[async_trait]
impl Bucket for Heed {
    async fn get_watched(
        &self,
        key: &str,
        range: Option<Range<u64>>,
        watch: &Watch<'_>,
    ) -> BucketResult<Fetched> {
        self.inner.get_watched(key, range, watch).await
    }

    async fn put(&self, key: &str, body: Bytes, condition: Condition) -> BucketResult<ETag> {
        let known = self.state.lock().await.adopted;
        match self.inner.put(key, body.clone(), condition.clone()).await {
            Err(error) if error.kind == ErrorKind::Denied && self.heed(known).await => {
                self.inner.put(key, body, condition).await
            }
            answered => answered,
        }
    }

    async fn head(&self, key: &str) -> BucketResult<ObjectInfo> {
        self.inner.head(key).await
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::base::clock::ManualClock;
    use crate::object::{Fault, Faulty, MemoryBucket, RequestKind, Rule};

    /// Counts the questions; with `opens` the bucket takes writes again after an answer.
    struct Policy {
        asked: AtomicU64,
        faulty: Faulty,
        opens: bool,
    }

    #[async_trait]
    impl Demand for Policy {
        async fn adopt(&self) -> bool {
            self.asked.fetch_add(1, Ordering::SeqCst);
            if self.opens {
                self.faulty.clear();
            }
            self.opens
        }
    }

    fn denying(opens: bool, kind: ErrorKind) -> (Arc<Heed>, Arc<Policy>, ManualClock) {
        let faulty = Faulty::new(Arc::new(MemoryBucket::new()));
        faulty.add(Rule::always(Fault::Refuse(kind)).on(RequestKind::Put));
        let policy = Arc::new(Policy { asked: AtomicU64::new(0), faulty: faulty.clone(), opens });
        let clock = ManualClock::default();
        let heed = Heed::new(Arc::new(faulty), Arc::clone(&policy) as _, Arc::new(clock.clone()));
        (Arc::new(heed), policy, clock)
    }

    async fn put(heed: &Heed, key: &str) -> Result<ETag, ErrorKind> {
        heed.put(key, Bytes::from_static(b"body"), Condition::CreateOnly).await.map_err(|error| error.kind)
    }

    #[tokio::test]
    async fn of_many_writes_that_are_denied_one_asks_and_all_are_made_again() {
        let (heed, policy, _clock) = denying(true, ErrorKind::Denied);
        let keys = ["a", "b", "c", "d"];
        let writes = keys.map(|key| {
            let heed = Arc::clone(&heed);
            tokio::spawn(async move { put(&heed, key).await })
        });
        for write in writes {
            write.await.unwrap().unwrap();
        }
        assert_eq!(policy.asked.load(Ordering::SeqCst), 1);
        for key in keys {
            assert_eq!(heed.get(key, None).await.unwrap().bytes, "body");
        }
    }

    #[tokio::test]
    async fn where_nothing_can_be_adopted_writes_fail_and_the_question_is_not_asked_all_the_time() {
        let (heed, policy, clock) = denying(false, ErrorKind::Denied);
        for expected in [1, 2] {
            for _ in 0..50 {
                assert_eq!(put(&heed, "a").await, Err(ErrorKind::Denied));
            }
            assert_eq!(policy.asked.load(Ordering::SeqCst), expected);
            clock.advance(PAUSE);
        }
        assert_eq!(policy.faulty.requests(), 100, "nothing is repeated without a reason");
    }

    #[tokio::test]
    async fn other_failures_ask_nothing() {
        let (heed, policy, _clock) = denying(true, ErrorKind::Precondition);
        assert_eq!(put(&heed, "a").await, Err(ErrorKind::Precondition));
        assert_eq!(policy.asked.load(Ordering::SeqCst), 0);
    }
}
