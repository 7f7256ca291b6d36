//! One line in the log for a trouble, however many requests meet it.
//!
//! A file that cannot be read is read again and again, by the kernel ahead and by programs that try once more. A warning or
//! an error that says the same as one of the last minute is counted instead of written; the count follows with the
//! next one that is written. Bounds: [`KEPT`] different texts are remembered, the oldest is forgotten first.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use parking_lot::Mutex;

/// How long a text is not written again.
const PAUSE: Duration = Duration::from_secs(60);
/// Most different texts that are remembered.
const KEPT: usize = 64;

/// What was written lately.
#[derive(Default)]
pub(super) struct Fold(Mutex<VecDeque<Written>>);

struct Written {
    text: String,
    /// By the clock that counts from boot.
    when: Duration,
    unsaid: u64,
}

/// How often the same was not written since the last time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Again(u64);

impl fmt::Display for Again {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            count => write!(f, " (and {count} times more since this was said last)"),
        }
    }
}

impl Fold {
    /// `None` when `text` was written a moment ago; else it is to be written `now`, with what is returned.
    pub(super) fn note(&self, text: &str, now: Duration) -> Option<Again> {
        let mut written = self.0.lock();
        let known = written.iter().position(|one| one.text == text);
        let unsaid = match known.and_then(|at| written.remove(at)) {
            Some(mut one) if now.saturating_sub(one.when) < PAUSE => {
                one.unsaid += 1;
                written.push_back(one);
                return None;
            }
            Some(one) => one.unsaid,
            None => 0,
        };
        if written.len() == KEPT {
            written.pop_front();
        }
        written.push_back(Written { text: text.to_owned(), when: now, unsaid: 0 });
        Some(Again(unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_trouble_is_said_once_a_minute_with_its_count() {
        let fold = Fold::default();
        let at = Duration::from_secs;
        assert_eq!(fold.note("a", at(0)), Some(Again(0)));
        assert_eq!(fold.note("b", at(0)), Some(Again(0)), "another trouble is not hidden");
        for second in 1..60 {
            assert_eq!(fold.note("a", at(second)), None);
        }
        let again = fold.note("a", at(60)).unwrap();
        assert_eq!(again.to_string(), " (and 59 times more since this was said last)");
        assert_eq!(fold.note("b", at(61)), Some(Again(0)));
    }

    #[test]
    fn memory_is_bounded_and_what_repeats_is_remembered_longest() {
        let fold = Fold::default();
        fold.note("often", Duration::ZERO);
        for number in 0..10_000 {
            assert!(fold.note(&number.to_string(), Duration::ZERO).is_some());
            assert_eq!(fold.note("often", Duration::ZERO), None);
        }
        assert_eq!(fold.0.lock().len(), KEPT);
    }
}
