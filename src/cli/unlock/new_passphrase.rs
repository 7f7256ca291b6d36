//! Where a new passphrase comes from: from flags of its own, since others say how to unlock.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::{read, strength, terminal};
use crate::cli::exit::{Exit, refuse};
use crate::crypto::SecretBytes;

/// A new passphrase.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "The new passphrase (the terminal asks twice if none is given)")]
pub struct NewPassphraseArgs {
    /// Read the new passphrase from FILE (a newline at its end does not count)
    #[arg(long, value_name = "FILE", group = "new_passphrase_source")]
    pub new_passphrase_file: Option<PathBuf>,
    /// Read the new passphrase from the open file descriptor N
    #[arg(long, value_name = "N", group = "new_passphrase_source")]
    pub new_passphrase_fd: Option<u32>,
    /// Run COMMAND with sh and take the first line it prints as the new passphrase
    #[arg(long, value_name = "COMMAND", group = "new_passphrase_source")]
    pub new_passphrase_command: Option<String>,
}

impl NewPassphraseArgs {
    /// True when it need not be asked for.
    pub fn is_named(&self) -> bool {
        self.new_passphrase_file.is_some()
            || self.new_passphrase_fd.is_some()
            || self.new_passphrase_command.is_some()
    }

    /// Reads it, or asks twice.
    ///
    /// # Errors
    /// `Usage` for an empty one or two that differ; the source's own trouble.
    pub fn read(&self, place: &str) -> Result<SecretBytes> {
        let passphrase = if let Some(file) = &self.new_passphrase_file {
            read::passphrase_file(file)?
        } else if let Some(fd) = self.new_passphrase_fd {
            read::descriptor(fd)?
        } else if let Some(command) = &self.new_passphrase_command {
            read::command(command)?
        } else {
            return terminal::ask_twice(place);
        };
        if passphrase.is_empty() {
            return Err(refuse(Exit::Usage, "the new passphrase is empty"));
        }
        strength::warn(&passphrase);
        Ok(passphrase)
    }
}
