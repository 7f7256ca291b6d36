use std::sync::Arc;

use age::secrecy::ExposeSecret;
use age::x25519;

use super::*;
use crate::base::random::SeededRandom;
use crate::crypto::{SecretBytes, SecretKey};

struct Nobody;

impl Conversation for Nobody {
    fn show(&self, _: &str) {}
    fn confirm(&self, _: &str, _: &str, _: Option<&str>) -> Option<bool> {
        None
    }
    fn ask(&self, _: &str) -> Option<String> {
        None
    }
    fn ask_secret(&self, _: &str) -> Option<SecretBytes> {
        None
    }
}

fn secret() -> SecretKey {
    SecretKey::generate(&SeededRandom::new(1))
}

fn identity_file(identity: &x25519::Identity) -> SecretBytes {
    SecretBytes::new(format!("# a comment\n{}\n", identity.to_string().expose_secret()).into_bytes())
}

fn wrapped(identity: &x25519::Identity) -> Vec<u8> {
    wrap(&identity.to_public().to_string(), &secret(), Arc::new(Nobody)).unwrap()
}

fn opened(file: &[u8], identities: &SecretBytes) -> Result<[u8; 32], AgeError> {
    unwrap(file, identities, Arc::new(Nobody)).map(|secret| *secret.expose())
}

#[test]
fn a_secret_comes_back_with_the_recipients_identity_and_no_other() {
    let (mine, other) = (x25519::Identity::generate(), x25519::Identity::generate());
    let file = wrapped(&mine);
    // The library adds a stanza of random bytes, so that other stanzas are not taken for an error.
    assert!(file.len() < 700, "{} bytes", file.len());
    assert_eq!(opened(&file, &identity_file(&mine)).unwrap(), *secret().expose());
    assert!(matches!(opened(&file, &identity_file(&other)), Err(AgeError::NoMatch)));
}

#[test]
fn an_age_file_that_was_changed_anywhere_gives_nothing() {
    let mine = x25519::Identity::generate();
    let (file, identities) = (wrapped(&mine), identity_file(&mine));
    for at in 0..file.len() {
        let mut changed = file.clone();
        changed[at] ^= 1;
        assert!(opened(&changed, &identities).is_err(), "byte {at}");
        assert!(opened(&file[..at], &identities).is_err(), "{at} bytes");
    }
    assert!(opened(&[&file[..], b"x"].concat(), &identities).is_err());
}

#[test]
fn a_file_that_holds_more_or_less_than_a_secret_is_refused() {
    let mine = x25519::Identity::generate();
    for len in [0, 31, 33, 70_000] {
        let file = age::encrypt(&mine.to_public(), &vec![1; len]).unwrap();
        assert!(matches!(opened(&file, &identity_file(&mine)), Err(AgeError::Altered(_))), "{len}");
    }
}

#[test]
fn what_is_no_recipient_or_identity_is_refused_without_showing_the_identity() {
    for text in ["", "age1", "ssh-ed25519 AAAA", "age1qqqqqqqqqqqqqqqq"] {
        assert!(matches!(wrap(text, &secret(), Arc::new(Nobody)), Err(AgeError::Recipient(_))), "{text}");
    }
    let file = wrapped(&x25519::Identity::generate());
    for text in ["", "# nothing\n", "AGE-SECRET-KEY-1GEHEIM\n", "geheim"] {
        let error = opened(&file, &SecretBytes::new(text.as_bytes().to_vec())).unwrap_err();
        assert!(matches!(error, AgeError::Identities(_)), "{text}: {error}");
        assert!(!error.to_string().to_lowercase().contains("geheim"), "{error}");
    }
}

#[test]
fn the_frozen_age_file_still_opens() {
    let file = include_bytes!("../../tests/fixtures/sealing/slot.age");
    let identities = include_bytes!("../../tests/fixtures/sealing/slot.age-identity");
    assert_eq!(opened(file, &SecretBytes::new(identities.to_vec())).unwrap(), [0x22; 32]);
}
