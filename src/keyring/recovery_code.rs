//! The recovery code: 256 random bits to print and lock away.
//!
//! Written in Crockford's base 32 (digits and letters without I, L, O, U) as 14 groups of 4: 32 bytes of
//! key and 3 bytes of checksum are 280 bits, exactly 56 symbols. Reading forgives case, spaces and dashes (also those that
//! word processors and scanners make of them), O for 0, and I or L for 1. The checksum only tells a typing error from a code of another volume.

use sha2::{Digest, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::base::Random;
use crate::crypto::SecretKey;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CHECKSUM_LEN: usize = 3;
const BYTES: usize = SecretKey::LEN + CHECKSUM_LEN;
const GROUP: usize = 4;
const CHECKSUM_LABEL: &[u8] = b"hushfs recovery code";

/// Why a text is no recovery code. Holds nothing of the text but positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RecoveryCodeError {
    #[error("character {0} cannot occur in a recovery code")]
    Symbol(usize),
    #[error("it has {0} symbols instead of 56")]
    Length(usize),
    #[error("its checksum is wrong: a character was mistyped or two were swapped")]
    Checksum,
}

/// A recovery code.
pub struct RecoveryCode {
    key: SecretKey,
}

impl RecoveryCode {
    /// Digits and letters of a code.
    pub const SYMBOLS: usize = BYTES * 8 / 5;

    /// Whether the text of a code may hold `char`, as far as people write them.
    pub fn may_hold(char: char) -> bool {
        char.is_ascii_alphanumeric() || is_between_groups(char)
    }

    /// A fresh code drawn from `random`.
    pub fn generate(random: &dyn Random) -> Self {
        Self { key: SecretKey::generate(random) }
    }

    /// Reads a code the way people type it.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Self, RecoveryCodeError> {
        let mut bytes = Zeroizing::new([0u8; BYTES]);
        let mut symbols = 0;
        for (index, char) in text.chars().enumerate() {
            if is_between_groups(char) {
                continue;
            }
            let value = value_of(char).ok_or(RecoveryCodeError::Symbol(index + 1))?;
            if symbols < RecoveryCode::SYMBOLS {
                put_bits(&mut bytes, symbols * 5, value);
            }
            symbols += 1;
        }
        if symbols != RecoveryCode::SYMBOLS {
            return Err(RecoveryCodeError::Length(symbols));
        }
        let key = SecretKey::filled_by(|key| {
            key.copy_from_slice(&bytes[..SecretKey::LEN]);
            Ok(())
        })?;
        if checksum(&key) != bytes[SecretKey::LEN..] {
            return Err(RecoveryCodeError::Checksum);
        }
        Ok(Self { key })
    }

    /// The code for printing, in groups joined by dashes.
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0u8; BYTES]);
        bytes[..SecretKey::LEN].copy_from_slice(self.key.expose());
        bytes[SecretKey::LEN..].copy_from_slice(&checksum(&self.key));

        let mut text =
            Zeroizing::new(String::with_capacity(RecoveryCode::SYMBOLS + RecoveryCode::SYMBOLS / GROUP));
        for symbol in 0..RecoveryCode::SYMBOLS {
            if symbol > 0 && symbol % GROUP == 0 {
                text.push('-');
            }
            text.push(char::from(ALPHABET[usize::from(get_bits(&bytes, symbol * 5))]));
        }
        text
    }

    pub(super) fn copied(&self) -> Self {
        Self { key: SecretKey::copy_of(self.key.expose()) }
    }

    /// The key that the code stands for.
    pub(super) fn expose(&self) -> &[u8; SecretKey::LEN] {
        self.key.expose()
    }
}

fn checksum(key: &SecretKey) -> [u8; CHECKSUM_LEN] {
    let hash = Sha256::new().chain_update(CHECKSUM_LABEL).chain_update(key.expose()).finalize();
    [hash[0], hash[1], hash[2]]
}

/// Blanks, dashes of every length, and marks of texts that nobody sees.
fn is_between_groups(char: char) -> bool {
    char.is_whitespace()
        || matches!(
            char,
            '-' | '\u{ad}' | '\u{200b}' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{feff}' | '\u{ff0d}'
        )
}

fn value_of(char: char) -> Option<u8> {
    let symbol = match char.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    ALPHABET.iter().position(|known| char::from(*known) == symbol).map(|value| value as u8)
}

/// Writes five bits, most significant first, at bit `at` of zeroed bytes.
fn put_bits(bytes: &mut [u8; BYTES], at: usize, value: u8) {
    let [high, low] = (u16::from(value) << (11 - at % 8)).to_be_bytes();
    bytes[at / 8] |= high;
    if let Some(next) = bytes.get_mut(at / 8 + 1) {
        *next |= low;
    }
}

/// Reads five bits, most significant first, at bit `at`.
fn get_bits(bytes: &[u8; BYTES], at: usize) -> u8 {
    let next = bytes.get(at / 8 + 1).copied().unwrap_or(0);
    let pair = u16::from_be_bytes([bytes[at / 8], next]);
    ((pair >> (11 - at % 8)) & 31) as u8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::random::SeededRandom;

    fn parse(text: &str) -> Result<[u8; 32], RecoveryCodeError> {
        RecoveryCode::parse(text).map(|code| *code.expose())
    }

    #[test]
    fn a_code_reads_back_however_people_type_it() {
        let code = RecoveryCode::generate(&SeededRandom::new(3));
        let text = code.to_text();
        assert_eq!(text.len(), 69);
        assert_eq!(text.split('-').map(str::len).collect::<Vec<_>>(), [4; 14]);
        let key = Ok(*code.expose());
        assert_eq!(parse(&text), key);
        assert_eq!(parse(&text.to_lowercase()), key);
        assert_eq!(parse(&text.replace('-', "")), key);
        assert_eq!(parse(&format!("  {}\n", text.replace('-', " "))), key);
        for dash in ["–", "\u{2011}", "\u{ad}", " — ", "-\u{200b}", "－"] {
            assert_eq!(parse(&format!("\u{feff}{}", text.replace('-', dash))), key, "{dash:?}");
        }
        assert_eq!(parse(&text.replace('0', "o").replace('1', "l")), key);
        assert_eq!(parse(&text.replace('0', "O").replace('1', "I")), key);
    }

    #[test]
    fn every_mistyped_character_is_noticed() {
        let text = RecoveryCode::generate(&SeededRandom::new(4)).to_text();
        let symbols: Vec<char> = text.replace('-', "").chars().collect();
        for place in 0..symbols.len() {
            for other in ALPHABET.iter().map(|symbol| char::from(*symbol)) {
                if other != symbols[place] {
                    let mut mistyped = symbols.clone();
                    mistyped[place] = other;
                    let mistyped: String = mistyped.into_iter().collect();
                    assert_eq!(parse(&mistyped), Err(RecoveryCodeError::Checksum), "{place} {other}");
                }
            }
        }
    }

    #[test]
    fn wrong_lengths_and_foreign_characters_are_named() {
        let text = RecoveryCode::generate(&SeededRandom::new(5)).to_text();
        assert_eq!(parse(""), Err(RecoveryCodeError::Length(0)));
        assert_eq!(parse(&text[1..]), Err(RecoveryCodeError::Length(55)));
        assert_eq!(parse(&format!("{}0", &*text)), Err(RecoveryCodeError::Length(57)));
        assert_eq!(parse("AB?D"), Err(RecoveryCodeError::Symbol(3)));
        assert_eq!(parse("ABUD"), Err(RecoveryCodeError::Symbol(3)));
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in ".{0,100}") {
            let _ = parse(&text);
        }
    }
}
