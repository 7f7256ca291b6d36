//! Asks a second time when an answer is late, and takes whichever comes first.
//!
//! Of many GETs a few take ten times as long as the others: a disk that is busy, a connection that lost a packet.
//! Who reads a file waits for the slowest. A GET changes nothing, so a second one costs its price and no more.
//!
//! Late is what takes far longer than others of its size have: the smoothed time plus eight times its variation
//! (as RFC 6298 estimates round trips, which uses four), three times the smoothed time, and [`Self::least`], whichever
//! is most. When everything becomes slow, so does what is usual, and nothing is late.
//!
//! Bounds: one repetition for each GET, and for one GET in twenty. Both are counted by a meter below.
//!
//! [`Self::least`]: Hedge::new
//!
//! Failure behaviour: an answer, "not found" included, ends the call. Passing trouble of one waits for the other.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use super::bucket::{Bucket, Condition, ETag, Fetched, ObjectInfo, Page, Reencryption, Watch};
use super::error::{BucketResult, ErrorKind};
use crate::base::Clock;

/// GETs that earn one repetition.
const PRICE: u32 = 20;
/// Repetitions that can be saved up.
const SAVINGS: u32 = 8 * PRICE;
/// GETs of a size after which it is known how long they take.
const LEARNT: u32 = 16;
/// Sizes are told apart by powers of two, from 64 KiB to 8 MiB; whole objects, whose size nobody knows before, are one
/// kind more.
const SIZES: usize = 9;

/// A bucket whose GETs do not wait for the slowest.
pub struct Hedge {
    inner: Arc<dyn Bucket>,
    clock: Arc<dyn Clock>,
    least: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    usual: [Usual; SIZES],
    savings: u32,
}

/// How long GETs of one size take.
#[derive(Clone, Copy, Default)]
struct Usual {
    count: u32,
    smoothed: Duration,
    variation: Duration,
}

impl Usual {
    fn note(&mut self, took: Duration) {
        if self.count == 0 {
            (self.smoothed, self.variation) = (took, took / 2);
        } else {
            self.variation = self.variation * 3 / 4 + self.smoothed.abs_diff(took) / 4;
            self.smoothed = self.smoothed * 7 / 8 + took / 8;
        }
        self.count = self.count.saturating_add(1);
    }

    fn late(&self) -> Option<Duration> {
        let late = (self.smoothed + self.variation * 8).max(self.smoothed * 3);
        (self.count >= LEARNT).then_some(late)
    }
}

fn size_class(range: Option<&Range<u64>>) -> usize {
    match range {
        None => 0,
        Some(range) => {
            let units = range.end.saturating_sub(range.start) >> 16;
            (1 + units.checked_ilog2().unwrap_or(0) as usize).min(SIZES - 1)
        }
    }
}

impl Hedge {
    /// Wraps `inner`. No answer is late that comes within `least`.
    pub fn new(inner: Arc<dyn Bucket>, clock: Arc<dyn Clock>, least: Duration) -> Self {
        Self { inner, clock, least, state: Mutex::default() }
    }

    /// When an answer of this size would be late; None while nobody knows.
    fn late(&self, class: usize) -> Option<Duration> {
        let mut state = self.state.lock();
        state.savings = (state.savings + 1).min(SAVINGS);
        Some(state.usual[class].late()?.max(self.least))
    }

    fn may_repeat(&self) -> bool {
        let mut state = self.state.lock();
        let left = state.savings.checked_sub(PRICE);
        state.savings = left.unwrap_or(state.savings);
        left.is_some()
    }

    async fn get_hedged(
        &self,
        key: &str,
        range: Option<Range<u64>>,
        watch: &Watch<'_>,
        class: usize,
    ) -> BucketResult<Fetched> {
        let mut first = self.inner.get_watched(key, range.clone(), watch);
        let Some(late) = self.late(class) else { return first.await };
        tokio::select! {
            biased;
            answer = &mut first => return answer,
            () = tokio::time::sleep(late) => {}
        }
        if !self.may_repeat() {
            return first.await;
        }
        log::debug!("no answer for {key} within {late:?}, asking again");
        let mut second = self.inner.get_watched(key, range, watch);
        let (answer, other) = tokio::select! {
            answer = &mut first => (answer, second),
            answer = &mut second => (answer, first),
        };
        match answer {
            Err(error) if error.kind == ErrorKind::Transient => other.await,
            answer => answer,
        }
    }
}

