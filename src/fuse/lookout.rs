//! Waiting for the next request awake.
//!
//! A program that does one thing after another sends its next request some microseconds after the last answer. A
//! thread that sleeps in between costs more than most requests do. So a thread that has answered looks out for the next
//! request for a moment before it goes to sleep in read(2), and takes it without a wait.
//!
//! Invariants: at most one thread looks out; only while requests come at a rate at which sleeping does not pay, and after
//! a time in vain not before [`IN_VAIN`] more of them have come. It gives way to whoever wants its core (sched_yield(2)),
//! and never happens on a machine with one core. Nothing depends on it: others wait in read(2) all the while.

use std::os::fd::OwnedFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::base::{Clock, SystemClock};

/// How long a thread looks out.
const PATIENCE: Duration = Duration::from_micros(40);
/// Requests whose ends are no further apart follow each other quickly.
const QUICK: Duration = Duration::from_micros(100);
/// A quick request counts 1, up to this; a try needs a quarter of it.
const MOST: u32 = 64;
const WORTH_A_TRY: u32 = MOST / 4;
/// What a slow request takes away, and a try in vain.
const SLOW: u32 = 4;
const IN_VAIN: u32 = 16;

/// What a thread finds after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// It may go to read(2); it has looked out if that was worth a try.
    Over,
    /// Another thread looks out.
    KeptByAnother,
}

/// The moment after each request.
pub struct Lookout {
    /// Of /dev/fuse; none where nobody is to look out.
    device: OnceLock<OwnedFd>,
    habit: Habit,
    somebody: AtomicBool,
}

impl Lookout {
    /// Does nothing until it is connected. The time is the real one: it is about this machine's cores.
    pub fn new() -> Self {
        let (device, habit, somebody) = (OnceLock::new(), Habit::new(), AtomicBool::new(false));
        Self { device, habit, somebody }
    }

    /// Tells where requests come from. Called once.
    pub fn connect(&self, device: OwnedFd) {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        if cores > 1 && self.device.set(device).is_err() {
            log::error!("a mount was connected twice");
        }
    }

    /// Called by a thread that takes requests, after each; returns at the latest after [`PATIENCE`], or when it is
    /// given its core back.
    pub fn after_request(&self) -> Watch {
        let Some(device) = self.device.get() else { return Watch::Over };
        if !self.habit.ended(SystemClock.boot()) {
            return Watch::Over;
        }
        if self.somebody.swap(true, Ordering::Acquire) {
            return Watch::KeptByAnother;
        }
        let device = &mut [PollFd::new(device, PollFlags::IN)];
        let until = SystemClock.boot() + PATIENCE;
        // An error is for read(2) to tell.
        let came = || poll(device, Some(&Timespec::default())) != Ok(0);
        if !look_out(came, || SystemClock.boot() < until) {
            self.habit.in_vain();
        }
        self.somebody.store(false, Ordering::Release);
        Watch::Over
    }
}

/// Looks once at least. True when something came.
fn look_out(mut came: impl FnMut() -> bool, mut time_is_left: impl FnMut() -> bool) -> bool {
    loop {
        if came() {
            return true;
        }
        if !time_is_left() {
            return false;
        }
        std::thread::yield_now();
    }
}

/// What the last requests were like. Threads that overtake each other make it inexact, which does no harm.
struct Habit {
    /// When the last request ended, in nanoseconds of [`Clock::boot`].
    last: AtomicU64,
    /// How quick they were, 0 to [`MOST`].
    score: AtomicU32,
}

impl Habit {
    fn new() -> Self {
        Self { last: AtomicU64::new(0), score: AtomicU32::new(0) }
    }

    /// A request ended at `now`. True when it is worth a try.
    fn ended(&self, now: Duration) -> bool {
        let now = now.as_nanos() as u64;
        let last = self.last.swap(now, Ordering::Relaxed);
        let quick = u128::from(now.saturating_sub(last)) <= QUICK.as_nanos();
        let score = self.score.load(Ordering::Relaxed);
        let score = if quick { (score + 1).min(MOST) } else { score.saturating_sub(SLOW) };
        self.score.store(score, Ordering::Relaxed);
        quick && score >= WORTH_A_TRY
    }

    /// Nothing came.
    fn in_vain(&self) {
        let score = self.score.load(Ordering::Relaxed);
        self.score.store(score.saturating_sub(IN_VAIN), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// Ends requests `gap` apart; tells how many until one is worth a try.
    fn until_worth_a_try(habit: &Habit, now: &mut Duration, gap: Duration) -> Option<u32> {
        (1..=2 * MOST).find(|_| {
            *now += gap;
            habit.ended(*now)
        })
    }

    #[test]
    fn requests_in_quick_succession_are_looked_out_for_and_others_never() {
        let (habit, mut now) = (Habit::new(), Duration::from_secs(1));
        assert_eq!(until_worth_a_try(&habit, &mut now, 2 * QUICK), None);
        assert_eq!(until_worth_a_try(&habit, &mut now, QUICK / 2), Some(WORTH_A_TRY));
        assert_eq!(until_worth_a_try(&habit, &mut now, QUICK / 2), Some(1));
        assert_eq!(until_worth_a_try(&habit, &mut now, 2 * QUICK), None);
    }

    #[test]
    fn tries_in_vain_take_turns_with_quick_requests() {
        let (habit, mut now) = (Habit::new(), Duration::from_secs(1));
        habit.ended(now);
        assert_eq!(until_worth_a_try(&habit, &mut now, QUICK / 2), Some(WORTH_A_TRY));
        for _ in 0..10 {
            habit.in_vain();
            assert_eq!(until_worth_a_try(&habit, &mut now, QUICK / 2), Some(IN_VAIN));
        }
    }

    #[test]
    fn a_slow_request_among_quick_ones_changes_nothing() {
        let (habit, mut now) = (Habit::new(), Duration::from_secs(1));
        for _ in 0..MOST {
            now += QUICK / 2;
            habit.ended(now);
        }
        now += 2 * QUICK;
        assert!(!habit.ended(now));
        assert_eq!(until_worth_a_try(&habit, &mut now, QUICK / 2), Some(1));
    }

    #[test]
    fn looking_out_ends_with_the_time_or_with_what_comes() {
        let mut looks = 0;
        let mut came = |at: u32| {
            looks += 1;
            looks == at
        };
        assert!(look_out(|| came(3), || true));
        let mut left = 5;
        let mut time = || {
            left -= 1;
            left > 0
        };
        assert!(!look_out(|| false, &mut time));
        assert_eq!(left, 0);
    }

    #[test]
    fn a_request_that_waits_already_is_seen_at_once() {
        let lookout = Lookout::new();
        let (reader, mut writer) = std::io::pipe().unwrap();
        lookout.device.set(reader.into()).unwrap();
        writer.write_all(b"request").unwrap();
        // Whether this thread is quick itself is not certain on a busy machine.
        let request = || {
            lookout.habit.last.store(SystemClock.boot().as_nanos() as u64, Ordering::Relaxed);
            let before = lookout.habit.score.load(Ordering::Relaxed);
            let watch = lookout.after_request();
            assert!(lookout.habit.score.load(Ordering::Relaxed) + SLOW >= before);
            watch
        };
        lookout.habit.score.store(MOST, Ordering::Relaxed);
        assert!((0..100).all(|_| request() == Watch::Over));
        lookout.somebody.store(true, Ordering::Relaxed);
        lookout.habit.score.store(MOST, Ordering::Relaxed);
        assert!((0..100).any(|_| request() == Watch::KeptByAnother));
    }
}
