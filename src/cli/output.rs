//! Standard output and standard error of a command, which may be pipes that nobody reads any more (`hushfs status | head
//! -1`), or files on a full disk.
//!
//! The standard library's `print!` and its kin panic then, which leaves a session open in the bucket and a backtrace on the
//! terminal. Those of this module stand in their place in all of `cli/`. A reader that has left had what it wanted. Results that
//! could not be written otherwise are said, once, and make the command fail in the end ([`settle`]); what it does goes on.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write, stderr, stdout};
use std::sync::atomic::{AtomicBool, Ordering};

use super::exit::Exit;

static LOST: AtomicBool = AtomicBool::new(false);

macro_rules! print {
    ($($text:tt)*) => { $crate::cli::output::out(format_args!($($text)*)) };
}

macro_rules! println {
    ($($text:tt)*) => { $crate::cli::output::out(format_args!("{}\n", format_args!($($text)*))) };
}

macro_rules! eprint {
    ($($text:tt)*) => { $crate::cli::output::err(format_args!($($text)*)) };
}

macro_rules! eprintln {
    ($($text:tt)*) => { $crate::cli::output::err(format_args!("{}\n", format_args!($($text)*))) };
}

/// Writes a result. Failures are kept for [`settle`].
pub fn out(text: Arguments<'_>) {
    let mut out = stdout().lock();
    let written = out.write_fmt(text).and_then(|()| out.flush());
    if let Err(error) = written
        && error.kind() != ErrorKind::BrokenPipe
        && !LOST.swap(true, Ordering::Relaxed)
    {
        eprintln!("hushfs: the results could not be written: {error}");
    }
}

/// Writes what is not a result. There is nobody to tell of a failure.
pub fn err(text: Arguments<'_>) {
    if let Err(error) = stderr().lock().write_fmt(text) {
        log::debug!("standard error: {error}");
    }
}

/// The exit code of a command whose results were written, or not.
pub fn settle(exit: Exit) -> Exit {
    if exit == Exit::Success && LOST.load(Ordering::Relaxed) { Exit::Failure } else { exit }
}
