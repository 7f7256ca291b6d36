//! The `volume` object: replayed, forged, and with parameters that would hang or weaken a machine.

use hushfs::keyring::{KeyringError, LocalError};
use sha2::{Digest, Sha256};

use crate::judge::Trial;
use crate::machine::{Machine, Refusal};

/// Makes the checksum right again, as anybody can.
fn with_checksum(mut bytes: Vec<u8>) -> Vec<u8> {
    let content = bytes.len() - 32;
    let checksum = Sha256::digest(&bytes[..content]);
    bytes[content..].copy_from_slice(&checksum);
    bytes
}

/// The next header. The first slot, which is that of the key file, stays; the one of the recovery code goes.
fn replaced_header(trial: &Trial) -> Vec<u8> {
    let unlocked = trial.sample.writer.unlock(&trial.sample.bucket).unwrap();
    unlocked.reseal(&unlocked.slots()[..1], trial.sample.writer.random()).unwrap()
}

#[test]
fn a_replayed_older_header_is_refused_by_a_machine_that_saw_a_newer_one() {
    let trial = Trial::new();
    let old = trial.sample.object("volume");
    trial.sample.bucket.overwrite_raw("volume", replaced_header(&trial));
    let verdict = trial.judge("the newer header");
    assert_eq!(verdict.complaints, Vec::<String>::new());
    trial.sample.bucket.overwrite_raw("volume", old);
    let refusal = trial.judge("the older header again").refusal.expect("it is refused");
    assert!(matches!(refusal, Refusal::Local(LocalError::OlderHeader { seen: 2, found: 1 })), "{refusal}");
    let stranger = trial.judge_as(&Machine::new(), &trial.sample.now().picture, "who saw only the old one");
    assert_eq!(stranger.complaints, Vec::<String>::new());
}

#[test]
fn a_header_changed_together_with_its_checksum_is_refused() {
    let trial = Trial::new();
    let whole = trial.sample.object("volume").to_vec();
    for at in 0..whole.len() - 32 {
        let mut forged = whole.clone();
        forged[at] ^= 1 << (at % 8);
        let case = format!("byte {at} of the header forged, with a fitting checksum");
        trial.sample.bucket.overwrite_raw("volume", with_checksum(forged));
        // Nothing known before: the header alone must not be believed.
        let machine = Machine::new();
        let refusal = trial.judge_as(&machine, &trial.sample.now().picture, &case).refusal;
        assert!(matches!(refusal, Some(Refusal::Header(_))), "{case}: {refusal:?}");
    }
}

#[test]
fn slots_of_an_older_header_cannot_be_joined_to_a_newer_one() {
    let trial = Trial::new();
    let old = trial.sample.object("volume").to_vec();
    let new = replaced_header(&trial);
    // The old slots (and number of slots) with the new generation and record.
    let slots_end = |bytes: &[u8]| {
        let count = u32::from_le_bytes(bytes[12..16].try_into().unwrap());
        (0..count).fold(40, |at, _| {
            at + 24 + u32::from_le_bytes(bytes[at + 20..at + 24].try_into().unwrap()) as usize
        })
    };
    let mut joined = old[..slots_end(&old)].to_vec();
    joined[32..40].copy_from_slice(&new[32..40]);
    joined.extend_from_slice(&new[slots_end(&new)..]);
    trial.sample.bucket.overwrite_raw("volume", with_checksum(joined));
    let verdict = trial.judge_as(&Machine::new(), &trial.sample.now().picture, "joined headers");
    let refusal = verdict.refusal.expect("it is refused");
    assert!(matches!(refusal, Refusal::Header(KeyringError::Tampered(_))), "{refusal}");
}
