//! Saying that something went wrong: one line with the whole chain of causes, one with advice.

use std::borrow::Cow;

use anyhow::Error;

use super::classify::classify;
use super::exit::Exit;
use crate::base::{turns_text, with_causes};

/// The chain of causes in one line. A cause that the line above it quotes already is left out.
pub fn describe(error: &Error) -> String {
    with_causes(error.as_ref())
}

/// Text for a terminal or a log: control characters, which a server, a file's name or another machine may have put in,
/// are shown as Rust writes them. Line breaks stay only where `lines` says so.
pub fn tame(text: &str, lines: bool) -> Cow<'_, str> {
    let harmful = |c: char| c.is_control() && !(lines && c == '\n') || turns_text(c);
    if !text.contains(harmful) {
        return Cow::Borrowed(text);
    }
    let mut tame = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if harmful(c) { tame.extend(c.escape_default()) } else { tame.push(c) }
    }
    Cow::Owned(tame)
}

/// Prints `error` with advice on standard error and returns its exit code.
pub fn failure(error: &Error) -> Exit {
    let exit = classify(error);
    print(exit, &describe(error));
    exit
}

/// Prints a failure that was described elsewhere (by the process of the mount).
pub fn print(exit: Exit, message: &str) {
    // Further lines are set in, so that none looks like one of ours.
    eprintln!("hushfs: {}", tame(message, true).replace('\n', "\n  "));
    if let Some(advice) = exit.advice() {
        eprintln!("What to do: {advice}.");
    }
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    #[test]
    fn control_characters_of_others_reach_no_terminal() {
        assert_eq!(tame("a plain line, größer", false), "a plain line, größer");
        assert_eq!(tame("two\nlines", true), "two\nlines");
        assert_eq!(
            tame("two\nlines\u{1b}[2J\r\u{9b}x\u{202e}", false),
            "two\\nlines\\u{1b}[2J\\r\\u{9b}x\\u{202e}"
        );
    }

    #[test]
    fn a_cause_is_told_once() {
        let error = Err::<(), _>(anyhow!("no such file")).context("reading: no such file").context("init");
        assert_eq!(describe(&error.unwrap_err()), "init: reading: no such file");
    }
}
