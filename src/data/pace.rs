//! Whether writers do better to wait for the bucket, or to have segments moved to the local disk.
//!
//! Writing everything to a disk and reading it back costs processor time that a quick bucket would rather have for itself: a
//! file of 4 GiB arrived at 137 MiB/s by way of the spool and at 172 without, on two cores with the server on them. So the
//! bucket is **slow** from when a writer has waited for it in vain, until it has taken some segments in quick
//! succession: one pause of a server does not send all the rest of a large file to the disk.
//!
//! What the spool holds goes to the bucket before what came later. For that time writers may go on half as fast as the
//! bucket takes things, so that they neither stand still nor keep the spool filled.

use std::time::Duration;

use tokio::time::Instant;

/// Segments taken in quick succession after which a slow bucket is quick again: more than go up side by side, which may
/// all arrive at once however long they took.
const QUICK: u32 = 8;

/// What the bucket took lately, and whether it is slow.
pub(super) struct Pace {
    longest: Duration,
    slow: bool,
    /// When it took something last.
    last: Option<Instant>,
    /// How many segments it has taken with no more than `longest` between them.
    row: u32,
    /// Bytes that may move to the spool although the bucket is quick.
    allowance: u64,
}

impl Pace {
    /// Takes the bucket for quick. It is slow when it takes nothing for `longest`.
    pub fn new(longest: Duration) -> Self {
        Self { longest, slow: false, last: None, row: 0, allowance: 0 }
    }

    /// The bucket took a segment of `bytes`; the spool holds `spooled` now.
    pub fn took(&mut self, bytes: u64, spooled: u64, now: Instant) {
        let is_quick = self.last.is_some_and(|last| now.duration_since(last) <= self.longest);
        self.row = if is_quick { self.row.saturating_add(1) } else { 0 };
        self.last = Some(now);
        self.allowance = if spooled > 0 { self.allowance.saturating_add(bytes / 2) } else { 0 };
        if self.slow && self.row >= QUICK {
            (self.slow, self.allowance) = (false, 0);
        }
    }

    /// Until when a writer who has waited since `since` should wait; `None`: the bucket is slow.
    pub fn patience(&self, since: Instant) -> Option<Instant> {
        let from = self.last.map_or(since, |last| last.max(since));
        (!self.slow).then(|| from + self.longest)
    }

    /// A writer has waited since `since`.
    pub fn waited(&mut self, since: Instant, now: Instant) {
        if self.patience(since).is_some_and(|until| now >= until) {
            (self.slow, self.row) = (true, 0);
        }
    }

    /// Memory has room and the spool is empty.
    pub fn emptied(&mut self) {
        (self.slow, self.allowance) = (false, 0);
    }

    /// How many bytes may move to the spool now.
    pub fn may_move(&self) -> u64 {
        if self.slow { u64::MAX } else { self.allowance }
    }

    /// So many bytes move.
    pub fn moves(&mut self, bytes: u64) {
        self.allowance = self.allowance.saturating_sub(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_millis(250);
    const SEGMENT: u64 = 1000;
    const SPOOLED: u64 = 1_000_000;

    fn after(begin: Instant, millis: u64) -> Instant {
        begin + Duration::from_millis(millis)
    }

    /// A pace that became slow at `begin`.
    fn slow() -> (Pace, Instant) {
        let (mut pace, begin) = (Pace::new(LONGEST), Instant::now());
        pace.waited(begin, begin + LONGEST);
        assert_eq!(pace.patience(begin), None);
        (pace, begin + LONGEST)
    }

    #[test]
    fn a_bucket_that_takes_something_now_and_then_is_waited_for() {
        let (mut pace, begin) = (Pace::new(LONGEST), Instant::now());
        for step in 1..100 {
            pace.took(SEGMENT, SPOOLED, after(begin, step * 200));
            pace.waited(begin, after(begin, step * 200 + 199));
        }
        assert_eq!(pace.patience(begin), Some(after(begin, 99 * 200) + LONGEST));
    }

    #[test]
    fn a_bucket_that_takes_nothing_for_long_is_slow_and_everything_may_move() {
        let (pace, _) = slow();
        assert_eq!(pace.may_move(), u64::MAX);
    }

    #[test]
    fn segments_that_arrive_together_after_long_waits_do_not_make_it_quick() {
        let (mut pace, begin) = slow();
        for round in 1..20 {
            (0..4).for_each(|_| pace.took(SEGMENT, SPOOLED, after(begin, round * 1000)));
        }
        assert_eq!(pace.patience(begin), None);
    }

    #[test]
    fn a_row_of_quick_segments_makes_it_quick_and_the_spool_drains_while_writers_go_on() {
        let (mut pace, begin) = slow();
        for step in 0..=u64::from(QUICK) {
            pace.took(SEGMENT, SPOOLED, after(begin, step * 50));
        }
        assert!(pace.patience(begin).is_some());
        assert_eq!(pace.may_move(), 0);
        pace.took(SEGMENT, SPOOLED, after(begin, 1000));
        pace.took(SEGMENT, SPOOLED, after(begin, 1050));
        assert_eq!(pace.may_move(), SEGMENT);
        pace.moves(SEGMENT);
        assert_eq!(pace.may_move(), 0);
    }

    #[test]
    fn with_an_empty_spool_nothing_may_move_to_it_while_the_bucket_is_quick() {
        let (mut pace, begin) = slow();
        pace.emptied();
        assert!(pace.patience(begin).is_some());
        (1..20).for_each(|step| pace.took(SEGMENT, 0, after(begin, step * 50)));
        assert_eq!(pace.may_move(), 0);
    }
}
