//! Targets for the fuzzers: the `volume` object, its slots and its record, and what people type.

use sha2::{Digest, Sha256};

use super::fingerprint::Fingerprint;
use super::kept_key::KeptKey;
use super::keyring_record::{self, KeyringRecord};
use super::recovery_code::RecoveryCode;
use super::slot::Slot;
use super::volume_header::{MAX_SLOTS, VolumeHeader};
use super::{MAX_HEADER_LEN, Settings};
use crate::base::{Reader, VolumeId, Writer};
use crate::crypto::{Cost, SecretKey};
use crate::fuzzing::{Target, assert_tame, text};

pub(crate) static TARGETS: [Target; 6] = [
    Target::new(
        "volume_header",
        &["keyring/volume_header.rs: decode", "keyring/volume_header.rs: decode_content"],
        volume_header,
    ),
    Target::new(
        "key_slot",
        &["keyring/slot.rs: decode", "keyring/wrapped_secret.rs: decode", "keyring/slot_kind.rs: from_byte"],
        key_slot,
    ),
    Target::new(
        "keyring_record",
        &[
            "keyring/keyring_record.rs: decode",
            "keyring/settings.rs: decode",
            "keyring/encryption_settings.rs: decode",
            "keyring/encryption_settings.rs: decode_kind",
        ],
        keyring_record,
    )
    // A list of 4,096 epochs is taken at its word before it is read.
    .plus(512 << 10),
    Target::new("recovery_code", &["keyring/recovery_code.rs: parse"], recovery_code),
    Target::new("kept_key", &["keyring/kept_key.rs: decode"], kept_key),
    Target::new("fingerprint", &["keyring/fingerprint.rs: from_str"], fingerprint),
];

/// As it is, and with a checksum that fits: an attacker can mend it, the fuzzer cannot.
fn volume_header(bytes: &[u8]) {
    let mended = [bytes, Sha256::digest(bytes).as_slice()].concat();
    for bytes in [bytes, &mended] {
        match VolumeHeader::decode(bytes) {
            Ok(header) => {
                assert!(bytes.len() <= MAX_HEADER_LEN && (1..=MAX_SLOTS).contains(&header.slots().len()));
                assert_eq!(header.encode(), bytes, "another spelling of a header");
                let costs: Vec<Cost> = header.slots().iter().filter_map(Slot::cost).collect();
                assert!(
                    costs.iter().all(|cost| cost.check().is_ok()) && Cost::check_together(&costs).is_ok()
                );
            }
            Err(error) => assert_tame(&error.to_string()),
        }
    }
}

fn key_slot(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    if let Ok(slot) = Slot::decode(&mut reader) {
        let mut writer = Writer::new();
        slot.encode(&mut writer);
        assert_eq!(writer.finish(), bytes[..bytes.len() - reader.rest().len()], "another spelling of a slot");
        if let Some(wrapped) = slot.wrapped_secret() {
            assert_tame(wrapped.key());
        }
    }
}

fn keyring_record(bytes: &[u8]) {
    let encoded = |record: &KeyringRecord| {
        keyring_record::encode(record.generation, &record.keys, &record.settings).to_vec()
    };
    match keyring_record::decode(bytes) {
        Ok(record) => {
            assert!(record.settings.check().is_ok());
            assert!(record.settings.label.len() <= Settings::MAX_LABEL_LEN);
            assert_tame(&record.settings.label);
            let once = encoded(&record);
            let again =
                keyring_record::decode(&once).unwrap_or_else(|error| panic!("not read back: {error}"));
            assert_eq!(encoded(&again), once);
        }
        Err(error) => assert_tame(&error.to_string()),
    }
}

fn recovery_code(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    match RecoveryCode::parse(text) {
        Ok(code) => {
            let shown = code.to_text();
            let again = RecoveryCode::parse(&shown).unwrap_or_else(|error| panic!("not read back: {error}"));
            assert!(again.expose() == code.expose(), "another code");
        }
        Err(error) => assert_tame(&error.to_string()),
    }
}

fn fingerprint(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    match text.parse::<Fingerprint>() {
        Ok(fingerprint) => assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint)),
        Err(error) => assert_tame(&error.to_string()),
    }
}

/// As it is, and with the fingerprint that fits the key.
fn kept_key(bytes: &[u8]) {
    let Some((volume, rest)) = bytes.get(10..).and_then(|rest| rest.split_first_chunk::<16>()) else {
        return;
    };
    let volume = VolumeId(*volume);
    let mut mended = bytes.to_vec();
    if let Some(key) = rest.get(16..).and_then(|key| key.first_chunk::<{ SecretKey::LEN }>()) {
        let fingerprint = Fingerprint::derive(&SecretKey::copy_of(key), volume).expect("derived");
        mended[26..42].copy_from_slice(&fingerprint.0);
    }
    for bytes in [bytes, &mended] {
        match KeptKey::decode(bytes, volume) {
            Ok(key) => {
                assert!(key.encode().expose() == bytes, "another spelling of a key");
                assert!(KeptKey::decode(bytes, VolumeId([0xAA; 16])).is_err() || volume.0 == [0xAA; 16]);
            }
            Err(error) => assert_tame(&error.to_string()),
        }
    }
}
