//! The person at the terminal, as a plugin of age sees them.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};

use super::terminal;
use crate::age_keys::Conversation;
use crate::crypto::SecretBytes;

/// Whoever is at the terminal; nobody, where there is none.
pub(in crate::cli) struct Person;

impl Conversation for Person {
    fn show(&self, message: &str) {
        eprintln!("hushfs: {message}");
    }

    fn confirm(&self, question: &str, yes: &str, no: Option<&str>) -> Option<bool> {
        let no = no.unwrap_or("no");
        loop {
            let answer = self.ask(&format!("{question} [1: {yes}, 2: {no}]"))?;
            match answer.as_str() {
                "1" => return Some(true),
                "2" => return Some(false),
                _ => {}
            }
        }
    }

    fn ask(&self, question: &str) -> Option<String> {
        let asked = || -> std::io::Result<String> {
            let mut terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
            write!(terminal, "{question} ")?;
            let mut answer = String::new();
            if BufReader::new(terminal).read_line(&mut answer)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            Ok(answer.trim().to_owned())
        };
        asked().inspect_err(|error| log::debug!("asking for a plugin: {error}")).ok()
    }

    fn ask_secret(&self, question: &str) -> Option<SecretBytes> {
        terminal::ask(&format!("{question}: "))
            .inspect_err(|error| log::debug!("asking for a plugin: {error}"))
            .ok()
    }
}
