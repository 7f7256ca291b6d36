//! Volume headers from outside: every credential, and every way of tampering that a store has.

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;
use crate::base::Epoch;
use crate::base::clock::ManualClock;
use crate::base::random::SeededRandom;
use crate::crypto::{Cost, CostError, SecretBytes};

const VOLUME: &[u8] = include_bytes!("../../tests/fixtures/sealing/volume.bin");
const VOLUME_CODE: &str = include_str!("../../tests/fixtures/sealing/volume-recovery-code.txt");
const PASSPHRASE: &[u8] = b"correct horse battery staple";

fn secret(bytes: &[u8]) -> SecretBytes {
    SecretBytes::new(bytes.to_vec())
}

fn passphrase(text: &[u8]) -> Credential {
    Credential::Passphrase(secret(text))
}

fn key_file() -> SecretBytes {
    secret(&[0x5a; 64])
}

fn new_volume() -> NewVolume {
    NewVolume { label: "frozen".into(), ..NewVolume::default() }
}

fn passphrase_key(word: &SecretBytes) -> NewSlotKey<'_> {
    NewSlotKey::Passphrase { passphrase: word, cost: Cost::MINIMUM }
}

/// Draws each slot's id just before its salt, as what made the frozen volumes did.
fn create_with<const N: usize>(keys: [NewSlotKey<'_>; N], seed: u64) -> Result<Created, KeyringError> {
    let random = SeededRandom::new(seed);
    let slots = keys.into_iter().map(|key| NewSlot::new(key, &random));
    create(&new_volume(), slots, &random, &ManualClock::default())
}

/// A volume with a passphrase, a key file and a recovery code.
fn created(seed: u64) -> Created {
    let (word, file) = (secret(PASSPHRASE), key_file());
    let keys = [passphrase_key(&word), NewSlotKey::KeyFile(&file)];
    create_with(keys, seed).unwrap_or_else(|e| panic!("{e}"))
}

/// A volume that opens without Argon2id, for tests that open it thousands of times.
fn quick(seed: u64) -> Created {
    let file = key_file();
    create_with([NewSlotKey::KeyFile(&file)], seed).unwrap_or_else(|e| panic!("{e}"))
}

fn unlock(bytes: &[u8], credential: &Credential) -> Result<UnlockedVolume, KeyringError> {
    VolumeHeader::decode(bytes)?.unlock(credential)
}

fn unlock_error(bytes: &[u8], credential: &Credential) -> KeyringError {
    unlock(bytes, credential).err().expect("it opened")
}

/// What an attacker does after changing something: the checksum needs no key.
fn with_checksum(mut bytes: Vec<u8>) -> Vec<u8> {
    let at = bytes.len() - 32;
    let checksum = Sha256::digest(&bytes[..at]);
    bytes[at..].copy_from_slice(&checksum);
    bytes
}

#[test]
fn every_kind_of_credential_opens_its_slot() {
    let created = created(1);
    let code = RecoveryCode::parse(&created.recovery_code.to_text()).unwrap();
    let credentials =
        [passphrase(PASSPHRASE), Credential::KeyFile(key_file()), Credential::RecoveryCode(code)];
    for credential in &credentials {
        let unlocked = unlock(&created.bytes, credential).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(unlocked.volume(), created.unlocked.volume());
        assert_eq!(unlocked.fingerprint(), created.unlocked.fingerprint());
        assert_eq!(unlocked.generation(), 1);
        assert_eq!(unlocked.settings().label, "frozen");
        assert_eq!(unlocked.keys().current(), Epoch(1));
        let key = |volume: &UnlockedVolume| *volume.keys().get(Epoch(1)).expect("an epoch key").expose();
        assert_eq!(key(&unlocked), key(&created.unlocked));
    }
}

#[test]
fn a_wrong_credential_is_told_from_damage_and_from_a_missing_slot() {
    let bytes = created(2).bytes;
    let wrong_code = RecoveryCode::generate(&SeededRandom::new(99));
    for (credential, kind) in [
        (passphrase(b"correct horse battery stable"), SlotKind::Passphrase),
        (passphrase(b"correct horse battery staple "), SlotKind::Passphrase),
        (Credential::KeyFile(secret(&[1; 64])), SlotKind::KeyFile),
        (Credential::RecoveryCode(wrong_code), SlotKind::RecoveryCode),
    ] {
        assert!(matches!(unlock_error(&bytes, &credential), KeyringError::WrongKey(found) if found == kind));
    }
    let none = unlock_error(&quick(3).bytes, &passphrase(PASSPHRASE));
    assert!(matches!(none, KeyringError::NoSlot(SlotKind::Passphrase)));
}

#[test]
fn credentials_that_cannot_be_one_are_refused_before_any_derivation() {
    let bytes = created(4).bytes;
    for credential in
        [passphrase(b""), Credential::KeyFile(secret(&[1; 31])), Credential::KeyFile(secret(&[1; 65_537]))]
    {
        assert!(matches!(unlock_error(&bytes, &credential), KeyringError::Credential(_)));
    }
}

#[test]
fn what_is_no_volume_header_is_foreign() {
    for bytes in [&b""[..], b"h", b"hushfs-", b"hushfs-o and more", b"<?xml version=\"1.0\"?>", &[0; 400]] {
        assert!(matches!(VolumeHeader::decode(bytes).err(), Some(KeyringError::Foreign)));
    }
}

#[test]
fn a_newer_format_or_suite_is_named_as_such() {
    let mut newer = quick(5).bytes;
    newer[8] = 2;
    assert!(matches!(VolumeHeader::decode(&newer).err(), Some(KeyringError::NewerFormat(_))));
    let mut suite = quick(5).bytes;
    suite[10] = 2;
    assert!(matches!(VolumeHeader::decode(&with_checksum(suite)).err(), Some(KeyringError::NewerFormat(_))));
}

#[test]
fn every_flipped_bit_is_refused_without_trying_a_key() {
    let bytes = created(6).bytes;
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let error = VolumeHeader::decode(&damaged).err().expect("damage was not noticed");
        match bit / 8 {
            0..8 => assert!(matches!(error, KeyringError::Foreign), "bit {bit}: {error}"),
            8..10 => assert!(
                matches!(error, KeyringError::NewerFormat(_) | KeyringError::Damaged(_)),
                "bit {bit}: {error}"
            ),
            _ => assert!(matches!(error, KeyringError::Damaged(_)), "bit {bit}: {error}"),
        }
    }
}

