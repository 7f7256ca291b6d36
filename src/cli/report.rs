//! Saying that something went wrong: one line with the whole chain of causes, one with advice.

use anyhow::Error;

use super::classify::classify;
use super::exit::Exit;

/// The chain of causes in one line. A cause that the line above it quotes already is left out.
pub fn describe(error: &Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// Prints `error` with advice on standard error and returns its exit code.
pub fn failure(error: &Error) -> Exit {
    let exit = classify(error);
    print(exit, &describe(error));
    exit
}

/// Prints a failure that was described elsewhere (by the process of the mount).
pub fn print(exit: Exit, message: &str) {
    eprintln!("hushfs: {message}");
    if let Some(advice) = exit.advice() {
        eprintln!("What to do: {advice}.");
    }
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let error = Err::<(), _>(anyhow!("no such file")).context("reading: no such file").context("init");
        assert_eq!(describe(&error.unwrap_err()), "init: reading: no such file");
    }
}
