//! The threads that take requests from the kernel: how many serve at once, and how each waits for its next request.
//!
//! The kernel wakes a thread that sleeps in read(2) for each request, and the next thread for the next one. For a
//! program that does one thing after another this is the worst choice: the thread's core has to be woken, too. So one of
//! them looks out for the next request awake (see `lookout`), and most others rest out of the kernel's sight.
//!
//! Invariants: while fewer than `most` serve, one more at least reads or is on its way to; whoever begins to serve as the
//! last that read wakes one that rests. Rest is only for threads beyond the one that looks out and one more, and ends by
//! itself, so that a session ends whoever unmounts it. The mutex is held for counting only.

use std::os::fd::OwnedFd;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::lookout::{Lookout, Watch};

/// How long a thread rests. Long beside a request, short for whoever waits for the end of a session.
const REST: Duration = Duration::from_millis(100);
/// The thread that looks out, one that sleeps in read(2), and the one that asks.
const ENOUGH: usize = 3;

/// The threads of a session.
pub struct Takers {
    threads: usize,
    /// How many may serve at once.
    most: usize,
    counts: Mutex<Counts>,
    wake: Condvar,
    lookout: Lookout,
}

#[derive(Default)]
struct Counts {
    serving: usize,
    resting: usize,
    /// Of those that rested: woken, and not up yet.
    woken: usize,
}

/// A thread that serves, until dropped. Then it waits for its next request.
pub struct Serving<'a>(&'a Takers);

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        self.0.counts.lock().serving -= 1;
        self.0.served();
    }
}

impl Takers {
    /// For a session of `threads` threads (at least 2); one always stays free to take requests.
    pub fn new(threads: usize) -> Self {
        let most = threads.saturating_sub(2).max(1);
        let (counts, wake) = (Mutex::default(), Condvar::new());
        Self { threads, most, counts, wake, lookout: Lookout::new() }
    }

    /// Tells where requests come from. Called once; until then nobody looks out or rests.
    pub fn connect(&self, device: OwnedFd) {
        self.lookout.connect(device);
    }

    /// Begins to serve on the calling thread, if enough others are left.
    pub fn serve(&self) -> Option<Serving<'_>> {
        let mut counts = self.counts.lock();
        if counts.serving >= self.most {
            return None;
        }
        counts.serving += 1;
        if counts.resting > 0 && self.reading(&counts) == 0 {
            counts.resting -= 1;
            counts.woken += 1;
            drop(counts);
            self.wake.notify_one();
        }
        Some(Serving(self))
    }

    /// To be called at the end of a request, on the thread that took it.
    pub fn served(&self) {
        if self.lookout.after_request() == Watch::KeptByAnother {
            self.rest();
        }
    }

    fn rest(&self) {
        let mut counts = self.counts.lock();
        if self.reading(&counts) < ENOUGH {
            return;
        }
        counts.resting += 1;
        let mut rested = false;
        while counts.woken == 0 && !rested {
            rested = self.wake.wait_for(&mut counts, REST).timed_out();
        }
        match counts.woken.checked_sub(1) {
            Some(others) => counts.woken = others,
            None => counts.resting -= 1,
        }
    }

    /// Those that read, look out, or are on their way to.
    fn reading(&self, counts: &Counts) -> usize {
        self.threads.saturating_sub(counts.serving + counts.resting)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    fn resting(takers: &Takers) -> usize {
        takers.counts.lock().resting
    }

    /// Lets `number` threads rest; each tells its end by its handle.
    fn let_rest(takers: &Arc<Takers>, number: usize) -> Vec<thread::JoinHandle<()>> {
        let threads = (0..number).map(|_| {
            let takers = Arc::clone(takers);
            thread::spawn(move || takers.rest())
        });
        threads.collect()
    }

    #[test]
    fn one_thread_is_always_left_to_take_requests() {
        let takers = Takers::new(3);
        let serving = takers.serve().unwrap();
        assert!(takers.serve().is_none());
        drop(serving);
        assert!(takers.serve().is_some());
    }

    #[test]
    fn nobody_rests_when_few_would_be_left() {
        let takers = Takers::new(ENOUGH + 1);
        let serving = [takers.serve().unwrap(), takers.serve().unwrap()];
        takers.rest();
        drop(serving);
        assert_eq!(resting(&takers), 0);
    }

    #[test]
    fn whoever_serves_as_the_last_reader_wakes_one_that_rests() {
        let takers = Arc::new(Takers::new(16));
        let mut at_rest = 0;
        let threads = let_rest(&takers, 20);
        // They rest one by one; that of all of them none but two is left is not for this thread to await.
        while takers.counts.lock().resting < 13 && at_rest < 1_000_000 {
            thread::yield_now();
            at_rest += 1;
        }
        let serving: Vec<_> = (0..14).map(|_| takers.serve().unwrap()).collect();
        let counts = takers.counts.lock();
        assert!(takers.reading(&counts) >= 1, "{} serve, {} rest", counts.serving, counts.resting);
        drop(counts);
        drop(serving);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let counts = takers.counts.lock();
        assert_eq!((counts.serving, counts.resting, counts.woken), (0, 0, 0));
    }

    #[test]
    fn rest_ends_by_itself() {
        let takers = Arc::new(Takers::new(16));
        let_rest(&takers, 4).into_iter().for_each(|thread| thread.join().unwrap());
        let counts = takers.counts.lock();
        assert_eq!((counts.resting, counts.woken), (0, 0));
    }
}
