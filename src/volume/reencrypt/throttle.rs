//! The limit of the rate.

use std::sync::Arc;
use std::time::Duration;

use crate::base::Clock;

/// Says how long to wait after so many bytes. Time in which nothing was moved is not made up for later.
pub(super) struct Throttle {
    /// Bytes per second, at least 1.
    rate: Option<u64>,
    clock: Arc<dyn Clock>,
    /// Time since boot at which everything spent so far is paid.
    paid: Duration,
}

impl Throttle {
    /// No limit with `None`.
    pub fn new(rate: Option<u64>, clock: Arc<dyn Clock>) -> Self {
        let paid = clock.boot();
        Self { rate: rate.map(|rate| rate.max(1)), clock, paid }
    }

    /// `bytes` were moved: how long to wait now.
    pub fn spend(&mut self, bytes: u64) -> Duration {
        let Some(rate) = self.rate else { return Duration::ZERO };
        let now = self.clock.boot();
        self.paid = self.paid.max(now) + Duration::from_secs_f64(bytes as f64 / rate as f64);
        self.paid.saturating_sub(now)
    }

    /// How many of `most` things of `size` bytes are about a second's worth; at least one.
    pub fn step(&self, most: usize, size: u64) -> usize {
        let worth = self.rate.map_or(most as u64, |rate| rate / size.max(1));
        usize::try_from(worth).unwrap_or(most).clamp(1, most.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::ManualClock;

    #[test]
    fn as_many_bytes_pass_in_a_second_as_the_limit_says() {
        let clock = ManualClock::default();
        let mut throttle = Throttle::new(Some(1000), Arc::new(clock.clone()));
        assert_eq!(throttle.spend(500), Duration::from_millis(500));
        // Work that takes time itself is counted.
        clock.advance(Duration::from_millis(400));
        assert_eq!(throttle.spend(300), Duration::from_millis(400));
        // Idle time is no credit.
        clock.advance(Duration::from_secs(60));
        assert_eq!(throttle.spend(1000), Duration::from_secs(1));
    }

    #[test]
    fn without_a_limit_nobody_waits() {
        let mut throttle = Throttle::new(None, Arc::new(ManualClock::default()));
        assert_eq!(throttle.spend(u64::MAX), Duration::ZERO);
        assert_eq!(throttle.step(256, 65_536), 256);
    }

    #[test]
    fn steps_are_small_where_the_limit_is() {
        let throttle = Throttle::new(Some(1 << 20), Arc::new(ManualClock::default()));
        assert_eq!(throttle.step(256, 65_536), 16);
        assert_eq!(throttle.step(256, 8 << 20), 1);
        assert_eq!(throttle.step(256, 0), 256);
    }
}
