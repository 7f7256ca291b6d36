//! The vault from outside: round trips, and every way of tampering that a store has.

use std::collections::HashSet;

use proptest::prelude::*;

use super::frame::FRAME_HEADER_LEN;
use super::*;
use crate::base::random::SeededRandom;
use crate::base::{Epoch, ObjectId, Random, VolumeId};

const ID: ObjectId = ObjectId([0x1d; 16]);
const KIND: ObjectKind = ObjectKind::Segment;
const LIMIT: usize = 1 << 20;
const OBJECT: &[u8] = include_bytes!("../../tests/fixtures/sealing/object.bin");
const EMPTY_OBJECT: &[u8] = include_bytes!("../../tests/fixtures/sealing/object-empty.bin");

fn vault_of(volume: u8, key: u8, epoch: u32) -> Vault {
    Vault::from_epoch_keys(VolumeId([volume; 16]), Epoch(epoch), &[(Epoch(epoch), [key; 32])]).unwrap()
}

fn vault() -> Vault {
    vault_of(1, 2, 3)
}

fn noise(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    SeededRandom::new(len as u64).fill(&mut bytes);
    bytes
}

/// An object of the given chunks, and where each frame starts; the last entry is the object's end.
fn object_of(chunks: &[&[u8]]) -> (Vec<u8>, Vec<usize>) {
    let mut sealer = vault().sealer(KIND, ID, &SeededRandom::new(9)).unwrap();
    let mut bytes = sealer.header().to_vec();
    let mut starts = vec![bytes.len()];
    for (index, chunk) in chunks.iter().enumerate() {
        let len = sealer.seal(chunk, index + 1 == chunks.len(), &mut bytes).unwrap();
        assert_eq!(starts[index] + len as usize, bytes.len());
        starts.push(bytes.len());
    }
    (bytes, starts)
}

/// Three small chunks, the middle one compressed.
fn sample() -> (Vec<u8>, Vec<usize>) {
    object_of(&[b"first chunk", &[b'm'; 300], b"last chunk"])
}

fn open(bytes: &[u8]) -> Result<Vec<u8>, VaultError> {
    vault().open_object(KIND, ID, bytes, LIMIT)
}

fn assert_tampered(outcome: Result<Vec<u8>, VaultError>, what: &str) {
    assert!(matches!(outcome, Err(VaultError::Tampered(_))), "{what} was not refused as tampering");
}

#[test]
fn objects_of_every_size_come_back() {
    for len in [0, 1, 63, 64, 4096, MAX_CHUNK - 1, MAX_CHUNK, MAX_CHUNK + 1, 3 * MAX_CHUNK] {
        for plain in [vec![b'x'; len], noise(len)] {
            let sealed = vault().seal_object(KIND, ID, &plain, &SeededRandom::new(1)).unwrap();
            assert_eq!(open(&sealed).unwrap(), plain, "{len} bytes");
        }
    }
}

#[test]
fn compression_is_used_where_it_pays_and_noise_grows_by_the_overhead_only() {
    let sealed_len =
        |plain: &[u8]| vault().seal_object(KIND, ID, plain, &SeededRandom::new(1)).unwrap().len();
    assert!(sealed_len(&[b'x'; 65_536]) < 1_000);
    assert_eq!(sealed_len(&noise(65_536)), HEADER_LEN + 65_536 + FRAME_OVERHEAD);
    assert_eq!(sealed_len(b""), HEADER_LEN + FRAME_OVERHEAD);
}

#[test]
fn frames_open_in_any_order() {
    let (bytes, starts) = sample();
    let opener = vault().opener(KIND, ID, &bytes).unwrap();
    let frame = |number: usize| &bytes[starts[number]..starts[number + 1]];
    assert_eq!(opener.open(2, true, frame(2)).unwrap(), b"last chunk");
    assert_eq!(opener.open(0, false, frame(0)).unwrap(), b"first chunk");
    assert_eq!(opener.open(1, false, frame(1)).unwrap(), [b'm'; 300]);
}

#[test]
fn two_objects_of_the_same_content_share_no_bytes_worth_mentioning() {
    let seal = |seed| vault().seal_object(KIND, ID, &noise(256), &SeededRandom::new(seed)).unwrap();
    let (one, other) = (seal(1), seal(2));
    let body = HEADER_LEN + FRAME_HEADER_LEN;
    let windows: HashSet<&[u8]> = one[body..].windows(8).collect();
    assert!(other[body..].windows(8).all(|window| !windows.contains(window)));
}

