//! Kept keys from outside: notes, and keys in files.

use std::os::unix::fs::symlink;
use std::path::Path;

use super::kept::{KeptNote, KeptPlace};
use super::tests::{chmod, dir, keyring, mode, volume};
use super::*;
use crate::base::VolumeId;
use crate::base::random::SeededRandom;
use crate::crypto::{Cost, CryptoError, SecretBytes};
use crate::keyring::{
    Credential, Fingerprint, KeptKey, KeyringError, NewSlot, NewSlotKey, NewVolumeKey, OldData, VolumeHeader,
};

/// Frozen bytes of format 1, made from `volume(1)` and [`passphrase`] with `SeededRandom::new(2)`.
fn frozen(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sealing");
    std::fs::read(folder.join(name)).unwrap()
}

/// 2033-05-18.
const UNTIL: u64 = 2_000_000_000;

fn passphrase() -> SecretBytes {
    SecretBytes::new(b"this machine's".to_vec())
}

fn note(place: KeptPlace) -> KeptNote {
    let (_, unlocked) = volume(1);
    KeptNote { volume: unlocked.volume(), place, fingerprint: unlocked.fingerprint(), until: Some(UNTIL) }
}

/// Wraps the key of `volume(1)`; the file and the volume id.
fn wrapped(folder: &tempfile::TempDir, keyring: &LocalKeyring) -> (std::path::PathBuf, VolumeId) {
    let (_, unlocked) = volume(1);
    let key = KeptKey::of(&unlocked);
    let random = SeededRandom::new(2);
    keyring.wrap_kept(&key, Some(UNTIL), &passphrase(), Cost::MINIMUM, &random).unwrap();
    (dir(folder).join(format!("{}.kept", unlocked.volume())), unlocked.volume())
}

fn error(outcome: Result<Option<KeptKey>, LocalError>) -> LocalError {
    match outcome {
        Ok(_) => panic!("was opened"),
        Err(error) => error,
    }
}

#[test]
fn a_wrapped_key_opens_its_volume_with_the_passphrase_alone() {
    let (folder, keyring) = keyring();
    let (header, unlocked) = volume(1);
    let (path, id) = wrapped(&folder, &keyring);
    assert_eq!(mode(&path), 0o600);
    assert_eq!(keyring.kept(id).unwrap(), Some(note(KeptPlace::File)));
    let key = keyring.unwrap_kept(id, &passphrase()).unwrap().unwrap();
    let header = VolumeHeader::decode(&header).unwrap_or_else(|error| panic!("{error}"));
    let opened = header.unlock(&Credential::Kept(key)).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((opened.fingerprint(), opened.opened_by()), (unlocked.fingerprint(), None));
    let wrong = error(keyring.unwrap_kept(id, &SecretBytes::new(b"another".to_vec())));
    assert!(matches!(wrong, LocalError::WrongPassphrase { path: found } if found == path));

    keyring.forget_kept(id).unwrap();
    assert!(!path.exists() && keyring.kept(id).unwrap().is_none());
    assert!(keyring.unwrap_kept(id, &passphrase()).unwrap().is_none());
    keyring.forget_kept(id).unwrap();
}

#[test]
fn the_frozen_files_of_format_1_are_made_and_read_as_ever() {
    let (folder, keyring) = keyring();
    let (path, id) = wrapped(&folder, &keyring);
    assert_eq!(std::fs::read(&path).unwrap(), frozen("wrapped-key.kept"));
    keyring.note_kept(&note(KeptPlace::Kernel)).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), frozen("note.kept"));
    assert_eq!(keyring.kept(id).unwrap(), Some(note(KeptPlace::Kernel)));
    assert_eq!(keyring.all_kept().unwrap(), [id]);
}

#[test]
fn every_flipped_bit_and_truncation_of_a_kept_key_is_refused() {
    let (folder, keyring) = keyring();
    let (path, id) = wrapped(&folder, &keyring);
    for (good, is_wrapped) in [(frozen("wrapped-key.kept"), true), (frozen("note.kept"), false)] {
        let is_refused = |forged: &[u8]| {
            std::fs::write(&path, forged).unwrap();
            match keyring.kept(id) {
                // What the head says is believed only as far as the record behind it opens.
                Ok(_) if is_wrapped => !matches!(keyring.unwrap_kept(id, &passphrase()), Ok(Some(_))),
                outcome => outcome.is_err(),
            }
        };
        for bit in 0..good.len() * 8 {
            // A derivation each: of the sealed part one bit in nine is enough.
            if is_wrapped && bit >= 84 * 8 && bit % 9 != 0 {
                continue;
            }
            let mut forged = good.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(is_refused(&forged), "bit {bit}");
        }
        for len in (0..good.len()).step_by(if is_wrapped { 7 } else { 1 }) {
            assert!(is_refused(&good[..len]), "{len} bytes");
        }
        assert!(is_refused(&[&good[..], &[0]].concat()), "one byte more");
    }
}

#[test]
fn a_cost_out_of_bounds_is_refused_before_it_is_paid() {
    let (folder, keyring) = keyring();
    let (path, id) = wrapped(&folder, &keyring);
    for (at, value) in [(84, 8u32), (84, u32::MAX), (88, 1), (88, u32::MAX), (92, 0), (92, 17)] {
        let mut forged = frozen("wrapped-key.kept");
        forged[at..at + 4].copy_from_slice(&value.to_le_bytes());
        std::fs::write(&path, forged).unwrap();
        let refused = error(keyring.unwrap_kept(id, &passphrase()));
        let by_cost = matches!(refused, LocalError::RefusedKept { source: CryptoError::Cost(_), .. });
        assert!(by_cost, "{at}: {refused}");
    }
}

