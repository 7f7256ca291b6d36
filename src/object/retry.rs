//! Waits and asks again when a store is in passing trouble.
//!
//! Only `Transient` failures are tried again, with delays that double up to a limit and are jittered so
//! that many machines do not come back at the same moment. A put whose reply was lost may find its own
//! object in the way: then the bytes decide. Everything the format writes conditionally carries a random
//! id, so equal bytes mean that it was ours.
//!
//! Failure behaviour: after `give_up_after` the last error is returned as it is. At least one attempt
//! follows every wait, so a machine that slept through the deadline still tries once when it wakes up.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::bounded::get_at_most;
use super::bucket::{Bucket, Condition, ETag, Fetched, ObjectInfo, Page, Reencryption, Watch};
use super::error::{BucketError, BucketResult, ErrorKind};
use crate::base::{Clock, Random};

/// How patient a [`Retry`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The longest wait before the second attempt; doubled for each further one.
    pub first_delay: Duration,
    /// No wait is longer than this.
    pub max_delay: Duration,
    /// No wait is begun that would end later than this after the call began (0: never wait).
    pub give_up_after: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            first_delay: Duration::from_millis(200),
            max_delay: Duration::from_secs(10),
            give_up_after: Duration::from_secs(120),
        }
    }
}

impl RetryPolicy {
    /// The wait after `failures` failed attempts (1 or more): between half and all of the doubled delay.
    pub fn delay(&self, failures: u32, random: &dyn Random) -> Duration {
        let doubled = self.first_delay.saturating_mul(1 << (failures.saturating_sub(1)).min(20));
        let half = doubled.min(self.max_delay) / 2;
        let jitter = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX - 1).saturating_add(1);
        half + Duration::from_nanos(random.next_u64() % jitter)
    }
}

/// How many attempts were repeated so far; clones share the count.
#[derive(Clone, Default)]
pub struct RetryCounter(Arc<AtomicU64>);

impl RetryCounter {
    /// The count now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A bucket that outlasts passing trouble of the one below.
pub struct Retry {
    inner: Arc<dyn Bucket>,
    policy: RetryPolicy,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    retries: RetryCounter,
}

/// The patience left for one call.
struct Patience<'a> {
    retry: &'a Retry,
    deadline: Duration,
    failures: u32,
}

impl Retry {
    /// Wraps `inner`; `clock` measures the patience and `random` spreads the waits.
    pub fn new(
        inner: Arc<dyn Bucket>,
        policy: RetryPolicy,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        Self { inner, policy, clock, random, retries: RetryCounter::default() }
    }

    /// Counts repeated attempts in `retries`: several decorators may share one count.
    #[must_use]
    pub fn counting(mut self, retries: RetryCounter) -> Self {
        self.retries = retries;
        self
    }

    /// The count of repeated attempts.
    pub fn counter(&self) -> RetryCounter {
        self.retries.clone()
    }

    fn patience(&self) -> Patience<'_> {
        let deadline = self.clock.boot().saturating_add(self.policy.give_up_after);
        Patience { retry: self, deadline, failures: 0 }
    }

    /// True when the object under `key` holds exactly `body`: then a put that was told "precondition
    /// failed" after a lost reply did take effect. Returns the object's version.
    async fn find_own(
        &self,
        key: &str,
        body: &Bytes,
        patience: &mut Patience<'_>,
    ) -> BucketResult<Option<ETag>> {
        loop {
            match get_at_most(self.inner.as_ref(), key, body.len() as u64).await {
                Ok(found) => return Ok((found.bytes == *body).then_some(found.etag)),
                Err(error) if error.kind == ErrorKind::NotFound => return Ok(None),
                // Longer than ours, so not ours.
                Err(error) if error.kind == ErrorKind::Corrupt => return Ok(None),
                Err(error) => patience.wait_after(error).await?,
            }
        }
    }
}

