//! One fetch for all who want the same thing at the same time.
//!
//! Whoever asks first gets a [`Claim`] and must fetch; everybody, the first one included, waits with a
//! [`Ticket`]. A claim that is dropped without a result (the task was stopped) tells its waiters so.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::error::DataError;

type Landing = Option<Result<Bytes, DataError>>;

/// The fetches under way, by what they fetch. As large as what is being fetched, which callers bound.
pub(super) struct Flights<K: Eq + Hash + Copy> {
    pending: Mutex<HashMap<K, watch::Receiver<Landing>>>,
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
        Arc::new(Self { pending: Mutex::new(HashMap::new()) })
    }

    /// Joins the fetch of `key` or begins one. `landed` looks where results are put before their flight
    /// ends; asked under the lock, it closes the gap between a caller's own look and this call.
    pub fn board(self: &Arc<Self>, key: K, landed: impl FnOnce() -> Option<Bytes>) -> Boarding<K> {
        let mut pending = self.pending.lock();
        if let Some(receiver) = pending.get(&key) {
            return Boarding::Join(Ticket(receiver.clone()));
        }
        if let Some(bytes) = landed() {
            return Boarding::Ready(bytes);
        }
        let (sender, receiver) = watch::channel(None);
        pending.insert(key, receiver.clone());
        Boarding::Fly(Claim { flights: Arc::clone(self), key, sender }, Ticket(receiver))
    }
}

/// The duty to fetch something.
pub(super) struct Claim<K: Eq + Hash + Copy> {
    flights: Arc<Flights<K>>,
    key: K,
    sender: watch::Sender<Landing>,
}

impl<K: Eq + Hash + Copy> Claim<K> {
    pub fn key(&self) -> K {
        self.key
    }

    /// Hands the result to all who wait. Put it where `landed` looks first.
    pub fn land(self, result: Result<Bytes, DataError>) {
        self.sender.send_replace(Some(result));
    }
}

impl<K: Eq + Hash + Copy> Drop for Claim<K> {
    fn drop(&mut self) {
        self.flights.pending.lock().remove(&self.key);
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
    async fn a_stopped_fetch_fails_its_waiters_and_can_be_begun_again() {
        let flights = Flights::new();
        let (claim, ticket) = fly(&flights, 1);
        drop(claim);
        assert!(matches!(ticket.wait().await, Err(DataError::Local(_))));
        fly(&flights, 1);
    }
}
