//! Encodings that volumes out there consist of. A test that fails here means a format that is not ours any
//! more: change the code, never the fixture. A new kind adds a line.
use data_encoding::HEXLOWER;

use super::samples::{ops, records};
use crate::base::{Reader, Writer};
use crate::meta::op::Op;

const OPS: &str = include_str!("../../../tests/fixtures/meta/ops.hex");
const RECORDS: &str = include_str!("../../../tests/fixtures/meta/records.hex");

/// Lines of `name hex`.
fn lines(fixture: &'static str) -> Vec<(&'static str, Vec<u8>)> {
    let lines = fixture.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, hex) = line.split_once(' ').unwrap();
            (name, HEXLOWER.decode(hex.as_bytes()).unwrap())
        })
        .collect()
}

#[test]
fn frozen_ops_decode_and_encode_to_the_same_bytes() {
    let frozen = lines(OPS);
    let samples = ops();
    assert_eq!(frozen.len(), samples.len(), "each kind of op has one line");
    for ((name, bytes), (sample_name, sample)) in frozen.into_iter().zip(samples) {
        let mut w = Writer::new();
        sample.encode(&mut w);
        assert_eq!((name, HEXLOWER.encode(&bytes)), (sample_name, HEXLOWER.encode(&w.finish())));
        let mut r = Reader::new(&bytes);
        assert_eq!(Op::decode(&mut r).as_ref(), Ok(&sample), "{name}");
        assert!(r.is_empty(), "{name} has bytes left over");
    }
}

#[test]
fn frozen_records_decode_and_encode_to_the_same_bytes() {
    let frozen = lines(RECORDS);
    let samples = records();
    assert_eq!(frozen.len(), samples.len(), "each kind of record has one line");
    for ((name, bytes), sample) in frozen.into_iter().zip(samples) {
        assert_eq!((name, HEXLOWER.encode(&bytes)), (sample.name, HEXLOWER.encode(&sample.encoded)));
        assert_eq!((sample.again)(&bytes).as_ref(), Some(&bytes), "{name}");
    }
}

#[test]
fn every_op_code_is_frozen() {
    let codes: Vec<u8> = lines(OPS).iter().map(|(_, bytes)| bytes[0]).collect();
    assert_eq!(codes, (1..=21).collect::<Vec<u8>>());
}