#[async_trait]
impl Bucket for Hedge {
    async fn get_watched(
        &self,
        key: &str,
        range: Option<Range<u64>>,
        watch: &Watch<'_>,
    ) -> BucketResult<Fetched> {
        let (class, began) = (size_class(range.as_ref()), self.clock.boot());
        let answer = self.get_hedged(key, range, watch, class).await;
        if answer.is_ok() {
            let took = self.clock.boot().saturating_sub(began);
            self.state.lock().usual[class].note(took);
        }
        answer
    }

    async fn put(&self, key: &str, body: Bytes, condition: Condition) -> BucketResult<ETag> {
        self.inner.put(key, body, condition).await
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
    use super::*;
    use crate::base::SystemClock;
    use crate::object::{Fault, Faulty, Gate, MemoryBucket, Meter, RequestKind, Rule};

    struct Bench {
        meter: Meter,
        faulty: Faulty,
        hedge: Hedge,
    }

    /// A bucket that has answered `gets` GETs.
    async fn bench(gets: u32) -> Bench {
        let faulty = Faulty::new(Arc::new(MemoryBucket::new()));
        let meter = Meter::new(Arc::new(faulty.clone()));
        let hedge = Hedge::new(Arc::new(meter.clone()), Arc::new(SystemClock), Duration::from_millis(20));
        hedge.put("a", Bytes::from_static(b"bytes"), Condition::CreateOnly).await.unwrap();
        for _ in 0..gets {
            hedge.get("a", None).await.unwrap();
        }
        Bench { meter, faulty, hedge }
    }

    fn freeze_next(bench: &Bench) -> Gate {
        let gate = Gate::new();
        bench.faulty.add(Rule::first(1, Fault::Freeze(gate.clone())).on(RequestKind::Get));
        gate
    }

    #[tokio::test]
    async fn a_late_answer_is_asked_for_again_and_both_requests_are_counted() {
        let bench = bench(40).await;
        let gate = freeze_next(&bench);
        assert_eq!(bench.hedge.get("a", None).await.unwrap().bytes, "bytes");
        assert_eq!(bench.meter.snapshot().gets, 42);
        gate.release();
    }

    #[tokio::test]
    async fn the_first_answer_counts_when_it_comes_before_the_second() {
        let bench = bench(40).await;
        let (first, second) = (freeze_next(&bench), Gate::new());
        bench.faulty.add(Rule::first(1, Fault::Freeze(second.clone())).on(RequestKind::Get));
        let release = async {
            second.reached(1).await;
            first.release();
        };
        let (answer, ()) = tokio::join!(bench.hedge.get("a", None), release);
        assert_eq!(answer.unwrap().bytes, "bytes");
        second.release();
    }

    #[test]
    fn nothing_is_late_before_it_is_known_what_is_usual() {
        let mut usual = Usual::default();
        (1..LEARNT).for_each(|_| usual.note(Duration::from_millis(1)));
        assert_eq!(usual.late(), None);
        usual.note(Duration::from_millis(1));
        assert!(usual.late().is_some());
    }

    #[test]
    fn repetitions_are_one_in_twenty_requests() {
        let hedge =
            Hedge::new(Arc::new(MemoryBucket::new()), Arc::new(SystemClock), Duration::from_millis(20));
        let repeated = (0..1000).filter(|_| {
            hedge.late(0);
            hedge.may_repeat()
        });
        assert_eq!(repeated.count(), 50);
        for _ in 0..10_000 {
            hedge.late(0);
        }
        assert_eq!((0..100).filter(|_| hedge.may_repeat()).count(), 8);
    }

    #[test]
    fn what_is_usual_follows_the_store() {
        let mut usual = Usual::default();
        (0..100).for_each(|_| usual.note(Duration::from_millis(10)));
        let late = usual.late().unwrap();
        assert!((29..=31).contains(&late.as_millis()), "{late:?}");
        (0..30).for_each(|_| usual.note(Duration::from_millis(100)));
        assert!(usual.late().unwrap() > Duration::from_millis(250));
    }

    #[test]
    fn sizes_are_told_apart() {
        assert_eq!(size_class(None), 0);
        assert_eq!(size_class(Some(&(5..5))), 1);
        assert_eq!(size_class(Some(&(0..100_000))), 1);
        assert_eq!(size_class(Some(&(0..131_072))), 2);
        assert_eq!(size_class(Some(&(0..8 << 20))), 8);
        assert_eq!(size_class(Some(&(0..1 << 40))), SIZES - 1);
    }
}
