//! The local keyring from outside.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::base::clock::ManualClock;
use crate::base::random::SeededRandom;
use crate::base::{MachineId, Seq, VolumeId};
use crate::crypto::SecretBytes;
use crate::keyring::{
    Credential, Fingerprint, NewSlot, NewSlotKey, NewVolume, UnlockedVolume, VolumeHeader, create,
};

const PLACE: &str = "s3://bucket/prefix";

fn key_file() -> SecretBytes {
    SecretBytes::new(vec![0x5a; 64])
}

/// A volume's header and the volume itself.
pub(super) fn volume(seed: u64) -> (Vec<u8>, UnlockedVolume) {
    let file = key_file();
    let random = SeededRandom::new(seed);
    // The id is drawn behind the volume's keys, as what made the frozen files did.
    let slots = std::iter::once(NewSlotKey::KeyFile(&file)).map(|key| NewSlot::new(key, &random));
    let created = create(&NewVolume::default(), slots, &random, &ManualClock::default());
    let created = created.unwrap_or_else(|error| panic!("{error}"));
    (created.bytes, created.unlocked)
}

fn unlock(bytes: &[u8]) -> UnlockedVolume {
    let header = VolumeHeader::decode(bytes).unwrap_or_else(|error| panic!("{error}"));
    header.unlock(&Credential::KeyFile(key_file())).unwrap_or_else(|error| panic!("{error}"))
}

pub(super) fn keyring() -> (TempDir, LocalKeyring) {
    let folder = tempfile::tempdir().unwrap();
    let keyring = LocalKeyring::open(&folder.path().join("state/keyring")).unwrap();
    (folder, keyring)
}

pub(super) fn dir(folder: &TempDir) -> std::path::PathBuf {
    folder.path().join("state/keyring")
}

fn record(generation: u64, seq: u64) -> LocalRecord {
    LocalRecord {
        machine: MachineId([4; 16]),
        generation,
        witness: Witness { seq: Seq(seq), hash: [seq as u8; 32] },
        places: vec![PLACE.to_owned(), "file:///mnt/nas".to_owned()],
    }
}

fn local(keyring: &LocalKeyring, unlocked: &UnlockedVolume) -> LocalVolume {
    keyring.volume(unlocked).unwrap_or_else(|error| panic!("{error}"))
}

fn store(keyring: &LocalKeyring, unlocked: &UnlockedVolume, record: &LocalRecord) {
    local(keyring, unlocked).store(record, &SeededRandom::new(8), Durability::Now).unwrap();
}

pub(super) fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

pub(super) fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_record_comes_back_and_is_replaced() {
    let (_folder, keyring) = keyring();
    let (_, unlocked) = volume(1);
    let local = local(&keyring, &unlocked);
    assert_eq!(local.load().unwrap(), None);
    for (seq, sync) in [(1, Durability::Now), (2, Durability::Eventually), (3, Durability::Eventually)] {
        local.store(&record(1, seq), &SeededRandom::new(seq), sync).unwrap();
        assert_eq!(local.load().unwrap(), Some(record(1, seq)));
    }
}

#[test]
fn folder_and_files_are_private_and_tell_nothing_of_the_place() {
    let (folder, keyring) = keyring();
    let (_, unlocked) = volume(1);
    store(&keyring, &unlocked, &record(1, 5));
    keyring.machine(&SeededRandom::new(1)).unwrap();
    assert_eq!((mode(&folder.path().join("state")), mode(&dir(&folder))), (0o700, 0o700));
    for entry in dir(&folder).read_dir().unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{path:?}");
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"bucket"), "{path:?}");
    }
}

#[test]
fn an_older_header_than_seen_before_is_refused() {
    let (_folder, keyring) = keyring();
    let (first, unlocked) = volume(2);
    let second = unlocked.reseal(unlocked.slots(), &SeededRandom::new(3)).unwrap();
    let newer = unlock(&second);
    store(&keyring, &newer, &record(newer.generation(), 1));
    assert!(local(&keyring, &newer).load().is_ok());
    let outcome = local(&keyring, &unlock(&first)).load();
    assert!(matches!(outcome, Err(LocalError::OlderHeader { seen: 2, found: 1 })));
}

#[test]
fn a_place_that_shows_another_volume_is_refused_before_a_passphrase_is_asked_for() {
    let (_folder, keyring) = keyring();
    let ((ours, unlocked), (theirs, other)) = (volume(4), volume(5));
    let header = |bytes: &[u8]| VolumeHeader::decode(bytes).unwrap_or_else(|error| panic!("{error}"));
    keyring.check_header(PLACE, &header(&theirs)).unwrap();

    keyring.pin(PLACE, Pin::of(&unlocked)).unwrap();
    assert_eq!(keyring.pinned(PLACE).unwrap(), Some(Pin::of(&unlocked)));
    assert_eq!(keyring.pinned("s3://elsewhere").unwrap(), None);
    keyring.check_header(PLACE, &header(&ours)).unwrap();
    keyring.check_identity(PLACE, &unlocked).unwrap();
    let refused = keyring.check_header(PLACE, &header(&theirs));
    assert!(matches!(refused, Err(LocalError::AnotherVolume { found, .. }) if found == other.volume()));
    assert!(matches!(keyring.check_identity(PLACE, &other), Err(LocalError::AnotherVolume { .. })));
}

