//! What the store sees of a refusal: the same requests in the same number, and one error, whatever was wrong with a seal.

use std::sync::Arc;

use hushfs::object::{LoggedRequest, Meter, RequestKind};
use hushfs::vault::{FRAME_OVERHEAD, HEADER_LEN};

use crate::judge::Trial;
use crate::machine::Machine;
use crate::picture::look;

/// The last byte of the header is the commitment's.
const COMMITMENT_AT: usize = HEADER_LEN - 1;
/// Of the stored length in a frame's header; the two bits above it are flags.
const STORED_LEN: u32 = (1 << 30) - 1;

/// What a machine that knows nothing asks of the store about `key` and in listings, in order, and what it reports, when the
/// object under `key` is replaced. How much else is on its way by then depends on the threads alone.
fn asked_and_reported(trial: &Trial, key: &str, bytes: Vec<u8>) -> (Vec<String>, Vec<String>) {
    let machine = Machine::new();
    let unlocked = machine.unlock(&trial.sample.bucket).unwrap();
    trial.sample.bucket.overwrite_raw(key, bytes);
    let mut env = machine.environment(&trial.sample.bucket, &unlocked);
    let meter = Meter::new(Arc::clone(&env.bucket));
    meter.start_log();
    env.bucket = Arc::new(meter.clone());
    let reported = match machine.open_in(env, Machine::options(&unlocked, true)) {
        Err(refusal) => vec![format!("{refusal:?}")],
        Ok(opened) => {
            let seen = look(&opened.fs);
            seen.values().filter_map(|node| node.as_ref().err().map(|error| format!("{error:?}"))).collect()
        }
    };
    trial.sample.restore();
    let log = meter.take_log();
    let concerns = |asked: &&LoggedRequest| asked.key == key || !matches!(asked.kind, RequestKind::Get);
    let asked = log.iter().filter(concerns).map(|asked| format!("{:?} {}", asked.kind, asked.key));
    // Two readers that meet the same damage share a request or do not, as the threads happen to run.
    let mut asked: Vec<String> = asked.collect();
    asked.dedup();
    (asked, reported)
}

/// The object with a bit of every tag flipped.
fn with_wrong_tags(object: &[u8]) -> Vec<u8> {
    let mut wrong = object.to_vec();
    let mut at = HEADER_LEN;
    while at < object.len() {
        let stored = u32::from_le_bytes(object[at + 4..at + 8].try_into().unwrap()) & STORED_LEN;
        at += stored as usize + FRAME_OVERHEAD;
        wrong[at - 1] ^= 1;
    }
    assert_eq!(at, object.len(), "frames follow each other to the end");
    wrong
}

#[test]
fn a_bad_tag_and_a_bad_commitment_look_the_same_on_the_wire() {
    let trial = Trial::new();
    let keys = [trial.sample.keys("log/"), trial.sample.keys("tree/")].concat();
    let mut refused = 0;
    for key in keys {
        let object = trial.sample.object(&key).to_vec();
        let mut commitment = object.clone();
        commitment[COMMITMENT_AT] ^= 1;
        let one = asked_and_reported(&trial, &key, commitment);
        let other = asked_and_reported(&trial, &key, with_wrong_tags(&object));
        assert_eq!(one, other, "{key}");
        assert!(!one.0.is_empty(), "{key}: nothing was asked for");
        refused += usize::from(!one.1.is_empty());
    }
    assert!(refused > 0, "no damage was met");
}

#[test]
fn any_bit_of_a_commitment_or_of_a_tag_costs_the_same_requests() {
    let trial = Trial::new();
    let key = trial.sample.keys("log/").pop().unwrap();
    let object = trial.sample.object(&key).to_vec();
    let damaged = |at: usize, bit: u8| {
        let mut damaged = object.clone();
        damaged[at] ^= 1 << bit;
        asked_and_reported(&trial, &key, damaged)
    };
    let expected = damaged(COMMITMENT_AT, 0);
    assert!(!expected.1.is_empty());
    // Each byte of the commitment, with a bit of its own, and each of the last tag.
    let places = (HEADER_LEN - 32..HEADER_LEN).chain(object.len() - 16..object.len());
    for at in places {
        assert_eq!(damaged(at, (at % 8) as u8), expected, "byte {at}");
    }
}
