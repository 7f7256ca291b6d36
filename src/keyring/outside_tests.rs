//! Slots whose secret is wrapped elsewhere, KMS's and age's: what a store may try with them.

use sha2::{Digest, Sha256};

use super::*;
use crate::base::clock::ManualClock;
use crate::base::random::SeededRandom;
use crate::crypto::{Cost, SecretBytes, SecretKey};

/// Every kind of slot, from seed 50, with the secrets below. KMS's ciphertext is made up; the age file is real.
const VOLUME: &[u8] = include_bytes!("../../tests/fixtures/sealing/volume-all-slots.bin");
const AGE_FILE: &[u8] = include_bytes!("../../tests/fixtures/sealing/slot.age");
const KMS_KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const RECIPIENT: &str = include_str!("../../tests/fixtures/sealing/slot.age-recipient");
const KMS_SLOT: SlotId = SlotId([0xc4; 16]);
const AGE_SLOT: SlotId = SlotId([0xa5; 16]);
const KMS_SECRET: [u8; 32] = [0x11; 32];
const AGE_SECRET: [u8; 32] = [0x22; 32];

fn kms(slot: SlotId, secret: [u8; 32]) -> Credential {
    Credential::Kms(UnwrappedSecret { slot, secret: SecretKey::copy_of(&secret) })
}

fn age(slot: SlotId, secret: [u8; 32]) -> Credential {
    Credential::Age(UnwrappedSecret { slot, secret: SecretKey::copy_of(&secret) })
}

fn key_file() -> SecretBytes {
    SecretBytes::new(vec![0x5a; 64])
}

