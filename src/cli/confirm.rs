//! Asking the person at the terminal for a yes before something that cannot be undone.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};

use anyhow::{Context, Result};

use super::exit::{Exit, refuse};

/// Asks `question` at /dev/tty, so that standard input and output stay free. Only "y" and "yes" are a yes.
///
/// # Errors
/// `Usage` when nobody is at a terminal, naming the option that answers instead; `Failure` for a no.
pub fn confirm(question: &str, instead: &str) -> Result<()> {
    let opened = OpenOptions::new().read(true).write(true).open("/dev/tty");
    let mut terminal = opened.map_err(|error| {
        log::debug!("asking at the terminal: {error}");
        refuse(Exit::Usage, format!("nobody is at a terminal to be asked; {instead}"))
    })?;
    write!(terminal, "{question} [y/N] ").context("asking at the terminal")?;
    let mut answer = String::new();
    BufReader::new(terminal).read_line(&mut answer).context("listening to the terminal")?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(refuse(Exit::Failure, "nothing was done")),
    }
}
