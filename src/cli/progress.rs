//! Showing progress: a bar at a terminal, plain lines elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::control::Waiting;
use super::size::{count, show_size};
use crate::base::Clock;
use crate::volume::Amount;

/// Time between plain lines.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// Progress of one command, on standard error.
pub struct Progress<'a> {
    title: &'static str,
    bar: ProgressBar,
    clock: &'a dyn Clock,
    last_line: Duration,
    most: u64,
}

impl<'a> Progress<'a> {
    /// Nothing is shown yet.
    pub fn new(title: &'static str, clock: &'a dyn Clock) -> Self {
        let bar = ProgressBar::new(0);
        match ProgressStyle::with_template("{prefix} [{bar:30}] {msg}") {
            Ok(style) => bar.set_style(style.progress_chars("=> ")),
            Err(error) => log::debug!("the bar's template: {error}"),
        }
        bar.set_prefix(title);
        Self { title, bar, clock, last_line: clock.boot(), most: 0 }
    }

    /// What a sync or unmount still waits for.
    pub fn waiting(&mut self, waiting: &Waiting) {
        let left = waiting.bytes + waiting.changes;
        self.most = self.most.max(left);
        let mut message = describe(waiting);
        if let Some(problem) = &waiting.problem {
            message = format!("{message}; {problem}");
        }
        self.show(self.most - left, self.most, message);
    }

    /// `done` of `total` things are behind us.
    pub fn things(&mut self, done: u64, total: u64, noun: &str) {
        self.show(done, total, format!("{done} of {}", count(total, noun)));
    }

    /// So many objects and bytes are moved, of all there are. More may turn up on the way.
    pub fn moving(&mut self, moved: &Amount, all: &Amount) {
        let most = all.bytes.max(moved.bytes);
        let objects = count(all.objects.max(moved.objects), "object");
        let message =
            format!("{} of {objects}, {} of {}", moved.objects, show_size(moved.bytes), show_size(most));
        self.show(moved.bytes, most, message);
    }

    fn show(&mut self, done: u64, total: u64, message: String) {
        if !self.bar.is_hidden() {
            self.bar.set_length(total);
            self.bar.set_position(done);
            self.bar.set_message(message);
            return;
        }
        let now = self.clock.boot();
        if now.saturating_sub(self.last_line) >= LINE_EVERY {
            self.last_line = now;
            eprintln!("{}: {message}", self.title);
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// What is not in the bucket yet, in words.
pub fn describe(waiting: &Waiting) -> String {
    if waiting.is_nothing() {
        return "nothing is waiting".to_owned();
    }
    let mut parts = vec![show_size(waiting.bytes)];
    if waiting.files > 0 {
        parts.push(format!("of {}", count(waiting.files, "file")));
    }
    if waiting.changes > 0 {
        parts.push(format!("and {}", count(waiting.changes, "change")));
    }
    format!("{} waiting", parts.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_is_said_in_words() {
        let waiting = Waiting { bytes: 2048, files: 1, changes: 3, problem: None };
        assert_eq!(describe(&waiting), "2.0 KiB of 1 file and 3 changes waiting");
        assert_eq!(describe(&Waiting::default()), "nothing is waiting");
    }
}
