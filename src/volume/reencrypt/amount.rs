//! How much there is to move, and who looks on.

use std::ops::{AddAssign, ControlFlow};
use std::time::Duration;

/// Objects and bytes in the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Amount {
    pub objects: u64,
    pub bytes: u64,
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        self.objects += other.objects;
        self.bytes += other.bytes;
    }
}

/// Who watches a re-encryption, and may end it at any step: another run goes on from there.
pub trait Watcher: Send + Sync {
    /// So much of everything is moved. Not necessarily durable yet.
    fn progress(&self, moved: &Amount, all: &Amount) -> ControlFlow<()>;
    /// Lets `time` pass. May return before that only to end the run.
    fn pause(&self, time: Duration) -> ControlFlow<()>;
}
