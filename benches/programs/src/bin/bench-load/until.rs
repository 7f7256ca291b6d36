//! When a loop ends early.

use std::time::{Duration, Instant};

/// A moment, or none.
pub struct Limit {
    end: Option<Instant>,
}

impl Limit {
    /// `LIMIT` seconds after `start`.
    pub fn from_environment(start: Instant) -> Self {
        let seconds = std::env::var("LIMIT").ok().and_then(|text| text.parse().ok());
        Self { end: seconds.map(|seconds| start + Duration::from_secs_f64(seconds)) }
    }

    pub fn reached(&self) -> bool {
        self.end.is_some_and(|end| Instant::now() >= end)
    }
}
