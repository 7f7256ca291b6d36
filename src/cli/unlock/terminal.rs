//! Asking at the terminal, without echo.

use anyhow::Result;

use super::strength::weakness;
use crate::cli::exit::{Exit, refuse};
use crate::crypto::SecretBytes;

/// Asks once. The question goes to /dev/tty, so that standard input and output stay free.
pub(in crate::cli) fn ask(question: &str) -> Result<SecretBytes> {
    let answer = rpassword::prompt_password(question).map_err(|error| {
        log::debug!("asking at the terminal: {error}");
        refuse(
            Exit::Usage,
            "no passphrase: nobody is at a terminal to be asked; give --passphrase-file, --passphrase-fd, \
             --passphrase-command or --key-file, or the systemd credential hushfs.passphrase, or run `hushfs unlock` first",
        )
    })?;
    let answer = SecretBytes::new(answer.into_bytes());
    if answer.is_empty() {
        return Err(refuse(Exit::Usage, "the answer is empty; nothing was done"));
    }
    Ok(answer)
}

/// Whether there is a terminal to ask at.
pub(in crate::cli) fn is_there() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}

/// Asks for a new passphrase, twice; one that is easy to guess is asked for anew.
pub(super) fn ask_twice(volume: &str) -> Result<SecretBytes> {
    let mut first = ask(&format!("New passphrase for {volume}: "))?;
    while let Some(weakness) = weakness(&first) {
        first = ask(&format!("That is {weakness}. Another passphrase for {volume}: "))?;
    }
    let again = ask("The same again: ")?;
    if first.expose() != again.expose() {
        return Err(refuse(Exit::Usage, "the two passphrases differ; nothing was done"));
    }
    Ok(first)
}
