//! What the line to the bucket is like: how many bytes come in the time that it takes to ask for some.
//!
//! So many may be taken along on the chance that somebody wants them: if nobody does, it took twice as long, and if somebody does, a
//! request was spared. On a fast line that is more than a segment, and on a slow one less than a chunk.
//!
//! Bytes are timed from when the first have come, and the best of the last answers counts: others were held up. After many requests
//! that told nothing it is tried again; the line may have become faster, or be another one.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// No answer counts as quicker: asking takes the processors' time, too.
const LEAST_WAIT: Duration = Duration::from_millis(10);
/// Fewer bytes, after the first ones, say nothing of how quickly they come.
const TELLING: u64 = 128 << 10;
/// Answers of which the best counts.
const REMEMBERED: usize = 8;
/// Requests after which what was seen before them is in doubt.
const DOUBTED: u32 = 32;
/// Enough to find out.
const TRIAL: u64 = 2 * TELLING;

#[derive(Default)]
struct State {
    /// How long answers take to begin, smoothed.
    wait: Duration,
    /// Bytes per second of the last telling answers.
    rates: VecDeque<u64>,
    /// Requests since the last of them.
    asked: u32,
    /// Answers that are coming.
    coming: u32,
}

/// The line of one bucket.
#[derive(Default)]
pub(super) struct Line(Mutex<State>);

/// One request and what comes of it.
pub(super) struct Answer<'a> {
    line: &'a Line,
    asked: Instant,
    /// When the first bytes had come, and how many.
    began: Mutex<Option<(Instant, u64)>>,
}

impl Line {
    /// Somebody asks the bucket for bytes.
    pub fn ask(&self, now: Instant) -> Answer<'_> {
        let mut state = self.0.lock();
        state.asked = state.asked.saturating_add(1);
        Answer { line: self, asked: now, began: Mutex::default() }
    }

    /// How many bytes come in the time that a request takes to be answered; any number before there was a telling answer.
    pub fn bytes_for_a_request(&self) -> u64 {
        let state = self.0.lock();
        let Some(rate) = state.rates.iter().max() else { return u64::MAX };
        let bytes = u128::from(*rate) * state.wait.max(LEAST_WAIT).as_micros() / 1_000_000;
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        if state.asked < DOUBTED { bytes } else { bytes.max(TRIAL) }
    }
}

impl Answer<'_> {
    /// So many bytes have come so far.
    pub fn comes(&self, bytes: u64, now: Instant) {
        let mut began = self.began.lock();
        if began.is_none() {
            *began = Some((now, bytes));
            let mut state = self.line.0.lock();
            let wait = now.duration_since(self.asked);
            state.wait = if state.wait.is_zero() { wait } else { state.wait * 3 / 4 + wait / 4 };
            state.coming += 1;
        }
    }

    /// All of it has come: `bytes`. An answer that was not watched says how quickly it came at least.
    pub fn ends(self, bytes: u64, now: Instant) {
        let began = *self.began.lock();
        let (since, before) = began.unwrap_or((self.asked, 0));
        let came = bytes.saturating_sub(before);
        if came < TELLING {
            return;
        }
        let micros = now.duration_since(since).as_micros().max(1);
        let mut state = self.line.0.lock();
        // Those that come side by side share the line.
        let rate = u128::from(came) * 1_000_000 / micros * u128::from(state.coming.max(1));
        if state.rates.len() == REMEMBERED {
            state.rates.pop_front();
        }
        state.rates.push_back(u64::try_from(rate).unwrap_or(u64::MAX));
        state.asked = 0;
    }
}

impl Drop for Answer<'_> {
    fn drop(&mut self) {
        if self.began.get_mut().is_some() {
            self.line.0.lock().coming -= 1;
        }
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
    fn what_comes_in_the_time_of_a_request_is_known_after_one_long_answer() {
        let line = Line::default();
        answer(&line, millis(30), 10_000, 2 * MB);
        assert_eq!(line.bytes_for_a_request(), u64::MAX, "it was too short");
        answer(&line, millis(30), 200_000, 2 * MB);
        assert_eq!(line.bytes_for_a_request(), 60_000);
    }

    #[test]
    fn the_best_of_the_last_answers_counts() {
        let line = Line::default();
        answer(&line, millis(30), MB, 100 * MB);
        (0..REMEMBERED - 1).for_each(|_| answer(&line, millis(30), MB, MB));
        assert_eq!(line.bytes_for_a_request(), 3 * MB, "some were held up");
        answer(&line, millis(30), MB, MB);
        assert_eq!(line.bytes_for_a_request(), 30_000, "it is another line now");
    }

    #[test]
    fn what_was_seen_long_ago_is_tried_again() {
        let line = Line::default();
        answer(&line, millis(30), MB, MB);
        (0..DOUBTED - 1).for_each(|_| answer(&line, millis(30), 5000, MB));
        assert_eq!(line.bytes_for_a_request(), 30_000);
        answer(&line, millis(30), 5000, MB);
        assert_eq!(line.bytes_for_a_request(), TRIAL);
        answer(&line, millis(30), MB, MB);
        assert_eq!(line.bytes_for_a_request(), 30_000);
    }

    #[test]
    fn answers_that_come_side_by_side_share_the_line() {
        let (line, asked) = (Line::default(), Instant::now());
        let answers = [0; 4].map(|_| line.ask(asked));
        answers.iter().for_each(|answer| answer.comes(0, asked + millis(20)));
        let [first, ..] = answers;
        first.ends(MB, asked + millis(1020));
        assert_eq!(line.bytes_for_a_request(), 80_000);
    }

    #[test]
    fn an_answer_that_nobody_watches_counts_with_its_wait() {
        let (line, asked) = (Line::default(), Instant::now());
        line.ask(asked).ends(MB, asked);
        assert!(line.bytes_for_a_request() > 1000 * MB, "a bucket in memory");
        let line = Line::default();
        line.ask(asked).ends(MB, asked + millis(500));
        assert_eq!(line.bytes_for_a_request(), 20_000);
    }
}
