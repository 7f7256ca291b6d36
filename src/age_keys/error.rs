//! Why age did not wrap or unwrap a secret.

use std::io;

use age::{DecryptError, EncryptError};
use thiserror::Error;

/// Errors of age, grouped by what the user can do.
#[derive(Debug, Error)]
pub enum AgeError {
    /// Not a recipient of any kind that is known.
    #[error(
        "{0:?} is no age recipient: it begins with age1 and is what age-keygen or a plugin prints as public key"
    )]
    Recipient(String),
    /// The identity file cannot be used; the message names the line, not what stands in it.
    #[error("the identity file cannot be used: {0}")]
    Identities(String),
    /// The program of a plugin is not installed.
    #[error("{0}")]
    PluginMissing(String),
    /// None of the identities is the recipient's.
    #[error("none of the identities opens it")]
    NoMatch,
    /// The age file is damaged or was changed, or holds something else than a secret of hushfs.
    #[error("the slot's age file is damaged or was changed, or a plugin answered with another key: {0}")]
    Altered(String),
    /// A plugin passed a limit; which.
    #[error(
        "the plugin was stopped: {0}; check that its device is there, and try the plugin with age itself"
    )]
    PluginStopped(String),
    /// A plugin failed, or does not speak age's protocol.
    #[error("a plugin of age failed: {0}; try it with age itself")]
    Plugin(String),
    /// age itself failed.
    #[error("age failed: {0}")]
    Failed(String),
}

impl From<EncryptError> for AgeError {
    fn from(error: EncryptError) -> Self {
        let text = line(&error);
        match error {
            EncryptError::PluginResolve(_) => AgeError::PluginMissing(text),
            EncryptError::Plugin(_) => AgeError::Plugin(for_users(&text)),
            EncryptError::Io(error) => of_pipe(&error, text),
            _ => AgeError::Failed(text),
        }
    }
}

/// What the library says, without its advice for those who write plugins: what that prints is secret.
fn for_users(text: &str) -> String {
    let text = text.split_once("If you are developing").map_or(text, |(text, _)| text);
    text.trim_end().trim_end_matches('.').to_owned()
}

/// Of reading and writing: pipes to a plugin, as files are in memory.
fn of_pipe(error: &io::Error, text: String) -> AgeError {
    match error.kind() {
        io::ErrorKind::InvalidData => AgeError::Plugin(format!("it does not speak age's protocol: {text}")),
        // So the library calls the end of a plugin, when it waits for an answer; and when it has more to say.
        io::ErrorKind::ConnectionAborted => AgeError::Plugin(for_users(&text)),
        io::ErrorKind::BrokenPipe => AgeError::Plugin(format!("it has died: {text}")),
        _ => AgeError::Failed(text),
    }
}

/// The library's message in one line, without the marks that it sets around names for bidirectional text.
pub(super) fn line(error: &dyn std::fmt::Display) -> String {
    let text = error.to_string();
    let text: String = text.chars().filter(|char| !('\u{2066}'..='\u{2069}').contains(char)).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl From<DecryptError> for AgeError {
    fn from(error: DecryptError) -> Self {
        let text = line(&error);
        match error {
            DecryptError::NoMatchingKeys => AgeError::NoMatch,
            DecryptError::PluginResolve(_) => AgeError::PluginMissing(text),
            DecryptError::Plugin(_) => AgeError::Plugin(for_users(&text)),
            DecryptError::Io(error) => of_pipe(&error, text),
            DecryptError::DecryptionFailed
            | DecryptError::InvalidHeader
            | DecryptError::InvalidMac
            | DecryptError::UnknownFormat => AgeError::Altered(text),
            _ => AgeError::Failed(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_that_died_is_called_so_whether_it_was_to_hear_or_to_say_something() {
        let ended =
            "'age-plugin-x' unexpectedly died. If you are developing a plugin, run with AGEDEBUG=plugin";
        for (kind, text) in [
            (io::ErrorKind::ConnectionAborted, ended),
            (io::ErrorKind::BrokenPipe, "Broken pipe (os error 32)"),
        ] {
            let told = of_pipe(&io::Error::from(kind), text.to_owned()).to_string();
            assert!(told.contains("died") && told.contains("try it with age itself"), "{told}");
            assert!(!told.contains("AGEDEBUG"), "{told}");
        }
    }
}
