//! The commit thread `hushfs-commit`: commits at intervals and on demand, follows the log, starts checkpoints, reaps.
//!
//! It sleeps on the bell. While a commit fails it tries again with growing pauses, for ever; a caller of sync makes
//! it try at once. It holds no reference to the volume while it sleeps and ends with it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::bell::{Bell, Wake};
use super::error::VolumeError;
use super::mounted::Volume;
use super::state::Unfollowed;
use crate::base::with_causes;

/// Longest pause between attempts of a failing commit.
const MOST_BACKOFF: Duration = Duration::from_secs(60);
/// Shortest sleep, so that rounding never makes the thread spin.
const LEAST_SLEEP: Duration = Duration::from_millis(10);

/// When what is due next (time since boot).
pub(super) struct Schedule {
    commit: Duration,
    poll: Duration,
    backoff: Duration,
}

impl Volume {
    /// Starts the commit thread.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub(super) fn start_thread(self: &Arc<Self>) -> Result<(), std::io::Error> {
        let (volume, bell) = (Arc::downgrade(self), Arc::clone(&self.bell));
        let thread = std::thread::Builder::new().name("hushfs-commit".into());
        *self.thread.lock() = Some(thread.spawn(move || run(&volume, &bell))?);
        Ok(())
    }

    /// Does what is due; how long to sleep then.
    pub(super) fn tick(&self, schedule: &mut Schedule, wake: Wake) -> Duration {
        if wake == Wake::Look {
            schedule.poll = self.env.clock.boot();
        }
        if !self.is_read_only() {
            self.commit_if_due(schedule, wake == Wake::Asked);
            self.reap_some();
            self.start_checkpoint_if_due();
        }
        self.poll_if_due(schedule);
        let due = if self.is_read_only() { schedule.poll } else { schedule.commit.min(schedule.poll) };
        due.saturating_sub(self.env.clock.boot()).max(LEAST_SLEEP)
    }

    fn commit_if_due(&self, schedule: &mut Schedule, asked: bool) {
        let now = self.env.clock.boot();
        if !asked && now < schedule.commit {
            return;
        }
        let interval = self.options.commit_interval;
        if !asked && !self.has_local_work() && !self.state.read().has_unpublished() {
            schedule.commit = now + interval;
            return;
        }
        let pause = match self.commit_once() {
            Ok(()) => {
                self.looked_now();
                schedule.backoff = Duration::from_secs(1);
                interval
            }
            Err(_) => {
                // Logged and kept for `status` by the attempt itself.
                let pause = schedule.backoff
                    + schedule.backoff.mul_f64((self.env.random.next_u64() % 100) as f64 / 200.0);
                schedule.backoff = (schedule.backoff * 2).min(MOST_BACKOFF);
                pause
            }
        };
        let now = self.env.clock.boot();
        schedule.commit = now + pause;
        // Sooner than it was to be, too: the attempt may have shown that there is somebody to follow.
        schedule.poll = now + self.poll_pause();
    }

    fn poll_if_due(&self, schedule: &mut Schedule) {
        if self.env.clock.boot() < schedule.poll {
            return;
        }
        self.note_following(self.look().err());
        self.looked_now();
        schedule.poll = self.env.clock.boot() + self.poll_pause();
    }

    /// Kept for `status`, so that an idle or read-only mount shows what it met; logged when it begins, gets worse or ends.
    fn note_following(&self, trouble: Option<VolumeError>) {
        let before = self.state.read().unfollowed.as_ref().map(|before| before.refused);
        let now =
            trouble.map(|error| Unfollowed { why: with_causes(&error), refused: error.kind().is_none() });
        match &now {
            None if before.is_none() => return,
            None => log::info!("the log can be followed again"),
            Some(now) if now.refused && before != Some(true) => {
                log::error!("the log is not followed, what was seen before stays: {}", now.why);
            }
            Some(now) if before.is_none() => log::warn!("the log cannot be followed for now: {}", now.why),
            Some(_) => {}
        }
        self.state.write().unfollowed = now;
    }

    fn start_checkpoint_if_due(&self) {
        if !self.wants_checkpoint() || self.checkpointing.is_locked() {
            return;
        }
        let Some(volume) = self.me.upgrade() else { return };
        self.env.runtime.spawn_blocking(move || {
            if let Err(error) = volume.checkpoint(&Default::default()) {
                log::warn!("a checkpoint failed and will be made later: {}", with_causes(&error));
            }
            // The next entry names it.
            volume.bell.nudge();
        });
    }
}

fn run(volume: &Weak<Volume>, bell: &Arc<Bell>) {
    let _stop = StopOnExit(Arc::clone(bell));
    let Some(mut schedule) = volume.upgrade().map(|volume| Schedule::new(&volume)) else { return };
    let mut sleep = LEAST_SLEEP;
    loop {
        let wake = bell.wait(sleep);
        let Some(volume) = volume.upgrade().filter(|_| wake != Wake::Stop) else { return };
        sleep = volume.tick(&mut schedule, wake);
    }
}

impl Schedule {
    pub(super) fn new(volume: &Volume) -> Self {
        let now = volume.env.clock.boot();
        Self {
            commit: now + volume.options.commit_interval,
            poll: now + volume.poll_pause(),
            backoff: Duration::from_secs(1),
        }
    }
}

/// Nobody waits for a thread that is gone, whatever ended it.
struct StopOnExit(Arc<Bell>);

impl Drop for StopOnExit {
    fn drop(&mut self) {
        self.0.stop();
    }
}