/// A volume with every kind of slot.
fn created(seed: u64, cost: Cost) -> Created {
    let word = SecretBytes::new(b"correct horse battery staple".to_vec());
    let file = key_file();
    let (kms_secret, age_secret) = (SecretKey::copy_of(&KMS_SECRET), SecretKey::copy_of(&AGE_SECRET));
    let kms_wrapped = WrappedSecret::new(KMS_KEY.into(), vec![0xc5; 184]).unwrap();
    let age_wrapped = WrappedSecret::new(RECIPIENT.trim_end().into(), AGE_FILE.to_vec()).unwrap();
    let keys = [
        (None, NewSlotKey::Passphrase { passphrase: &word, cost }),
        (None, NewSlotKey::KeyFile(&file)),
        (Some(KMS_SLOT), NewSlotKey::Kms(OutsideSecret { wrapped: &kms_wrapped, secret: &kms_secret })),
        (Some(AGE_SLOT), NewSlotKey::Age(OutsideSecret { wrapped: &age_wrapped, secret: &age_secret })),
    ];
    let random = SeededRandom::new(seed);
    // Each id that is not given is drawn just before its slot's salt, as what made the frozen volume did.
    let slots = keys
        .into_iter()
        .map(|(id, key)| NewSlot { id: id.unwrap_or_else(|| SlotId::generate(&random)), key });
    let new = NewVolume { label: "all slots".into(), ..NewVolume::default() };
    create(&new, slots, &random, &ManualClock::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn unlock(bytes: &[u8], credential: &Credential) -> Result<UnlockedVolume, KeyringError> {
    VolumeHeader::decode(bytes)?.unlock(credential)
}

fn error(bytes: &[u8], credential: &Credential) -> KeyringError {
    unlock(bytes, credential).err().expect("it opened")
}

/// Where `needle` stands in the header.
fn at(bytes: &[u8], needle: &[u8]) -> usize {
    bytes.windows(needle.len()).position(|window| window == needle).expect("it is in the header")
}

/// What an attacker does after changing something: the checksum needs no key.
fn with_checksum(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.len() - 32;
    let checksum = Sha256::digest(&bytes[..end]);
    bytes[end..].copy_from_slice(&checksum);
    bytes
}

fn changed(bytes: &[u8], place: usize, with: &[u8]) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    changed[place..place + with.len()].copy_from_slice(with);
    with_checksum(changed)
}

#[test]
fn the_frozen_volume_with_every_kind_of_slot_opens_and_is_made_again_byte_for_byte() {
    assert_eq!(created(50, Cost::MINIMUM).bytes, VOLUME);
    let header = VolumeHeader::decode(VOLUME).unwrap_or_else(|error| panic!("{error}"));
    let kinds: Vec<_> = header.slots().iter().map(|slot| slot.kind().map(SlotKind::word)).collect();
    assert_eq!(kinds, ["passphrase", "key-file", "kms", "age", "recovery-code"].map(Some));
    assert_eq!(header.slots()[2].wrapped_secret().map(WrappedSecret::key), Some(KMS_KEY));
    assert_eq!(header.slots()[3].wrapped_secret().map(WrappedSecret::bytes), Some(AGE_FILE));
    for (credential, slot) in [(kms(KMS_SLOT, KMS_SECRET), KMS_SLOT), (age(AGE_SLOT, AGE_SECRET), AGE_SLOT)] {
        let unlocked = unlock(VOLUME, &credential).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(unlocked.opened_by(), Some(slot));
        assert_eq!(unlocked.settings().label, "all slots");
    }
    assert!(unlock(VOLUME, &Credential::KeyFile(key_file())).is_ok());
}

#[test]
fn a_secret_opens_its_own_slot_of_its_own_kind_and_nothing_else() {
    for (credential, kind) in [
        (kms(AGE_SLOT, AGE_SECRET), SlotKind::Kms),
        (age(KMS_SLOT, KMS_SECRET), SlotKind::Age),
        (kms(SlotId([0; 16]), KMS_SECRET), SlotKind::Kms),
    ] {
        assert!(matches!(error(VOLUME, &credential), KeyringError::NoSlot(found) if found == kind));
    }
    for credential in [kms(KMS_SLOT, AGE_SECRET), age(AGE_SLOT, KMS_SECRET)] {
        assert!(matches!(error(VOLUME, &credential), KeyringError::WrongKey(_)));
    }
    assert!(matches!(
        error(VOLUME, &Credential::KeyFile(SecretBytes::new(KMS_SECRET.to_vec()))),
        KeyringError::WrongKey(SlotKind::KeyFile)
    ));
}

#[test]
fn a_kms_slot_that_is_relabelled_as_age_derives_another_key() {
    let kind = at(VOLUME, &KMS_SLOT.0) - 4;
    assert_eq!(VOLUME[kind], 4);
    let relabelled = changed(VOLUME, kind, &[5]);
    assert!(matches!(error(&relabelled, &age(KMS_SLOT, KMS_SECRET)), KeyringError::WrongKey(_)));
    assert!(matches!(error(&relabelled, &kms(KMS_SLOT, KMS_SECRET)), KeyringError::NoSlot(_)));
}

#[test]
fn another_key_id_recipient_or_wrapped_secret_in_a_slot_is_noticed() {
    let (kms, age) = (kms(KMS_SLOT, KMS_SECRET), age(AGE_SLOT, AGE_SECRET));
    for (credential, place, with) in [
        (&kms, at(VOLUME, KMS_KEY.as_bytes()) + 30, &b"9"[..]),
        (&kms, at(VOLUME, &[0xc5; 184]) + 100, &[0]),
        (&age, at(VOLUME, RECIPIENT.trim_end().as_bytes()) + 10, b"q"),
        (&age, at(VOLUME, AGE_FILE) + 60, b"A"),
    ] {
        let forged = changed(VOLUME, place, with);
        assert_ne!(forged, VOLUME);
        assert!(matches!(error(&forged, credential), KeyringError::Tampered(_)));
        // And with any other credential, too: the whole header is authenticated.
        let other = error(&forged, &Credential::KeyFile(key_file()));
        assert!(matches!(other, KeyringError::Tampered(_)));
    }
}

#[test]
fn another_id_in_a_slot_is_noticed() {
    let forged = changed(VOLUME, at(VOLUME, &KMS_SLOT.0), &[0xdd; 16]);
    assert!(matches!(error(&forged, &kms(SlotId([0xdd; 16]), KMS_SECRET)), KeyringError::Tampered(_)));
    assert!(matches!(error(&forged, &kms(KMS_SLOT, KMS_SECRET)), KeyringError::NoSlot(_)));
}

#[test]
fn slots_of_two_volumes_cannot_be_exchanged_even_with_the_same_secrets() {
    let (one, other) = (created(51, Cost::MINIMUM), created(52, Cost::MINIMUM));
    let record_of = |bytes: &[u8], created: &Created| {
        let bound =
            super::volume_header::encode_bound(created.unlocked.volume(), 1, created.unlocked.slots());
        bytes[bound.len()..].to_vec()
    };
    let bound = super::volume_header::encode_bound(one.unlocked.volume(), 1, other.unlocked.slots());
    for record in [record_of(&one.bytes, &one), record_of(&other.bytes, &other)] {
        let forged = with_checksum([&bound[..], &record].concat());
        for credential in [kms(KMS_SLOT, KMS_SECRET), age(AGE_SLOT, AGE_SECRET)] {
            assert!(matches!(error(&forged, &credential), KeyringError::Tampered(_)));
        }
    }
}

#[test]
fn a_slot_that_an_attacker_made_for_a_public_recipient_opens_no_volume_of_mine() {
    let (mine, theirs) = (created(53, Cost::MINIMUM), created(54, Cost::MINIMUM));
    let age_slot = theirs.unlocked.slots()[3].clone();
    let slots = [mine.unlocked.slots(), std::slice::from_ref(&age_slot)].concat();
    let bound = super::volume_header::encode_bound(mine.unlocked.volume(), 1, mine.unlocked.slots());
    let record = &mine.bytes[bound.len()..];
    for slots in [slots, vec![age_slot]] {
        let bound = super::volume_header::encode_bound(mine.unlocked.volume(), 1, &slots);
        let forged = with_checksum([&bound[..], record].concat());
        assert!(unlock(&forged, &age(AGE_SLOT, AGE_SECRET)).is_err());
    }
}

#[test]
fn every_flipped_bit_is_refused_when_the_attacker_mends_the_checksum() {
    for credential in [kms(KMS_SLOT, KMS_SECRET), age(AGE_SLOT, AGE_SECRET)] {
        for (byte, value) in VOLUME.iter().enumerate().take(VOLUME.len() - 32) {
            let forged = changed(VOLUME, byte, &[value ^ (1 << (byte % 8))]);
            assert!(unlock(&forged, &credential).is_err(), "byte {byte}");
        }
    }
}

#[test]
fn a_hushfs_that_does_not_know_a_kind_opens_the_volume_and_keeps_the_slot() {
    let volume = created(55, Cost::MINIMUM);
    let future = Slot::Unknown { kind: 6, id: SlotId([6; 16]), body: vec![7; 4096] };
    let slots = [future, volume.unlocked.slots()[1].clone()];
    let random = SeededRandom::new(56);
    let bytes = volume.unlocked.reseal(&slots, &random).unwrap();
    let unlocked = unlock(&bytes, &Credential::KeyFile(key_file())).unwrap_or_else(|error| panic!("{error}"));
    let again = unlocked.reseal(unlocked.slots(), &random).unwrap();
    let kept = VolumeHeader::decode(&again).unwrap_or_else(|error| panic!("{error}"));
    assert!(matches!(&kept.slots()[0], Slot::Unknown { kind: 6, body, .. } if *body == vec![7; 4096]));
}

#[test]
fn the_longest_wrapped_secret_fits_into_a_slot() {
    let volume = created(57, Cost::MINIMUM);
    let wrapped = WrappedSecret::new("k".repeat(2048), vec![1; 1852]).unwrap();
    let secret = SecretKey::copy_of(&KMS_SECRET);
    let key = NewSlotKey::Kms(OutsideSecret { wrapped: &wrapped, secret: &secret });
    let slot = NewSlot { id: KMS_SLOT, key };
    let random = SeededRandom::new(58);
    let slot = volume.unlocked.new_slot(&slot, &random).unwrap();
    let bytes = volume.unlocked.reseal(&[slot], &random).unwrap();
    assert!(unlock(&bytes, &kms(KMS_SLOT, KMS_SECRET)).is_ok());
}