#[test]
fn kept_keys_open_to_others_linked_or_of_another_type_are_refused_by_name() {
    let (folder, keyring) = keyring();
    let (path, id) = wrapped(&folder, &keyring);
    let refused = |what: &str| {
        for outcome in [keyring.kept(id).map(drop), keyring.unwrap_kept(id, &passphrase()).map(drop)] {
            let says = outcome.unwrap_err().to_string();
            assert!(says.contains(".kept") && says.contains(what), "{what}: {says}");
        }
    };
    for bits in [0o640, 0o604, 0o620, 0o666] {
        chmod(&path, bits);
        refused("open to its group or to others");
    }
    chmod(&path, 0o600);
    let elsewhere = dir(&folder).join("elsewhere");
    std::fs::hard_link(&path, &elsewhere).unwrap();
    refused("hard link");
    std::fs::remove_file(&path).unwrap();
    symlink(&elsewhere, &path).unwrap();
    refused("symbolic link");
    // It is taken away without touching what it points at.
    keyring.forget_kept(id).unwrap();
    assert!(path.symlink_metadata().is_err() && elsewhere.exists());
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, &path, fifo, rustix::fs::Mode::from_raw_mode(0o600), 0).unwrap();
    refused("another type");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    refused("another type");
}

#[test]
fn a_kept_key_of_another_volume_under_this_name_is_refused() {
    let (folder, keyring) = keyring();
    let (path, _) = wrapped(&folder, &keyring);
    let other = volume(2).1.volume();
    std::fs::rename(&path, dir(&folder).join(format!("{other}.kept"))).unwrap();
    assert!(matches!(keyring.kept(other), Err(LocalError::DamagedKept { .. })));
}

#[test]
fn time_is_up_at_the_second_and_never_without_a_limit() {
    let limited = note(KeptPlace::Kernel);
    assert!(!limited.is_over(UNTIL as i64 - 1) && limited.is_over(UNTIL as i64) && !limited.is_over(-1));
    let unlimited = KeptNote { until: None, ..limited };
    assert!(!unlimited.is_over(i64::MAX));
}

#[test]
fn a_kept_key_is_bound_to_volume_and_fingerprint() {
    let (_, unlocked) = volume(3);
    let bytes = KeptKey::of(&unlocked).encode();
    assert_eq!(bytes.len(), KeptKey::LEN);
    let id = unlocked.volume();
    assert!(KeptKey::decode(bytes.expose(), id).is_ok());
    let another = KeptKey::decode(bytes.expose(), VolumeId([1; 16])).err();
    assert!(matches!(another, Some(KeyringError::AnotherVolume { .. })));
    for bit in 0..bytes.len() * 8 {
        let mut forged = bytes.expose().to_vec();
        forged[bit / 8] ^= 1 << (bit % 8);
        assert!(KeptKey::decode(&forged, id).is_err(), "bit {bit}");
    }
    for len in 0..bytes.len() {
        assert!(KeptKey::decode(&bytes.expose()[..len], id).is_err(), "{len} bytes");
    }
}

#[test]
fn a_kept_key_outlives_other_slots_and_epochs_and_not_a_new_volume_key() {
    let (header, unlocked) = volume(4);
    let unlock = |header: &[u8]| {
        let header = VolumeHeader::decode(header).unwrap_or_else(|error| panic!("{error}"));
        let kept = KeptKey::of(&unlocked);
        header.unlock(&Credential::Kept(kept))
    };
    let random = SeededRandom::new(9);
    assert_eq!(unlock(&header).unwrap_or_else(|error| panic!("{error}")).generation(), 1);
    let epoch = unlocked.with_new_epoch(OldData::Stays, &random).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(unlock(&epoch.bytes).unwrap_or_else(|error| panic!("{error}")).generation(), 2);
    let file = SecretBytes::new(vec![7; 32]);
    let new = NewVolumeKey::generate(unlocked.volume(), &random).unwrap_or_else(|error| panic!("{error}"));
    let slots = [NewSlot::new(NewSlotKey::KeyFile(&file), &random)];
    let rekeyed = unlocked.with_new_volume_key(&new, &slots, OldData::Stays, &random);
    let rekeyed = rekeyed.unwrap_or_else(|error| panic!("{error}"));
    assert!(matches!(unlock(&rekeyed.bytes), Err(KeyringError::VolumeKeyReplaced)));
    let (other, _) = volume(5);
    assert!(matches!(unlock(&other), Err(KeyringError::AnotherVolume { .. })));
    // Changed by somebody without the key: the key is right, and not to blame.
    let mut forged = header.clone();
    forged[32] ^= 1;
    let end = forged.len() - 32;
    let checksum: [u8; 32] = sha2::Digest::finalize(sha2::Digest::chain_update(
        <sha2::Sha256 as sha2::Digest>::new(),
        &forged[..end],
    ))
    .into();
    forged[end..].copy_from_slice(&checksum);
    assert!(matches!(unlock(&forged), Err(KeyringError::Tampered(_))));
}

#[test]
fn the_places_of_a_volume_are_remembered() {
    let (_folder, keyring) = keyring();
    let pin = Pin { volume: VolumeId([1; 16]), fingerprint: Fingerprint([2; 16]), generation: 0 };
    let other = Pin { volume: VolumeId([3; 16]), ..pin };
    for (place, pin) in [("s3://a", pin), ("s3://b", other), ("file:///c", pin)] {
        keyring.pin(place, pin).unwrap();
    }
    let mut places = keyring.places_of(pin.volume).unwrap();
    places.sort();
    assert_eq!(places, ["file:///c", "s3://a"]);
}
