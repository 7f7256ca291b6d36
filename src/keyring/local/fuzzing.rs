//! Targets for the fuzzers: the files of the local keyring.

use sha2::{Digest, Sha256};

use super::kept::{KeptFile, NOTE_LEN};
use super::local_keyring::parse_machine;
use super::local_volume;
use super::pin::Pin;
use crate::fuzzing::Target;

pub(crate) static TARGETS: [Target; 4] = [
    Target::new("local_record", &["keyring/local/local_volume.rs: decode"], local_record),
    Target::new("pin", &["keyring/local/pin.rs: decode", "keyring/local/pin.rs: decode_with_place"], pin),
    Target::new("kept_file", &["keyring/local/kept.rs: decode"], kept_file),
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

/// As it is, and with a checksum that fits.
fn pin(bytes: &[u8]) {
    let mended = [bytes, Sha256::digest(bytes).as_slice()].concat();
    for bytes in [bytes, &mended] {
        if let Ok((pin, place)) = Pin::decode_with_place(bytes) {
            assert_eq!(pin.encode(&place), bytes, "another spelling of a pin");
            assert_eq!(Pin::decode(bytes, &place).ok(), Some(pin));
            assert!(Pin::decode(bytes, "another place").is_err() || place == "another place");
        }
    }
}

/// As it is, and with a checksum that fits.
fn kept_file(bytes: &[u8]) {
    let mended = [bytes, Sha256::digest(bytes).as_slice()].concat();
    for bytes in [bytes, &mended] {
        if let Ok(file) = KeptFile::decode(bytes.to_vec()) {
            assert_eq!(file.note.encode(), bytes[..NOTE_LEN], "another spelling of a note");
        }
    }
}

fn machine_id(bytes: &[u8]) {
    if let Some(machine) = parse_machine(bytes) {
        assert!(bytes.starts_with(machine.to_hex().as_bytes()));
    }
}
