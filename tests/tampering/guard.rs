//! Notices what a result cannot tell: panics on any thread of the volume, and cases that never end.

use std::process::abort;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

/// Longer than any case takes, also on a busy machine.
const HANG: Duration = Duration::from_secs(120);

static PANICS: AtomicUsize = AtomicUsize::new(0);
static HOOK: Once = Once::new();

/// Watches the cases of one test.
pub struct Guard {
    cases: Sender<String>,
}

impl Guard {
    pub fn new() -> Self {
        HOOK.call_once(|| {
            let report = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                // Threads of tests are named after them, and fail by themselves.
                if !thread::current().name().is_some_and(|name| name.contains("::")) {
                    PANICS.fetch_add(1, Ordering::SeqCst);
                }
                report(panic);
            }));
        });
        let (cases, next) = mpsc::channel::<String>();
        thread::spawn(move || {
            let mut current = String::from("the beginning");
            loop {
                match next.recv_timeout(HANG) {
                    Ok(case) => current = case,
                    Err(RecvTimeoutError::Disconnected) => return,
                    Err(RecvTimeoutError::Timeout) => {
                        eprintln!("still not done after {} s: {current}", HANG.as_secs());
                        abort();
                    }
                }
            }
        });
        Self { cases }
    }

    /// Runs one case under observation.
    pub fn watch<T>(&self, case: &str, work: impl FnOnce() -> T) -> T {
        self.cases.send(case.to_owned()).expect("the watching thread lives as long as the test");
        let before = PANICS.load(Ordering::SeqCst);
        let value = work();
        assert_eq!(PANICS.load(Ordering::SeqCst), before, "{case}: something panicked");
        value
    }
}