#[test]
fn every_flipped_bit_is_refused() {
    let (bytes, _) = sample();
    for bit in 0..bytes.len() * 8 {
        let mut forged = bytes.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        match open(&forged) {
            Err(VaultError::Tampered(_)) => {}
            // Format, suite, flags and epoch: named as such, because a newer hushfs may know them.
            Err(VaultError::Unsupported(_)) => {
                assert!((8..11).contains(&(bit / 8)) || (12..16).contains(&(bit / 8)))
            }
            Err(VaultError::UnknownEpoch { .. }) => assert!((16..20).contains(&(bit / 8))),
            other => panic!("bit {bit}: {other:?}"),
        }
    }
}

#[test]
fn every_truncation_is_refused() {
    let (bytes, _) = sample();
    for len in 0..bytes.len() {
        assert_tampered(open(&bytes[..len]), &format!("{len} of {} bytes", bytes.len()));
    }
}

#[test]
fn appended_bytes_are_refused() {
    let (bytes, starts) = sample();
    for tail in [&[0u8][..], &[0; 24], &bytes[starts[2]..], &bytes] {
        assert_tampered(open(&[&bytes, tail].concat()), "an appended tail");
    }
}

#[test]
fn reordered_repeated_and_missing_frames_are_refused() {
    let (bytes, starts) = sample();
    for order in
        [&[1, 0, 2][..], &[0, 0, 1, 2], &[0, 1, 1, 2], &[1, 2], &[0, 2], &[0, 1], &[2], &[0, 1, 2, 2], &[]]
    {
        let mut forged = bytes[..HEADER_LEN].to_vec();
        for number in order {
            forged.extend_from_slice(&bytes[starts[*number]..starts[number + 1]]);
        }
        assert_tampered(open(&forged), &format!("order {order:?}"));
    }
}

#[test]
fn a_frame_opens_at_its_own_number_and_place_only() {
    let (bytes, starts) = sample();
    let opener = vault().opener(KIND, ID, &bytes).unwrap();
    for number in 0..3 {
        let frame = &bytes[starts[number]..starts[number + 1]];
        for claimed in 0..4 {
            for last in [false, true] {
                let right = claimed == number as u32 && last == (number == 2);
                assert_eq!(opener.open(claimed, last, frame).is_ok(), right, "{number} as {claimed}, {last}");
            }
        }
        assert_tampered(opener.open(number as u32, number == 2, &[frame, &[0]].concat()), "a longer frame");
        assert_tampered(
            opener.open(number as u32, number == 2, &frame[..frame.len() - 1]),
            "a shorter frame",
        );
    }
}

#[test]
fn the_final_flag_cannot_be_moved() {
    let (bytes, starts) = sample();
    let mut forged = bytes[..starts[1]].to_vec();
    forged[starts[0] + 7] |= 0x80;
    assert_tampered(open(&forged), "a first frame that claims to be the last");
}

#[test]
fn an_object_opens_under_its_own_id_kind_epoch_volume_and_key_only() {
    let (bytes, _) = sample();
    assert_tampered(vault().open_object(KIND, ObjectId([0; 16]), &bytes, LIMIT), "another id");
    for kind in ObjectKind::ALL.into_iter().filter(|kind| *kind != KIND) {
        assert_tampered(vault().open_object(kind, ID, &bytes, LIMIT), "another kind");
    }
    assert_tampered(vault_of(9, 2, 3).open_object(KIND, ID, &bytes, LIMIT), "another volume");
    assert_tampered(vault_of(1, 9, 3).open_object(KIND, ID, &bytes, LIMIT), "another key");
    let outcome = vault_of(1, 2, 4).open_object(KIND, ID, &bytes, LIMIT);
    assert!(matches!(outcome, Err(VaultError::UnknownEpoch { epoch: Epoch(3), .. })));
}

#[test]
fn a_header_rewritten_for_another_place_does_not_open_there() {
    let (bytes, _) = sample();
    let rewritten = |at: usize, with: &[u8]| {
        let mut forged = bytes.clone();
        forged[at..at + with.len()].copy_from_slice(with);
        forged
    };
    let other_id = ObjectId([0xee; 16]);
    assert_tampered(
        vault().open_object(KIND, other_id, &rewritten(48, &other_id.0), LIMIT),
        "a rewritten id",
    );
    let as_entry = rewritten(11, &[ObjectKind::LogEntry.to_byte()]);
    assert_tampered(vault().open_object(ObjectKind::LogEntry, ID, &as_entry, LIMIT), "a rewritten kind");
    assert_tampered(
        vault_of(9, 2, 3).open_object(KIND, ID, &rewritten(32, &[9; 16]), LIMIT),
        "a rewritten volume",
    );
    let both =
        Vault::from_epoch_keys(VolumeId([1; 16]), Epoch(4), &[(Epoch(3), [2; 32]), (Epoch(4), [4; 32])]);
    assert_tampered(both.unwrap().open_object(KIND, ID, &rewritten(16, &[4]), LIMIT), "a rewritten epoch");
}

