//! Untrusted bytes: what decodes is canonical, everything else is refused, nothing panics.
use proptest::prelude::*;

use super::samples::{ops, records};
use crate::base::{DecodeError, Reader, Writer};
use crate::meta::op::Op;

/// Decodes and encodes again; the bytes that were taken must be the bytes that come out.
fn assert_canonical(bytes: &[u8]) {
    let mut r = Reader::new(bytes);
    let Ok(op) = Op::decode(&mut r) else { return };
    let mut w = Writer::new();
    op.encode(&mut w);
    assert_eq!(w.finish(), bytes[..bytes.len() - r.rest().len()]);
}

fn encoded_ops() -> Vec<Vec<u8>> {
    let encode = |op: &Op| {
        let mut w = Writer::new();
        op.encode(&mut w);
        w.finish()
    };
    ops().iter().map(|(_, op)| encode(op)).collect()
}

#[test]
fn a_truncated_op_is_refused() {
    for op in encoded_ops() {
        for len in 0..op.len() {
            assert!(Op::decode(&mut Reader::new(&op[..len])).is_err(), "op {} cut to {len}", op[0]);
        }
    }
}

#[test]
fn a_truncated_or_lengthened_record_is_refused() {
    for sample in records() {
        for len in 0..sample.encoded.len() {
            assert_eq!((sample.again)(&sample.encoded[..len]), None, "{} cut to {len}", sample.name);
        }
        let longer = [sample.encoded.as_slice(), &[0]].concat();
        assert_eq!((sample.again)(&longer), None, "{}", sample.name);
    }
}

#[test]
fn a_record_of_another_version_is_refused() {
    for mut sample in records() {
        for version in [0, 2, 255] {
            sample.encoded[0] = version;
            assert_eq!((sample.again)(&sample.encoded), None, "{}", sample.name);
        }
    }
}

#[test]
fn an_unknown_op_is_refused() {
    for code in (22..=255).chain([0]) {
        let decoded = Op::decode(&mut Reader::new(&[code, 0, 0, 0]));
        assert_eq!(decoded, Err(DecodeError::Invalid("op code")));
    }
}

#[test]
fn a_count_beyond_its_cap_is_refused_before_its_items_are_read() {
    for (code, what) in [(14, "list of segments"), (18, "list of objects"), (19, "list of objects")] {
        let mut w = Writer::new();
        w.u8(code).u32(u32::MAX);
        assert_eq!(Op::decode(&mut Reader::new(&w.finish())), Err(DecodeError::TooLong(what)));
    }
}

#[test]
fn every_flipped_bit_is_refused_or_another_valid_value() {
    for op in encoded_ops() {
        for bit in 0..op.len() * 8 {
            let mut damaged = op.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_canonical(&damaged);
        }
    }
    for sample in records() {
        for bit in 0..sample.encoded.len() * 8 {
            let mut damaged = sample.encoded.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            if let Some(again) = (sample.again)(&damaged) {
                assert_eq!(again, damaged, "{} with bit {bit} flipped", sample.name);
            }
        }
    }
}

proptest! {
    #[test]
    fn random_bytes_are_decoded_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 1..400), code in 0..24_u8) {
        assert_canonical(&bytes);
        // Half of the codes do not exist: give the others a chance.
        bytes[0] = code;
        assert_canonical(&bytes);
        bytes[0] = 1;
        for sample in records() {
            if let Some(again) = (sample.again)(&bytes) {
                prop_assert_eq!(&again, &bytes);
            }
        }
    }

    #[test]
    fn overwritten_ops_are_decoded_or_refused(which in 0..21_usize, at in any::<proptest::sample::Index>(), patch in proptest::collection::vec(any::<u8>(), 1..9)) {
        let mut op = encoded_ops().swap_remove(which);
        let start = at.index(op.len());
        for (byte, new) in op[start..].iter_mut().zip(patch) {
            *byte = new;
        }
        assert_canonical(&op);
    }
}