#[test]
fn every_flipped_bit_is_refused_when_the_attacker_mends_the_checksum() {
    let bytes = quick(7).bytes;
    let credential = Credential::KeyFile(key_file());
    assert!(unlock(&bytes, &credential).is_ok());
    for bit in 0..(bytes.len() - 32) * 8 {
        let mut forged = bytes.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        assert!(unlock(&with_checksum(forged), &credential).is_err(), "bit {bit}");
    }
}

#[test]
fn every_truncation_and_any_appended_byte_is_refused() {
    let bytes = quick(8).bytes;
    for len in 0..bytes.len() {
        assert!(VolumeHeader::decode(&bytes[..len]).is_err(), "{len} bytes");
        if len >= 32 {
            assert!(
                VolumeHeader::decode(&with_checksum(bytes[..len].to_vec())).is_err(),
                "{len} bytes, mended"
            );
        }
    }
    assert!(VolumeHeader::decode(&[&bytes[..], &[0]].concat()).is_err());
    assert!(VolumeHeader::decode(&with_checksum([&bytes[..], &[0]].concat())).is_err());
    let long = [&bytes[..], &vec![0; MAX_HEADER_LEN]].concat();
    assert!(matches!(VolumeHeader::decode(&long).err(), Some(KeyringError::Damaged(Damage::TooLong))));
}

#[test]
fn slot_parameters_out_of_bounds_are_refused_before_derivation() {
    // The first slot is the passphrase's: its body starts after 40 bytes of header and 24 of slot.
    let bytes = created(9).bytes;
    let with_cost = |memory: u32, passes: u32, lanes: u32| {
        let mut forged = bytes.clone();
        for (index, value) in [memory, passes, lanes].into_iter().enumerate() {
            forged[64 + 4 * index..68 + 4 * index].copy_from_slice(&value.to_le_bytes());
        }
        VolumeHeader::decode(&with_checksum(forged)).err()
    };
    assert!(with_cost(Cost::MINIMUM.memory_kib, 2, 1).is_none());
    for (memory, passes, lanes) in [(8, 2, 1), (19_455, 2, 1), (19_456, 1, 1), (19_456, 2, 0)] {
        let refused = with_cost(memory, passes, lanes);
        assert!(matches!(refused, Some(KeyringError::Cost(CostError::TooWeak { .. }))));
    }
    for (memory, passes, lanes) in [(u32::MAX, 2, 1), (19_456, 65, 1), (19_456, 2, 17), (4_194_305, 2, 1)] {
        let refused = with_cost(memory, passes, lanes);
        assert!(matches!(refused, Some(KeyringError::Cost(CostError::TooCostly { .. }))));
    }
}

