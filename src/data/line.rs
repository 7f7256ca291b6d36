//! What the line to the bucket is like: how long it takes to be answered, and how quickly bytes come then.
//!
//! What comes in the time of a request may be taken along on the chance that somebody wants it: if nobody does, it took twice as
//! long, and if somebody does, a request was spared. On a fast line that is more than a segment, and on a slow one less than a chunk.
//! And what comes within a second is as much as anybody should have to wait for who turns to something else.
//!
//! The bytes of all answers are counted together, from when the first ones of each have come, over stretches of some milliseconds at
//! least; the middle one of the last stretches counts. After many requests that told nothing it is tried again: the line may have become
//! faster, or be another one.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// No answer counts as quicker: asking takes the processors' time, too.
const LEAST_WAIT: Duration = Duration::from_millis(10);
/// Fewer bytes say nothing of how quickly they come,
const TELLING: u64 = 128 << 10;
/// nor do those of a moment in which others go on coming: they may have come before, and waited here to be taken.
const STRETCH: Duration = Duration::from_millis(20);
/// Stretches that are remembered.
const REMEMBERED: usize = 7;
/// Requests after which what was seen before them is in doubt.
const DOUBTED: u32 = 32;
/// Enough to find out.
const TRIAL: u64 = 2 * TELLING;

/// Bytes that came, and since when.
struct Stretch {
    since: Instant,
    bytes: u64,
}

#[derive(Default)]
struct State {
    /// How long answers take to begin, smoothed.
    wait: Duration,
    /// Bytes per second in the last stretches.
    rates: VecDeque<u64>,
    /// The middle one of them.
    rate: Option<u64>,
    /// Requests since the last stretch.
    asked: u32,
    /// Answers that are coming.
    coming: u32,
    /// While there are any.
    stretch: Option<Stretch>,
}

/// The line of one bucket.
#[derive(Default)]
pub(super) struct Line(Mutex<State>);

/// One request and what comes of it.
pub(super) struct Answer<'a> {
    line: &'a Line,
    asked: Instant,
    /// Bytes that have come; changed under the line's mutex.
    came: AtomicU64,
}

impl Line {
    /// Somebody asks the bucket for bytes.
    pub fn ask(&self, now: Instant) -> Answer<'_> {
        let mut state = self.0.lock();
        state.asked = state.asked.saturating_add(1);
        Answer { line: self, asked: now, came: AtomicU64::new(0) }
    }

    /// How many bytes come in the time that a request takes to be answered; None: that is not known yet.
    pub fn bytes_for_a_request(&self) -> Option<u64> {
        let state = self.0.lock();
        let bytes = u128::from(state.rate?) * state.wait.max(LEAST_WAIT).as_micros() / 1_000_000;
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        Some(if state.asked < DOUBTED { bytes } else { bytes.max(TRIAL) })
    }

    /// How many bytes come in a second; None: that is not known yet.
    pub fn bytes_in_a_second(&self) -> Option<u64> {
        self.0.lock().rate
    }
}

impl Answer<'_> {
    /// So many bytes have come so far, by one of the attempts.
    pub fn comes(&self, bytes: u64, now: Instant) {
        let mut state = self.line.0.lock();
        let before = self.came.fetch_max(bytes, Ordering::Relaxed);
        match before {
            0 if bytes > 0 => state.begins(now.duration_since(self.asked), now),
            _ => state.goes_on(bytes.saturating_sub(before), now),
        }
    }

    /// All of it has come: `bytes`. One that was not watched says how quickly it came at least.
    pub fn ends(self, bytes: u64, now: Instant) {
        let mut state = self.line.0.lock();
        match self.came.swap(0, Ordering::Relaxed) {
            0 => state.tell(bytes, now.duration_since(self.asked)),
            before => {
                state.goes_on(bytes.saturating_sub(before), now);
                state.over(Some(now));
            }
        }
    }
}

impl Drop for Answer<'_> {
    fn drop(&mut self) {
        if *self.came.get_mut() > 0 {
            self.line.0.lock().over(None);
        }
    }
}

impl State {
    fn begins(&mut self, wait: Duration, now: Instant) {
        self.wait = if self.wait.is_zero() { wait } else { self.wait * 3 / 4 + wait / 4 };
        self.coming += 1;
        self.stretch.get_or_insert(Stretch { since: now, bytes: 0 });
    }

    fn goes_on(&mut self, bytes: u64, now: Instant) {
        let Some(stretch) = &mut self.stretch else { return };
        stretch.bytes += bytes;
        let (bytes, took) = (stretch.bytes, now.duration_since(stretch.since));
        if bytes >= TELLING && took >= STRETCH {
            *stretch = Stretch { since: now, bytes: 0 };
            self.tell(bytes, took);
        }
    }