impl Patience<'_> {
    /// Waits before the next attempt, or returns `error` when it is not worth one.
    async fn wait_after(&mut self, error: BucketError) -> BucketResult<()> {
        if error.kind != ErrorKind::Transient {
            return Err(error);
        }
        self.failures = self.failures.saturating_add(1);
        let delay = self.retry.policy.delay(self.failures, self.retry.random.as_ref());
        if self.retry.clock.boot().saturating_add(delay) > self.deadline {
            // Whoever asked says what failed.
            log::debug!("giving up after {} attempts: {error}: {}", self.failures, error.source);
            return Err(error);
        }
        log::debug!("attempt {} failed, next in {delay:?}: {error}: {}", self.failures, error.source);
        self.retry.retries.0.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(delay).await;
        Ok(())
    }
}

/// Repeats `$attempt` until it succeeds or patience ends.
macro_rules! persist {
    ($self:ident, $attempt:expr) => {{
        let mut patience = $self.patience();
        loop {
            match $attempt.await {
                Ok(value) => return Ok(value),
                Err(error) => patience.wait_after(error).await?,
            }
        }
    }};
}

#[async_trait]
impl Bucket for Retry {
    async fn get_watched(
        &self,
        key: &str,
        range: Option<Range<u64>>,
        watch: &Watch<'_>,
    ) -> BucketResult<Fetched> {
        persist!(self, self.inner.get_watched(key, range.clone(), watch))
    }

    async fn put(&self, key: &str, body: Bytes, condition: Condition) -> BucketResult<ETag> {
        let mut patience = self.patience();
        loop {
            match self.inner.put(key, body.clone(), condition.clone()).await {
                Ok(etag) => return Ok(etag),
                Err(error) if error.kind == ErrorKind::Precondition && patience.failures > 0 => {
                    let own = self.find_own(key, &body, &mut patience).await?;
                    return own.ok_or(error);
                }
                Err(error) => patience.wait_after(error).await?,
            }
        }
    }

