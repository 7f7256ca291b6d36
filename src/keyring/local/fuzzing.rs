//! Targets for the fuzzers: the files of the local keyring.

use sha2::{Digest, Sha256};

use super::local_keyring::parse_machine;
use super::local_volume;
use super::pin::Pin;
use crate::base::Reader;
use crate::fuzzing::Target;

pub(crate) static TARGETS: [Target; 3] = [
    Target::new("local_record", &["keyring/local/local_volume.rs: decode"], local_record),
    Target::new("pin", &["keyring/local/pin.rs: decode"], pin),
    Target::new(
        "machine_id",
        &["keyring/local/local_keyring.rs: parse_machine", "base/ids.rs: from_hex"],
        machine_id,
    ),
];

fn local_record(bytes: &[u8]) {
    if let Ok((fingerprint, record)) = local_volume::decode(bytes) {
        assert_eq!(local_volume::encode(&fingerprint, &record), bytes, "another spelling of a record");
    }
}

/// As it is, and with a checksum that fits. The place is whatever the file says, or something else.
fn pin(bytes: &[u8]) {
    let mended = [bytes, Sha256::digest(bytes).as_slice()].concat();
    for bytes in [bytes, &mended] {
        let mut reader = Reader::new(bytes.get(42..).unwrap_or_default());
        let place = reader.bytes(4096, "place").ok().and_then(|place| std::str::from_utf8(place).ok());
        for place in place.into_iter().chain(["s3://bucket/prefix"]) {
            if let Ok(pin) = Pin::decode(bytes, place) {
                assert_eq!(pin.encode(place), bytes, "another spelling of a pin");
            }
        }
    }
}

fn machine_id(bytes: &[u8]) {
    if let Some(machine) = parse_machine(bytes) {
        assert!(bytes.starts_with(machine.to_hex().as_bytes()));
    }
}