    /// An answer ends, or is given up.
    fn over(&mut self, now: Option<Instant>) {
        self.coming -= 1;
        if self.coming == 0
            && let (Some(stretch), Some(now)) = (self.stretch.take(), now)
        {
            self.tell(stretch.bytes, now.duration_since(stretch.since));
        }
    }

    fn tell(&mut self, bytes: u64, took: Duration) {
        if bytes < TELLING {
            return;
        }
        if self.rates.len() == REMEMBERED {
            self.rates.pop_front();
        }
        let rate = u128::from(bytes) * 1_000_000 / took.as_micros().max(1);
        self.rates.push_back(u64::try_from(rate).unwrap_or(u64::MAX));
        let mut rates: Vec<u64> = self.rates.iter().copied().collect();
        rates.sort_unstable();
        self.rate = rates.get(rates.len() / 2).copied();
        self.asked = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1_000_000;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// An answer that begins after `wait`, of `bytes` at `rate` a second.
    fn answer(line: &Line, wait: Duration, bytes: u64, rate: u64) {
        let asked = Instant::now();
        let answer = line.ask(asked);
        answer.comes(1000, asked + wait);
        let took = Duration::from_micros((bytes - 1000) * MB / rate);
        answer.ends(bytes, asked + wait + took);
    }

    #[test]
    fn what_the_line_is_like_is_known_after_one_long_answer() {
        let line = Line::default();
        answer(&line, millis(30), 10_000, 2 * MB);
        assert_eq!((line.bytes_for_a_request(), line.bytes_in_a_second()), (None, None), "it was too short");
        answer(&line, millis(30), 201_000, 2 * MB);
        assert_eq!(line.bytes_for_a_request(), Some(60_000));
        assert_eq!(line.bytes_in_a_second(), Some(2 * MB));
    }

    #[test]
    fn the_middle_one_of_the_last_stretches_counts() {
        let line = Line::default();
        [100, 1, 4, 2, 50].into_iter().for_each(|rate| answer(&line, millis(30), MB + 1000, rate * MB));
        assert_eq!(line.bytes_in_a_second(), Some(4 * MB));
        (0..4).for_each(|_| answer(&line, millis(30), MB + 1000, 10 * MB));
        assert_eq!(line.bytes_in_a_second(), Some(10 * MB), "it is another line now");
    }

    #[test]
    fn what_was_seen_long_ago_is_tried_again() {
        let line = Line::default();
        answer(&line, millis(30), MB + 1000, MB);
        (0..DOUBTED - 1).for_each(|_| answer(&line, millis(30), 5000, MB));
        assert_eq!(line.bytes_for_a_request(), Some(30_000));
        answer(&line, millis(30), 5000, MB);
        assert_eq!(line.bytes_for_a_request(), Some(TRIAL));
        answer(&line, millis(30), MB + 1000, MB);
        assert_eq!(line.bytes_for_a_request(), Some(30_000));
    }

    #[test]
    fn answers_that_come_side_by_side_are_counted_together() {
        let (line, asked) = (Line::default(), Instant::now());
        let answers = [0; 4].map(|_| line.ask(asked));
        for round in 1..=20 {
            let (bytes, now) = (round * 20_000, asked + millis(round * 20));
            answers.iter().for_each(|answer| answer.comes(bytes, now));
        }
        let rate = line.bytes_in_a_second().unwrap();
        assert!((3 * MB..5 * MB).contains(&rate), "{rate}");
        drop(answers);
        answer(&line, millis(30), 201_000, MB);
        assert_eq!(line.0.lock().coming, 0);
    }

    #[test]
    fn what_had_come_before_and_is_taken_at_once_says_nothing_while_more_comes() {
        let (line, asked) = (Line::default(), Instant::now());
        let answer = line.ask(asked);
        answer.comes(1000, asked + millis(30));
        answer.comes(501_000, asked + millis(31));
        assert_eq!(line.bytes_in_a_second(), None);
        answer.comes(1_001_000, asked + millis(1030));
        assert_eq!(line.bytes_in_a_second(), Some(MB));
    }

    #[test]
    fn an_answer_that_nobody_watches_counts_with_its_wait() {
        let (line, asked) = (Line::default(), Instant::now());
        line.ask(asked).ends(MB, asked);
        assert!(line.bytes_in_a_second() > Some(1000 * MB), "a bucket in memory");
        let line = Line::default();
        line.ask(asked).ends(MB, asked + millis(500));
        assert_eq!(line.bytes_for_a_request(), Some(20_000));
    }
}