#[test]
fn frames_of_another_object_with_the_same_name_are_refused() {
    let (bytes, starts) = sample();
    let other = vault().seal_object(KIND, ID, b"older content", &SeededRandom::new(77)).unwrap();
    let mut forged = bytes[..starts[0]].to_vec();
    forged.extend_from_slice(&other[HEADER_LEN..]);
    assert_tampered(open(&forged), "frames of an older version");
}

#[test]
fn a_wrong_commitment_and_a_wrong_tag_read_the_same() {
    let reason = |bytes: &[u8]| match open(bytes) {
        Err(VaultError::Tampered(finding)) => finding.reason,
        other => panic!("{other:?}"),
    };
    let (bytes, _) = sample();
    let (mut commitment, mut tag) = (bytes.clone(), bytes);
    commitment[HEADER_LEN - 1] ^= 1;
    *tag.last_mut().unwrap() ^= 1;
    assert_eq!(reason(&commitment), reason(&tag));
}

#[test]
fn more_plaintext_than_the_caller_allows_is_refused() {
    let (bytes, _) = sample();
    let total = b"first chunk".len() + 300 + b"last chunk".len();
    assert_eq!(vault().open_object(KIND, ID, &bytes, total).unwrap().len(), total);
    for limit in [total - 1, 311, 310, 11, 10, 0] {
        assert_tampered(vault().open_object(KIND, ID, &bytes, limit), &format!("a limit of {limit}"));
    }
}

#[test]
fn length_fields_out_of_range_are_refused_before_allocation() {
    let (bytes, starts) = sample();
    for at in [starts[0], starts[0] + 4, starts[1], starts[1] + 4, starts[2] + 4] {
        for value in [0, 1, MAX_CHUNK as u32 + 1, 1 << 29, 1 << 30, 1 << 31, u32::MAX] {
            let mut forged = bytes.clone();
            forged[at..at + 4].copy_from_slice(&value.to_le_bytes());
            assert_tampered(open(&forged), &format!("{value:#x} at {at}"));
        }
    }
}

#[test]
fn the_sealer_refuses_to_break_its_own_format() {
    let mut sealer = vault().sealer(KIND, ID, &SeededRandom::new(1)).unwrap();
    let mut out = b"before".to_vec();
    let too_long = vec![0; MAX_CHUNK + 1];
    assert!(matches!(sealer.seal(&too_long, false, &mut out), Err(VaultError::Bounds(_))));
    sealer.seal(b"only", true, &mut out).unwrap();
    let len = out.len();
    assert!(matches!(sealer.seal(b"late", true, &mut out), Err(VaultError::Bounds(_))));
    assert_eq!((out.len(), &out[..6]), (len, &b"before"[..]));
}

#[test]
fn a_newer_format_or_another_suite_is_named() {
    for (at, value) in [(8, 2), (10, 2), (12, 1)] {
        let (mut bytes, _) = sample();
        bytes[at] = value;
        assert!(matches!(open(&bytes), Err(VaultError::Unsupported(_))), "byte {at}");
    }
}

/// The plaintext of the frozen object: two whole chunks that compress, and a piece that does not.
fn frozen_plain() -> Vec<u8> {
    [vec![0xa5; 2 * MAX_CHUNK], noise(100)].concat()
}

#[test]
fn frozen_objects_open_and_are_made_again_byte_for_byte() {
    assert_eq!(open(OBJECT).unwrap(), frozen_plain());
    assert_eq!(open(EMPTY_OBJECT).unwrap(), b"");
    let sealed = |plain: &[u8]| vault().seal_object(KIND, ID, plain, &SeededRandom::new(42)).unwrap();
    assert_eq!(sealed(&frozen_plain()), OBJECT);
    assert_eq!(sealed(b""), EMPTY_OBJECT);
}

#[test]
fn the_constants_of_the_format_stand() {
    assert_eq!((HEADER_LEN, FRAME_OVERHEAD, MAX_CHUNK), (128, 24, 131_072));
    assert_eq!(ObjectKind::ALL.map(ObjectKind::to_byte), [1, 2, 3, 4, 5]);
    assert_eq!(MAX_CHUNK, crate::keyring::Settings::MAX_CHUNK_SIZE as usize);
}

proptest! {
    #[test]
    fn opening_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = open(&bytes);
        let (object, _) = sample();
        let _ = open(&[&object[..HEADER_LEN], &bytes].concat());
        let _ = vault().opener(KIND, ID, &object).unwrap().open(0, true, &bytes);
    }

    #[test]
    fn decompression_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400), len in 0usize..100_000) {
        let _ = compression::decompress(&bytes, len);
    }

    #[test]
    fn any_chunks_come_back(chunks in proptest::collection::vec(proptest::collection::vec(0u8..4, 0..500), 1..6)) {
        let chunks: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
        prop_assert_eq!(open(&object_of(&chunks).0).unwrap(), chunks.concat());
    }
}
