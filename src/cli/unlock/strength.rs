//! Passphrases that are easy to guess.
//!
//! Whoever has a copy of the volume header guesses without limit; what each guess costs is Argon2id's part, how many are
//! needed is the passphrase's. The floor is that of NIST SP 800-63B: eight characters, and not one or two of them over
//! and over. It judges nothing else: libraries that estimate guesses keep copies of what they looked at, which nobody
//! wipes. At a terminal what is below the floor is asked for anew; from a file or a command it is taken with a warning,
//! because it may be no passphrase of a person, and what runs by itself must go on.

use std::fmt;

use crate::crypto::SecretBytes;

/// Fewest characters.
const LEAST: usize = 8;
/// Fewest different ones among them.
const DIFFERENT: usize = 4;

/// What is wrong with a passphrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weakness {
    Short,
    Monotonous,
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Weakness::Short => write!(f, "easy to guess: it has fewer than {LEAST} characters"),
            Weakness::Monotonous => {
                write!(f, "easy to guess: it has fewer than {DIFFERENT} different characters")
            }
        }
    }
}

/// Whether `passphrase` is below the floor. Of what is no UTF-8 each byte is a character.
pub(super) fn weakness(passphrase: &SecretBytes) -> Option<Weakness> {
    let bytes = passphrase.expose();
    let (length, varied) = match std::str::from_utf8(bytes) {
        Ok(text) => (text.chars().count(), is_varied(text.chars())),
        Err(_) => (bytes.len(), is_varied(bytes.iter())),
    };
    match (length < LEAST, varied) {
        (true, _) => Some(Weakness::Short),
        (false, false) => Some(Weakness::Monotonous),
        (false, true) => None,
    }
}

/// Whether enough of them are different.
fn is_varied<T: PartialEq>(characters: impl Iterator<Item = T> + Clone) -> bool {
    let first = |(at, one): &(usize, T)| !characters.clone().take(*at).any(|earlier| earlier == *one);
    characters.clone().enumerate().filter(first).nth(DIFFERENT - 1).is_some()
}

/// Tells the user of a weakness.
pub(super) fn warn(passphrase: &SecretBytes) {
    if let Some(weakness) = weakness(passphrase) {
        eprintln!(
            "hushfs: warning: the new passphrase is {weakness}. Whoever has a copy of the volume's header can try \
             passphrases without limit; a longer one costs nothing."
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_counts_characters_and_different_ones() {
        for (text, expected) in [
            ("a", Some(Weakness::Short)),
            ("seven77", Some(Weakness::Short)),
            ("üüüü", Some(Weakness::Short)),
            ("aaaaaaaaaaaa", Some(Weakness::Monotonous)),
            ("abababababab", Some(Weakness::Monotonous)),
            ("eight888", None),
            ("größerer", None),
            ("correct horse battery staple", None),
        ] {
            assert_eq!(weakness(&SecretBytes::new(text.as_bytes().to_vec())), expected, "{text}");
        }
        assert_eq!(weakness(&SecretBytes::new((128..160).collect())), None);
    }
}
