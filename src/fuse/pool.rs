//! Threads for requests that wait: started when needed, up to a bound, gone after a quiet while.
//!
//! Not the async runtime's blocking threads: what these requests wait for (uploads, sealing) runs there, and
//! a pool full of waiting requests must not be able to stop it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// How long a thread without work stays.
const IDLE: Duration = Duration::from_secs(10);

type Job = Box<dyn FnOnce() + Send>;

/// A bounded set of threads. Jobs beyond the bound wait their turn; the kernel bounds how many there are,
/// since every job is a request of its own.
pub struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    name: &'static str,
    most: usize,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
}

impl Pool {
    /// A pool of at most `most` threads called `name`.
    pub fn new(name: &'static str, most: usize) -> Self {
        let (state, wake) = (Mutex::default(), Condvar::new());
        Self { shared: Arc::new(Shared { name, most, state, wake }) }
    }

    /// Runs `job` on one of the threads. It must not panic.
    pub fn run(&self, job: impl FnOnce() + Send + 'static) {
        let mut state = self.shared.state.lock();
        state.jobs.push_back(Box::new(job));
        if state.idle >= state.jobs.len() {
            self.shared.wake.notify_one();
            return;
        }
        if state.threads >= self.shared.most {
            return; // a busy thread takes it when it is done
        }
        state.threads += 1;
        drop(state);
        let shared = self.shared.clone();
        let thread = std::thread::Builder::new().name(shared.name.into()).spawn(move || shared.work());
        if let Err(error) = thread {
            log::error!("cannot start a thread for requests: {error}");
            self.shared.without_thread();
        }
    }
}

impl Shared {
    fn work(&self) {
        let mut state = self.state.lock();
        loop {
            while let Some(job) = state.jobs.pop_front() {
                drop(state);
                job();
                state = self.state.lock();
            }
            state.idle += 1;
            let quiet = self.wake.wait_for(&mut state, IDLE).timed_out();
            state.idle -= 1;
            if quiet && state.jobs.is_empty() {
                state.threads -= 1;
                return;
            }
        }
    }

    /// A thread could not be started. If there is no other, the job is done here: late is better than never.
    fn without_thread(&self) {
        let mut state = self.state.lock();
        state.threads -= 1;
        let job = if state.threads == 0 { state.jobs.pop_front() } else { None };
        drop(state);
        if let Some(job) = job {
            job();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn waiting_jobs_do_not_stop_others_up_to_the_bound() {
        let pool = Pool::new("test-pool", 3);
        let (done, results) = mpsc::channel();
        let (release, gate) = mpsc::channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        for _ in 0..2 {
            let (gate, done) = (gate.clone(), done.clone());
            pool.run(move || {
                gate.lock().recv().unwrap();
                done.send("waited").unwrap();
            });
        }
        let quick = done.clone();
        pool.run(move || quick.send("quick").unwrap());
        assert_eq!(results.recv().unwrap(), "quick");
        release.send(()).unwrap();
        release.send(()).unwrap();
        assert_eq!(results.recv().unwrap(), "waited");
        assert_eq!(results.recv().unwrap(), "waited");
    }

    #[test]
    fn jobs_beyond_the_bound_are_done_in_turn() {
        let pool = Pool::new("test-pool", 1);
        let (done, results) = mpsc::channel();
        for number in 0..100 {
            let done = done.clone();
            pool.run(move || done.send(number).unwrap());
        }
        let order: Vec<i32> = results.iter().take(100).collect();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
    }
}