#[test]
fn weak_slots_cannot_be_made() {
    let word = secret(PASSPHRASE);
    let key = NewSlotKey::Passphrase { passphrase: &word, cost: Cost { memory_kib: 8, passes: 1, lanes: 1 } };
    let outcome = create_with([key], 1);
    assert!(matches!(outcome.err(), Some(KeyringError::Cost(CostError::TooWeak { .. }))));
}

/// A header with the plain part of `plain` and the record of `record`.
fn grafted(plain: &VolumeHeaderParts, record: &VolumeHeaderParts) -> Vec<u8> {
    with_checksum([&plain.bound[..], &record.record, &[0; 32]].concat())
}

struct VolumeHeaderParts {
    bound: Vec<u8>,
    record: Vec<u8>,
}

fn parts(bytes: &[u8]) -> VolumeHeaderParts {
    let header = VolumeHeader::decode(bytes).unwrap_or_else(|error| panic!("{error}"));
    let bound = super::volume_header::encode_bound(header.volume(), header.generation(), header.slots());
    assert_eq!(bound, bytes[..bound.len()]);
    VolumeHeaderParts { record: bytes[bound.len()..bytes.len() - 32].to_vec(), bound }
}

#[test]
fn a_slot_inserted_by_an_attacker_opens_nothing() {
    let victim = quick(10);
    let attacker = {
        let word = secret(b"attacker");
        create_with([passphrase_key(&word)], 11).unwrap_or_else(|e| panic!("{e}"))
    };
    let mut slots = attacker.unlocked.slots().to_vec();
    slots.extend_from_slice(victim.unlocked.slots());
    let volume = victim.unlocked.volume();
    let forged = VolumeHeaderParts {
        bound: super::volume_header::encode_bound(volume, 1, &slots),
        record: parts(&victim.bytes).record,
    };
    let bytes = grafted(&forged, &forged);
    assert!(matches!(unlock_error(&bytes, &Credential::KeyFile(key_file())), KeyringError::Tampered(_)));
    assert!(unlock(&bytes, &passphrase(b"attacker")).is_err());
}

#[test]
fn a_removed_slot_is_noticed() {
    let volume = created(12);
    let kept = &volume.unlocked.slots()[1..];
    let forged = VolumeHeaderParts {
        bound: super::volume_header::encode_bound(volume.unlocked.volume(), 1, kept),
        record: parts(&volume.bytes).record,
    };
    let error = unlock_error(&grafted(&forged, &forged), &Credential::KeyFile(key_file()));
    assert!(matches!(error, KeyringError::Tampered(_)));
}

#[test]
fn a_slot_of_another_volume_opens_nothing_even_with_the_same_credential() {
    let (one, other) = (quick(13), quick(14));
    let (one_parts, other_parts) = (parts(&one.bytes), parts(&other.bytes));
    for forged in [grafted(&one_parts, &other_parts), grafted(&other_parts, &one_parts)] {
        assert!(matches!(unlock_error(&forged, &Credential::KeyFile(key_file())), KeyringError::Tampered(_)));
    }
    let transplanted = VolumeHeaderParts {
        bound: super::volume_header::encode_bound(one.unlocked.volume(), 1, other.unlocked.slots()),
        record: one_parts.record,
    };
    let error = unlock_error(&grafted(&transplanted, &transplanted), &Credential::KeyFile(key_file()));
    assert!(matches!(error, KeyringError::Tampered(_)));
}

#[test]
fn an_old_slot_list_with_a_new_record_or_generation_is_refused() {
    let first = quick(15);
    let second = first.unlocked.reseal(&first.unlocked.slots()[..1], &SeededRandom::new(16)).unwrap();
    assert!(unlock(&second, &Credential::KeyFile(key_file())).is_ok());
    let (old, new) = (parts(&first.bytes), parts(&second));
    for forged in [grafted(&old, &new), grafted(&new, &old)] {
        assert!(matches!(unlock_error(&forged, &Credential::KeyFile(key_file())), KeyringError::Tampered(_)));
    }
    let mut raised = first.bytes;
    raised[32] = 9;
    let error = unlock_error(&with_checksum(raised), &Credential::KeyFile(key_file()));
    assert!(matches!(error, KeyringError::Tampered(_)));
}