#[test]
fn a_volume_with_the_known_id_and_another_key_is_refused() {
    let (_folder, keyring) = keyring();
    let (_, unlocked) = volume(6);
    keyring.pin(PLACE, Pin { fingerprint: Fingerprint([1; 16]), ..Pin::of(&unlocked) }).unwrap();
    assert!(matches!(keyring.check_identity(PLACE, &unlocked), Err(LocalError::AnotherKey { .. })));
}

#[test]
fn a_record_that_was_lost_is_noticed_wherever_the_volume_was_used() {
    let (folder, keyring) = keyring();
    let (_, unlocked) = volume(11);
    let local = local(&keyring, &unlocked);
    keyring.check_record(&local).unwrap();
    store(&keyring, &unlocked, &record(1, 1));
    keyring.pin("file:///mnt/nas", Pin::of(&unlocked)).unwrap();
    keyring.check_record(&local).unwrap();
    let state = dir(&folder).join(format!("{}.state", unlocked.volume()));
    std::fs::remove_file(&state).unwrap();
    let lost = keyring.check_record(&local);
    assert!(matches!(lost, Err(LocalError::Lost { path, .. }) if path == state));
    // Another volume is none of its business.
    let (_, other) = volume(12);
    keyring.check_record(&self::local(&keyring, &other)).unwrap();
}

#[test]
fn a_record_of_another_volume_under_this_name_is_refused() {
    let (folder, keyring) = keyring();
    let ((_, one), (_, other)) = (volume(7), volume(8));
    store(&keyring, &one, &record(1, 1));
    let name = |unlocked: &UnlockedVolume| dir(&folder).join(format!("{}.state", unlocked.volume()));
    std::fs::rename(name(&one), name(&other)).unwrap();
    assert!(matches!(local(&keyring, &other).load(), Err(LocalError::Damaged { .. })));
}

#[test]
fn every_flipped_bit_and_truncation_of_a_record_or_pin_is_refused() {
    let (folder, keyring) = keyring();
    let (_, unlocked) = volume(9);
    store(&keyring, &unlocked, &record(1, 1));
    keyring.pin(PLACE, Pin::of(&unlocked)).unwrap();
    let local = local(&keyring, &unlocked);
    let state = dir(&folder).join(format!("{}.state", unlocked.volume()));
    let pin = dir(&folder).join(Pin::file_name(PLACE));
    let good = (std::fs::read(&state).unwrap(), std::fs::read(&pin).unwrap());
    for (path, bytes) in [(&state, &good.0), (&pin, &good.1)] {
        let refused = |forged: &[u8], what: String| {
            std::fs::write(path, forged).unwrap();
            let is_state = path == &state;
            let refused = if is_state { local.load().is_err() } else { keyring.pinned(PLACE).is_err() };
            assert!(refused, "{what} of {path:?}");
        };
        for bit in 0..bytes.len() * 8 {
            let mut forged = bytes.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            refused(&forged, format!("bit {bit}"));
        }
        for len in 0..bytes.len() {
            refused(&bytes[..len], format!("{len} bytes"));
        }
        refused(&[&bytes[..], &[0]].concat(), "a longer version".to_owned());
    }
}

#[test]
fn folders_open_to_others_or_reached_through_a_link_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let open = folder.path().join("open");
    LocalKeyring::open(&open).unwrap();
    for bits in [0o750, 0o701, 0o777] {
        chmod(&open, bits);
        let refused = LocalKeyring::open(&open).err();
        assert!(matches!(refused, Some(LocalError::NotPrivate { path, .. }) if path == open), "{bits:o}");
    }
    chmod(&open, 0o700);
    let link = folder.path().join("link");
    symlink(&open, &link).unwrap();
    assert!(matches!(LocalKeyring::open(&link).err(), Some(LocalError::NotPrivate { .. })));
    let (dangling, file) = (folder.path().join("dangling"), folder.path().join("file"));
    symlink(folder.path().join("nowhere"), &dangling).unwrap();
    std::fs::write(&file, b"").unwrap();
    for path in [dangling, file] {
        assert!(matches!(LocalKeyring::open(&path).err(), Some(LocalError::NotPrivate { .. })), "{path:?}");
    }
}