    async fn head(&self, key: &str) -> BucketResult<ObjectInfo> {
        persist!(self, self.inner.head(key))
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> BucketResult<Page> {
        persist!(self, self.inner.list(prefix, after, limit))
    }

    async fn delete(&self, keys: &[String]) -> BucketResult<()> {
        persist!(self, self.inner.delete(keys))
    }

    /// Safe to repeat: an attempt that took effect is found done.
    async fn reencrypt(&self, key: &str) -> BucketResult<Reencryption> {
        persist!(self, self.inner.reencrypt(key))
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::ManualClock;
    use crate::base::random::SeededRandom;
    use crate::object::fault::{Fault, Faulty, Rule};
    use crate::object::memory::MemoryBucket;
    use crate::object::meter::Meter;
    use crate::object::request::RequestKind;

    struct Bench {
        memory: MemoryBucket,
        faults: Faulty,
        clock: ManualClock,
        retry: Retry,
    }

    /// Waits of at most a microsecond; patience is measured by a clock that stands still.
    fn bench() -> Bench {
        let memory = MemoryBucket::new();
        let faults = Faulty::new(Arc::new(memory.clone()));
        let clock = ManualClock::default();
        let policy = RetryPolicy {
            first_delay: Duration::from_nanos(500),
            max_delay: Duration::from_micros(1),
            give_up_after: Duration::from_secs(10),
        };
        let random = Arc::new(SeededRandom::new(7));
        let retry = Retry::new(Arc::new(faults.clone()), policy, Arc::new(clock.clone()), random);
        Bench { memory, faults, clock, retry }
    }

    fn body(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    #[tokio::test]
    async fn passing_trouble_is_outlasted_and_counted() {
        let bench = bench();
        bench.memory.overwrite_raw("a", body("1"));
        bench.faults.add(Rule::first(3, Fault::Refuse(ErrorKind::Transient)));
        assert_eq!(bench.retry.get("a", None).await.unwrap().bytes, body("1"));
        assert_eq!((bench.faults.requests(), bench.retry.counter().get()), (4, 3));
    }

    /// A command makes several of them over one meter; what the first ones repeated was forgotten with the next.
    #[tokio::test]
    async fn decorators_over_one_meter_share_one_count() {
        let faults = Faulty::new(Arc::new(MemoryBucket::new()));
        let meter = Meter::new(Arc::new(faults.clone()));
        let policy = RetryPolicy { first_delay: Duration::from_nanos(500), ..RetryPolicy::default() };
        let another = || {
            let (clock, random) = (Arc::new(ManualClock::default()), Arc::new(SeededRandom::new(7)));
            Retry::new(Arc::new(meter.clone()), policy, clock, random).counting(meter.retries())
        };
        for (retry, key, repeated) in [(another(), "a", 1), (another(), "b", 2)] {
            faults.add(Rule::first(1, Fault::Refuse(ErrorKind::Transient)));
            retry.put(key, body("1"), Condition::Overwrite).await.unwrap();
            assert_eq!(meter.snapshot().retries, repeated);
        }
    }

    #[tokio::test]
    async fn what_cannot_pass_is_not_tried_again() {
        for kind in [ErrorKind::Denied, ErrorKind::Full, ErrorKind::Invalid, ErrorKind::Corrupt] {
            let bench = bench();
            bench.faults.add(Rule::first(1, Fault::Refuse(kind)));
            assert_eq!(bench.retry.list("", None, 10).await.unwrap_err().kind, kind);
            assert_eq!(bench.faults.requests(), 1);
        }
    }

    #[tokio::test]
    async fn patience_ends_at_the_deadline() {
        let bench = bench();
        bench.faults.set_unavailable(true);
        let (clock, faults) = (bench.clock.clone(), bench.faults.clone());
        let waiting = tokio::spawn(async move { bench.retry.head("a").await });
        faults.wait_for_requests(5).await;
        clock.advance(Duration::from_secs(11));
        assert_eq!(waiting.await.unwrap().unwrap_err().kind, ErrorKind::Transient);
    }

    #[tokio::test]
    async fn a_wait_that_would_pass_the_deadline_is_not_begun() {
        let mut bench = bench();
        bench.retry.policy.give_up_after = Duration::ZERO;
        bench.faults.set_unavailable(true);
        assert_eq!(bench.retry.head("a").await.unwrap_err().kind, ErrorKind::Transient);
        assert_eq!(bench.faults.requests(), 1);
    }

    #[tokio::test]
    async fn a_lost_reply_of_our_own_creation_is_a_success() {
        let bench = bench();
        bench.faults.add(Rule::first(1, Fault::LoseReply));
        let etag = bench.retry.put("a", body("mine"), Condition::CreateOnly).await.unwrap();
        assert_eq!(bench.memory.head("a").await.unwrap().etag, etag);
    }

    #[tokio::test]
    async fn a_lost_reply_of_our_own_replacement_is_a_success() {
        let bench = bench();
        let old = bench.retry.put("a", body("old"), Condition::CreateOnly).await.unwrap();
        bench.faults.add(Rule::first(1, Fault::LoseReply));
        bench.faults.add(Rule::first(1, Fault::Refuse(ErrorKind::Transient)).on(RequestKind::Get));
        let new = bench.retry.put("a", body("new"), Condition::Matches(old)).await.unwrap();
        assert_eq!(bench.memory.head("a").await.unwrap().etag, new);
    }

    #[tokio::test]
    async fn somebody_elses_object_is_still_a_lost_race() {
        let bench = bench();
        bench.faults.add(Rule::first(1, Fault::Refuse(ErrorKind::Transient)));
        bench.memory.overwrite_raw("a", body("theirs"));
        let error = bench.retry.put("a", body("mine"), Condition::CreateOnly).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Precondition);
    }

    #[tokio::test]
    async fn a_refusal_at_the_first_attempt_is_believed_without_a_look() {
        let bench = bench();
        bench.memory.overwrite_raw("a", body("same"));
        let error = bench.retry.put("a", body("same"), Condition::CreateOnly).await.unwrap_err();
        assert_eq!((error.kind, bench.faults.requests()), (ErrorKind::Precondition, 1));
    }

    #[test]
    fn delays_double_within_their_jitter_up_to_the_limit() {
        let policy = RetryPolicy::default();
        let random = SeededRandom::new(1);
        for (failures, full) in [(1, 200), (2, 400), (5, 3_200), (7, 10_000), (u32::MAX, 10_000)] {
            let full = Duration::from_millis(full);
            for _ in 0..100 {
                let delay = policy.delay(failures, &random);
                assert!(delay >= full / 2 && delay <= full, "{failures}: {delay:?}");
            }
        }
    }
}
