//! What a plugin may want from the user.

use std::sync::Arc;

use age::Callbacks;
use age::secrecy::SecretString;

use crate::base::turns_text;
use crate::crypto::SecretBytes;

/// The user, as far as a plugin is concerned. `None` and `false` where nobody is there.
pub trait Conversation: Send + Sync {
    /// Shows something, such as "touch the key now".
    fn show(&self, message: &str);
    /// Asks for one of two answers; `None` where nobody can be asked.
    fn confirm(&self, question: &str, yes: &str, no: Option<&str>) -> Option<bool>;
    /// Asks for something that may be seen.
    fn ask(&self, question: &str) -> Option<String>;
    /// Asks for a PIN or passphrase.
    fn ask_secret(&self, question: &str) -> Option<SecretBytes>;
}

/// A conversation as the age library wants it.
#[derive(Clone)]
pub(super) struct Adapter(pub Arc<dyn Conversation>);

impl Callbacks for Adapter {
    fn display_message(&self, message: &str) {
        self.0.show(&printable(message));
    }

    fn confirm(&self, message: &str, yes_string: &str, no_string: Option<&str>) -> Option<bool> {
        let no = no_string.map(printable);
        self.0.confirm(&printable(message), &printable(yes_string), no.as_deref())
    }

    fn request_public_string(&self, description: &str) -> Option<String> {
        self.0.ask(&printable(description))
    }

    fn request_passphrase(&self, description: &str) -> Option<SecretString> {
        let secret = self.0.ask_secret(&printable(description))?;
        // A PIN that is no UTF-8 cannot be passed on, and nothing else can be done with it.
        std::str::from_utf8(secret.expose()).ok().map(SecretString::from)
    }
}

/// Without control characters, those of bidirectional text included, which the library sets around names: a plugin does not
/// get to write escape sequences to the terminal, or to turn its text around.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .filter(|char| !turns_text(*char))
        .map(|char| if char.is_control() { ' ' } else { char })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_plugins_text_moves_the_terminal() {
        assert_eq!(printable("touch \u{2068}it\u{2069}\x1b[2J \u{202e}now\n"), "touch it [2J now ");
    }
}
