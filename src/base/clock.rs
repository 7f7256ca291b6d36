//! Time, passed in: nothing below `cli/` asks the operating system for it directly.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

/// A moment in POSIX time: seconds since 1970 (may be negative) and nanoseconds in 0..1_000_000_000.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Timestamp {
    pub secs: i64,
    pub nanos: u32,
}

impl Timestamp {
    /// Converts from the standard library's clock reading, before 1970 too.
    pub fn from_system(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self { secs: after.as_secs() as i64, nanos: after.subsec_nanos() },
            Err(before) => {
                let before = before.duration();
                let borrow = i64::from(before.subsec_nanos() > 0);
                Self {
                    secs: -(before.as_secs() as i64) - borrow,
                    nanos: if borrow == 1 { 1_000_000_000 - before.subsec_nanos() } else { 0 },
                }
            }
        }
    }

    /// Converts to the standard library's clock reading, before 1970 too.
    pub fn to_system(self) -> SystemTime {
        let nanos = Duration::from_nanos(u64::from(self.nanos));
        if self.secs >= 0 {
            UNIX_EPOCH + Duration::from_secs(self.secs as u64) + nanos
        } else {
            UNIX_EPOCH - Duration::from_secs(self.secs.unsigned_abs()) + nanos
        }
    }

    /// How long ago this was, seen from `now`; zero when it lies in the future.
    pub fn age(self, now: Timestamp) -> Duration {
        now.to_system().duration_since(self.to_system()).unwrap_or_default()
    }
}

/// Wall time for the attributes of files, and a clock that also runs while the machine sleeps for
/// leases and intervals.
pub trait Clock: Send + Sync + 'static {
    /// Wall-clock time now.
    fn now(&self) -> Timestamp;
    /// Time since some fixed moment; never goes back and counts suspend (CLOCK_BOOTTIME).
    fn boot(&self) -> Duration;
}

/// The operating system's clocks. Wall time is the coarse one, which moves every few milliseconds: the kernel takes
/// it for the times it gives to files, and with write-back caching some times of a file are the kernel's and some
/// are ours. Of two clocks, a file could be modified before it was made.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let now = clock_gettime(ClockId::RealtimeCoarse);
        Timestamp { secs: now.tv_sec, nanos: now.tv_nsec as u32 }
    }

    fn boot(&self) -> Duration {
        let now = clock_gettime(ClockId::Boottime);
        Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
    }
}

/// A clock that moves only when told to; clones share the time. For tests.
#[derive(Clone, Default)]
pub struct ManualClock {
    nanos: Arc<AtomicU64>,
}

impl ManualClock {
    /// Moves time on by `step`.
    pub fn advance(&self, step: Duration) {
        self.nanos.fetch_add(step.as_nanos() as u64, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        let nanos = self.nanos.load(Ordering::SeqCst);
        Timestamp {
            secs: 1_700_000_000 + (nanos / 1_000_000_000) as i64,
            nanos: (nanos % 1_000_000_000) as u32,
        }
    }

    fn boot(&self) -> Duration {
        Duration::from_nanos(self.nanos.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_1970_survive_the_round_trip() {
        for time in [
            Timestamp { secs: -1, nanos: 999_999_999 },
            Timestamp { secs: -5, nanos: 0 },
            Timestamp { secs: 0, nanos: 1 },
            Timestamp { secs: 1 << 33, nanos: 5 },
        ] {
            assert_eq!(Timestamp::from_system(time.to_system()), time);
        }
    }
}