#[test]
fn files_open_to_others_linked_or_of_another_type_are_refused_by_name() {
    let (folder, keyring) = keyring();
    let (_, unlocked) = volume(10);
    store(&keyring, &unlocked, &record(1, 1));
    let local = local(&keyring, &unlocked);
    let state = dir(&folder).join(format!("{}.state", unlocked.volume()));
    let refused = |what: &str| {
        assert!(matches!(local.load(), Err(LocalError::NotPrivate { path, .. }) if path == state), "{what}");
    };
    chmod(&state, 0o640);
    refused("a file that its group may read");
    chmod(&state, 0o600);
    assert!(local.load().is_ok());

    let elsewhere = folder.path().join("elsewhere");
    std::fs::rename(&state, &elsewhere).unwrap();
    symlink(&elsewhere, &state).unwrap();
    refused("a symbolic link");
    std::fs::remove_file(&state).unwrap();
    std::fs::create_dir(&state).unwrap();
    refused("a folder");
    std::fs::remove_dir(&state).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &state,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    refused("a FIFO");
}

#[test]
fn a_replacement_does_not_write_through_a_link() {
    let (folder, keyring) = keyring();
    let (_, unlocked) = volume(11);
    let target = folder.path().join("target");
    std::fs::write(&target, b"precious").unwrap();
    let state = dir(&folder).join(format!("{}.state", unlocked.volume()));
    symlink(&target, &state).unwrap();
    symlink(&target, dir(&folder).join(format!("{}.state.new", unlocked.volume()))).unwrap();
    store(&keyring, &unlocked, &record(1, 1));
    assert_eq!(std::fs::read(&target).unwrap(), b"precious");
    assert!(state.symlink_metadata().unwrap().is_file());
}

#[test]
fn a_volume_is_locked_once_and_free_again_when_the_lock_is_dropped() {
    let (_folder, keyring) = keyring();
    let (_, unlocked) = volume(12);
    let lock = locked(&keyring, unlocked.volume()).ok().unwrap();
    let pid = Some(std::process::id());
    for _ in 0..2 {
        let holder = locked(&keyring, unlocked.volume()).err().unwrap().holder();
        assert_eq!(holder, Some(Holder { pid, leaving: false }));
    }
    assert!(locked(&keyring, volume(13).1.volume()).is_ok());
    drop(lock);
    assert!(locked(&keyring, unlocked.volume()).is_ok());
}

/// The lock, or who is to wait for it.
fn locked(keyring: &LocalKeyring, volume: VolumeId) -> Result<VolumeLock, Contender> {
    match keyring.attempt_lock(volume).unwrap() {
        Attempt::Held(lock) => Ok(lock),
        Attempt::Contended(contender) => Err(contender),
    }
}

#[test]
fn who_waits_for_a_volume_learns_that_its_holder_is_leaving_and_gets_it_then() {
    let (_folder, keyring) = keyring();
    let (_, unlocked) = volume(14);
    let lock = locked(&keyring, unlocked.volume()).ok().unwrap();
    let contender = locked(&keyring, unlocked.volume()).err().unwrap();
    let pid = Some(std::process::id());
    assert_eq!(contender.holder(), Some(Holder { pid, leaving: false }));
    lock.leave().unwrap();
    assert_eq!(contender.holder(), Some(Holder { pid, leaving: true }));
    let asking = contender.try_clone().unwrap();
    let waiting = std::thread::spawn(move || contender.wait());
    drop(lock);
    let _lock = waiting.join().unwrap().unwrap();
    assert_eq!(asking.holder(), Some(Holder { pid, leaving: false }));
    assert!(locked(&keyring, unlocked.volume()).is_err());
}

#[test]
fn the_machine_id_is_made_once() {
    let (folder, keyring) = keyring();
    let machine = keyring.machine(&SeededRandom::new(1)).unwrap();
    assert_eq!(keyring.machine(&SeededRandom::new(2)).unwrap(), machine);
    let again = LocalKeyring::open(&dir(&folder)).unwrap();
    assert_eq!(again.machine(&SeededRandom::new(3)).unwrap(), machine);
    std::fs::write(dir(&folder).join("machine"), b"not an id\n").unwrap();
    assert!(matches!(again.machine(&SeededRandom::new(4)), Err(LocalError::DamagedMachine { .. })));
}

#[test]
fn more_or_longer_places_than_can_be_read_back_are_not_stored() {
    let (_folder, keyring) = keyring();
    let (_, unlocked) = volume(14);
    let local = local(&keyring, &unlocked);
    for places in [vec![String::new(); 65], vec!["x".repeat(4097)]] {
        let outcome =
            local.store(&LocalRecord { places, ..record(1, 1) }, &SeededRandom::new(1), Durability::Now);
        assert!(matches!(outcome, Err(LocalError::Bounds(_))));
    }
    let most = LocalRecord { places: vec!["x".repeat(4096); 64], ..record(1, 1) };
    local.store(&most, &SeededRandom::new(1), Durability::Now).unwrap();
    assert_eq!(local.load().unwrap(), Some(most));
    assert!(matches!(keyring.pin(&"x".repeat(4097), Pin::of(&unlocked)), Err(LocalError::Bounds(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = super::pin::Pin::decode(&bytes, PLACE);
        let _ = super::local_volume::decode(&bytes);
    }
}
