//! One fetch for all who want the same thing at the same time.
//!
//! Whoever asks first gets a [`Claim`] and must fetch; everybody, the first one included, waits with a
//! [`Ticket`]. A claim that is dropped without a result (the task was stopped) tells its waiters so.
//!
//! A fetch that failed only after long patience is not begun again for a moment: of a failed read the kernel at once
//! asks for the one page that somebody waits for (`filemap_read_folio` in mm/filemap.c), which would double the wait.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use super::error::DataError;

/// A failure that took at least this long was waited for by somebody who is not to wait as long again.
const LONG: Duration = Duration::from_secs(10);
/// How long it is remembered.
const REMEMBERED: Duration = Duration::from_secs(1);
/// Most failures that are remembered; the oldest go first.
const MAX_REMEMBERED: usize = 4096;

type Landing = Option<Result<Bytes, DataError>>;

/// The fetches under way, by what they fetch. As large as what is being fetched, which callers bound.
pub(super) struct Flights<K: Eq + Hash + Copy> {
    pending: Mutex<Pending<K>>,
    /// [`LONG`] and [`REMEMBERED`].
    times: (Duration, Duration),
}

struct Pending<K> {
    flying: HashMap<K, watch::Receiver<Landing>>,
    /// Failures of a moment ago, oldest first.
    failed: VecDeque<(Instant, K, watch::Receiver<Landing>)>,
}

impl<K: Eq> Pending<K> {
    /// What is known of a fetch of `key` that failed just now.
    fn recent_failure(&mut self, key: &K, remembered: Duration) -> Option<watch::Receiver<Landing>> {
        if self.failed.is_empty() {
            return None;
        }
        let now = Instant::now();
        while self.failed.front().is_some_and(|(when, ..)| now.duration_since(*when) >= remembered) {
            self.failed.pop_front();
        }
        self.failed.iter().rev().find(|(_, failed, _)| failed == key).map(|(.., receiver)| receiver.clone())
    }

    fn remember(&mut self, key: K, receiver: watch::Receiver<Landing>) {
        if self.failed.len() == MAX_REMEMBERED {
            self.failed.pop_front();
        }
        self.failed.push_back((Instant::now(), key, receiver));
    }
}

/// What [`Flights::board`] found.
pub(super) enum Boarding<K: Eq + Hash + Copy> {
    /// It had just landed.
    Ready(Bytes),
    /// Somebody is fetching it.
    Join(Ticket),
    /// The caller must fetch it.
    Fly(Claim<K>, Ticket),
}

impl<K: Eq + Hash + Copy> Flights<K> {
    /// Nothing is under way.
    pub fn new() -> Arc<Self> {
        Self::with_times((LONG, REMEMBERED))
    }

    fn with_times(times: (Duration, Duration)) -> Arc<Self> {
        let pending = Pending { flying: HashMap::new(), failed: VecDeque::new() };
        Arc::new(Self { pending: Mutex::new(pending), times })
    }

    /// Joins the fetch of `key` or begins one. `landed` looks where results are put before their flight
    /// ends; asked under the lock, it closes the gap between a caller's own look and this call.
    pub fn board(self: &Arc<Self>, key: K, landed: impl FnOnce() -> Option<Bytes>) -> Boarding<K> {
        let mut pending = self.pending.lock();
        if let Some(receiver) = pending.flying.get(&key) {
            return Boarding::Join(Ticket(receiver.clone()));
        }
        if let Some(bytes) = landed() {
            return Boarding::Ready(bytes);
        }
        if let Some(receiver) = pending.recent_failure(&key, self.times.1) {
            return Boarding::Join(Ticket(receiver));
        }
        let (sender, receiver) = watch::channel(None);
        pending.flying.insert(key, receiver.clone());
        let claim = Claim { flights: Arc::clone(self), key, sender, begun: Instant::now() };
        Boarding::Fly(claim, Ticket(receiver))
    }
}

/// The duty to fetch something.
pub(super) struct Claim<K: Eq + Hash + Copy> {
    flights: Arc<Flights<K>>,
    key: K,
    sender: watch::Sender<Landing>,
    begun: Instant,
}

impl<K: Eq + Hash + Copy> Claim<K> {
    pub fn key(&self) -> K {
        self.key
    }

    /// Hands the result to all who wait. Put it where `landed` looks first.
    pub fn land(self, result: Result<Bytes, DataError>) {
        if result.is_err() && self.begun.elapsed() >= self.flights.times.0 {
            self.flights.pending.lock().remember(self.key, self.sender.subscribe());
        }
        self.sender.send_replace(Some(result));
    }
}

impl<K: Eq + Hash + Copy> Drop for Claim<K> {
    fn drop(&mut self) {
        self.flights.pending.lock().flying.remove(&self.key);
    }
}

/// The right to a result.
pub(super) struct Ticket(watch::Receiver<Landing>);

impl Ticket {
    /// Waits for the result.
    ///
    /// # Errors
    /// The fetch's own; `Local` when it was stopped.
    pub async fn wait(mut self) -> Result<Bytes, DataError> {
        match self.0.wait_for(Option::is_some).await {
            Ok(landing) => match &*landing {
                Some(result) => result.clone(),
                None => Err(DataError::abandoned("a fetch ended without a result")),
            },
            Err(stopped) => Err(DataError::abandoned(stopped)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fly(flights: &Arc<Flights<u32>>, key: u32) -> (Claim<u32>, Ticket) {
        match flights.board(key, || None) {
            Boarding::Fly(claim, ticket) => (claim, ticket),
            Boarding::Ready(_) | Boarding::Join(_) => panic!("{key} should not be under way"),
        }
    }

    #[tokio::test]
    async fn a_second_reader_shares_the_first_ones_result() {
        let flights = Flights::new();
        let (claim, first) = fly(&flights, 1);
        let Boarding::Join(second) = flights.board(1, || None) else { panic!("1 is under way") };
        claim.land(Ok(Bytes::from_static(b"x")));
        assert_eq!(first.wait().await.unwrap(), "x");
        assert_eq!(second.wait().await.unwrap(), "x");
        assert!(matches!(flights.board(1, || Some(Bytes::new())), Boarding::Ready(_)));
        fly(&flights, 1);
    }

    #[tokio::test]
    async fn a_failure_that_was_waited_for_is_not_waited_for_again_at_once() {
        let hour = Duration::from_secs(3600);
        let fail = |flights: &Arc<Flights<u32>>| fly(flights, 1).0.land(Err(DataError::abandoned("away")));
        let flights = Flights::with_times((Duration::ZERO, hour));
        fail(&flights);
        let Boarding::Join(again) = flights.board(1, || None) else { panic!("it has failed a moment ago") };
        assert!(again.wait().await.is_err());
        let arrived = flights.board(1, || Some(Bytes::from_static(b"x")));
        assert!(matches!(arrived, Boarding::Ready(_)), "what is there meanwhile is given");
        fly(&flights, 2);
        for times in [(hour, hour), (Duration::ZERO, Duration::ZERO)] {
            let flights = Flights::with_times(times);
            fail(&flights);
            fly(&flights, 1);
        }
    }

    #[tokio::test]
    async fn a_stopped_fetch_fails_its_waiters_and_can_be_begun_again() {
        let flights = Flights::new();
        let (claim, ticket) = fly(&flights, 1);
        drop(claim);
        assert!(matches!(ticket.wait().await, Err(DataError::Local(_))));
        fly(&flights, 1);
    }
}
