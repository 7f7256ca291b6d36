//! Passphrases that are easy to guess.
//!
//! Whoever has a copy of the volume header guesses without limit; what each guess costs is Argon2id's part, how many are
//! needed is the passphrase's. The floor is that of NIST SP 800-63B: eight characters, not one or two of them over and
//! over, not one after the other, and none of those that every list of guesses begins with, alone or with digits and signs
//! behind. It judges nothing else: libraries that estimate guesses bring a megabyte of words and keep copies of what
//! they looked at, which nobody wipes. At a terminal what is below the floor is asked for anew; from a file or a command it is taken with a warning,
//! because it may be no passphrase of a person, and what runs by itself must go on.

use std::fmt;

use crate::crypto::SecretBytes;

/// Fewest characters.
const LEAST: usize = 8;
/// Fewest different ones among them.
const DIFFERENT: usize = 4;
/// What people choose most, in lower case, as lists of passwords that leaked show year after year. Shorter ones are here
/// for what is put behind them: digits and signs, which every guesser adds.
const COMMON: [&str; 64] = [
    "1q2w3e4r",
    "1q2w3e4r5t",
    "1qaz2wsx",
    "1qaz2wsx3edc",
    "a1b2c3d4",
    "aa123456",
    "abc123",
    "abcd1234",
    "access",
    "admin",
    "administrator",
    "asdf",
    "asdfghjkl",
    "azerty",
    "azertyuiop",
    "baseball",
    "batman",
    "changeme",
    "charlie",
    "computer",
    "default",
    "dragon",
    "football",
    "geheim",
    "google",
    "hallo",
    "hello",
    "iloveyou",
    "internet",
    "jennifer",
    "letmein",
    "liverpool",
    "login",
    "master",
    "michael",
    "monkey",
    "p@ssw0rd",
    "p@ssword",
    "pass",
    "passw0rd",
    "passwort",
    "password",
    "princess",
    "q1w2e3r4",
    "qazwsx",
    "qazwsxedc",
    "qwer",
    "qwert",
    "qwertz",
    "qwertzuiop",
    "qwerty",
    "qwertyui",
    "qwertyuiop",
    "secret",
    "shadow",
    "starwars",
    "sunshine",
    "superman",
    "test",
    "trustno1",
    "welcome",
    "whatever",
    "zaq12wsx",
    "zxcvbnm",
];

/// What is wrong with a passphrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weakness {
    Short,
    Monotonous,
    Sequence,
    Common,
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Weakness::Short => write!(f, "easy to guess: it has fewer than {LEAST} characters"),
            Weakness::Monotonous => {
                write!(f, "easy to guess: it has fewer than {DIFFERENT} different characters")
            }
            Weakness::Sequence => write!(f, "easy to guess: its characters follow each other in order"),
            Weakness::Common => write!(f, "easy to guess: it is among those that everybody tries first"),
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
        (false, true) if is_sequence(bytes) => Some(Weakness::Sequence),
        (false, true) if is_common(bytes) => Some(Weakness::Common),
        (false, true) => None,
    }
}

/// Whether each byte is the one after the one before it, up or down; 0 follows 9.
fn is_sequence(bytes: &[u8]) -> bool {
    let follows = |one: u8, next: u8| next == one.wrapping_add(1) || (one, next) == (b'9', b'0');
    let up = bytes.windows(2).all(|pair| follows(pair[0], pair[1]));
    up || bytes.windows(2).all(|pair| follows(pair[1], pair[0]))
}

/// Whether it is one of those, whatever the case, perhaps with something else than letters behind it.
fn is_common(bytes: &[u8]) -> bool {
    let end = bytes.iter().rposition(u8::is_ascii_alphabetic).map_or(0, |last| last + 1);
    let same = |text: &[u8]| COMMON.iter().any(|common| text.eq_ignore_ascii_case(common.as_bytes()));
    same(bytes) || same(&bytes[..end])
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
            ("12345678", Some(Weakness::Sequence)),
            ("1234567890", Some(Weakness::Sequence)),
            ("87654321", Some(Weakness::Sequence)),
            ("abcdefghijk", Some(Weakness::Sequence)),
            ("password", Some(Weakness::Common)),
            ("PassWord", Some(Weakness::Common)),
            ("password1!", Some(Weakness::Common)),
            ("letmein2024", Some(Weakness::Common)),
            ("P@ssw0rd", Some(Weakness::Common)),
            ("abcd1234", Some(Weakness::Common)),
            ("password of the year", None),
            ("123456789x", None),
            ("eight888", None),
            ("größerer", None),
            ("correct horse battery staple", None),
        ] {
            assert_eq!(weakness(&SecretBytes::new(text.as_bytes().to_vec())), expected, "{text}");
        }
        assert_eq!(weakness(&SecretBytes::new((128..160).rev().step_by(3).collect())), None);
    }
}
