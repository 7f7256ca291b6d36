//! Flipped bits, everywhere in every kind of object.

use hushfs::vault::HEADER_LEN;

use crate::judge::Trial;

/// Between the bytes that are tried in long objects: prime, so that it falls on no boundary twice.
const STRIDE: usize = 61;
/// Objects up to this length are tried byte by byte.
const SHORT: usize = 1024;

fn flip(trial: &Trial, key: &str, at: usize, bit: usize) {
    let mut bytes = trial.sample.object(key).to_vec();
    bytes[at] ^= 1 << bit;
    trial.must_notice(key, bytes, &format!("bit {bit} of byte {at} of {key} flipped"));
}

#[test]
fn every_flipped_bit_of_a_header_is_noticed_in_every_kind_of_object() {
    let trial = Trial::new();
    for key in trial.sample.one_of_each() {
        for at in 0..HEADER_LEN {
            for bit in 0..8 {
                flip(&trial, &key, at, bit);
            }
        }
    }
}

#[test]
fn a_flipped_bit_anywhere_in_any_object_is_noticed() {
    let trial = Trial::new();
    for (key, bytes) in &trial.sample.now().objects {
        let stride = if bytes.len() <= SHORT { 1 } else { STRIDE };
        for at in (0..bytes.len()).step_by(stride) {
            flip(&trial, key, at, at % 8);
        }
    }
}

#[test]
fn flipped_bits_in_the_last_frame_are_noticed_in_every_kind_of_object() {
    let trial = Trial::new();
    for key in trial.sample.one_of_each() {
        let len = trial.sample.object(&key).len();
        // Tag and, of short frames, the frame's own header: at the end of a segment all of it is needed.
        for at in len - 24..len {
            flip(&trial, &key, at, at % 8);
        }
    }
}