#[test]
fn changing_a_passphrase_is_a_new_slot_and_a_new_generation() {
    let random = SeededRandom::new(17);
    let old = created(18);
    let word = secret(b"a better one");
    let slot = NewSlot::new(passphrase_key(&word), &random);
    let mut slots = vec![old.unlocked.new_slot(&slot, &random).unwrap()];
    slots.extend(
        old.unlocked.slots().iter().filter(|slot| slot.kind() != Some(SlotKind::Passphrase)).cloned(),
    );

    let bytes = old.unlocked.reseal(&slots, &random).unwrap();
    let unlocked = unlock(&bytes, &passphrase(b"a better one")).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((unlocked.generation(), unlocked.fingerprint()), (2, old.unlocked.fingerprint()));
    assert_eq!(unlocked.settings(), old.unlocked.settings());
    assert!(matches!(unlock_error(&bytes, &passphrase(PASSPHRASE)), KeyringError::WrongKey(_)));
    assert!(unlock(&bytes, &Credential::KeyFile(key_file())).is_ok());
}

#[test]
fn two_passphrases_open_the_same_volume() {
    let random = SeededRandom::new(19);
    let first = created(20);
    let word = secret(b"somebody else's");
    let slot = NewSlot::new(passphrase_key(&word), &random);
    let mut slots = first.unlocked.slots().to_vec();
    slots.push(first.unlocked.new_slot(&slot, &random).unwrap());
    let bytes = first.unlocked.reseal(&slots, &random).unwrap();
    for text in [PASSPHRASE, b"somebody else's"] {
        assert!(unlock(&bytes, &passphrase(text)).is_ok());
    }
}

#[test]
fn slots_of_unknown_kinds_survive_a_reseal() {
    let volume = quick(21);
    let mut slots = volume.unlocked.slots().to_vec();
    slots.push(Slot::Unknown { kind: 200, id: SlotId([7; 16]), body: b"from the future".to_vec() });
    let bytes = volume.unlocked.reseal(&slots, &SeededRandom::new(22)).unwrap();
    let unlocked = unlock(&bytes, &Credential::KeyFile(key_file())).unwrap_or_else(|error| panic!("{error}"));
    let again = unlocked.reseal(unlocked.slots(), &SeededRandom::new(23)).unwrap();
    let kept = VolumeHeader::decode(&again).unwrap_or_else(|error| panic!("{error}"));
    assert!(
        kept.slots()
            .iter()
            .any(|slot| matches!(slot, Slot::Unknown { kind: 200, body, .. } if body == b"from the future"))
    );
}

#[test]
fn a_volume_that_nobody_could_open_is_never_written() {
    let volume = quick(24);
    let random = SeededRandom::new(25);
    let future = Slot::Unknown { kind: 200, id: SlotId([7; 16]), body: Vec::new() };
    let known = volume.unlocked.slots()[0].clone();
    for slots in [vec![], vec![future], vec![known; MAX_SLOTS + 1]] {
        assert!(matches!(volume.unlocked.reseal(&slots, &random), Err(KeyringError::Bounds(_))));
    }
}

#[test]
fn the_frozen_volume_opens_and_is_made_again_byte_for_byte() {
    let unlocked = unlock(VOLUME, &passphrase(PASSPHRASE)).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(unlocked.settings().created.secs, 1_700_000_000);
    let code = RecoveryCode::parse(VOLUME_CODE).unwrap();
    assert!(unlock(VOLUME, &Credential::RecoveryCode(code)).is_ok());
    let again = created(42);
    assert_eq!(again.bytes, VOLUME);
    assert_eq!(*again.recovery_code.to_text(), VOLUME_CODE.trim_end());
    assert_eq!(again.unlocked.fingerprint(), unlocked.fingerprint());
}

proptest! {
    #[test]
    fn decoding_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400), noise in any::<u64>()) {
        let _ = VolumeHeader::decode(&bytes);
        // The same behind a good magic, format, suite and checksum, where the parser is.
        let mut head = b"hushfs-v\x01\x00\x01\x00\x02\x00\x00\x00".to_vec();
        head.extend_from_slice(&noise.to_le_bytes());
        head.extend_from_slice(&bytes);
        head.extend_from_slice(&[0; 32]);
        let _ = VolumeHeader::decode(&with_checksum(head));
    }

    #[test]
    fn damaged_headers_never_panic(at in 0usize..400, value in any::<u8>()) {
        let mut bytes = VOLUME.to_vec();
        let at = at % bytes.len();
        bytes[at] = value;
        let _ = VolumeHeader::decode(&with_checksum(bytes));
    }
}
