//! Targets for the fuzzers: headers, frames, sealed objects, compressed chunks.

use std::sync::OnceLock;

use super::compression::decompress;
use super::frame::{FRAME_HEADER_LEN, FRAME_OVERHEAD, FrameHeader, MAX_CHUNK};
use super::header::{HEADER_LEN, ObjectHeader, claimed_epoch};
use super::{ObjectKind, Vault};
use crate::base::random::SeededRandom;
use crate::base::{Epoch, ObjectId, VolumeId};
use crate::fuzzing::Target;

pub(crate) static TARGETS: [Target; 4] = [
    Target::new(
        "object_header",
        &["vault/header.rs: decode", "vault/header.rs: claimed_epoch", "crypto/suite.rs: from_byte"],
        object_header,
    ),
    Target::new("frame_header", &["vault/frame.rs: decode"], frame_header),
    Target::new(
        "sealed_object",
        &[
            "vault/opener.rs: open",
            "vault/opener.rs: open_next",
            "vault/vault.rs: open_object",
            "crypto/aead.rs: open",
        ],
        sealed_object,
    )
    .plus(1 << 20),
    Target::new("compressed_chunk", &["vault/compression.rs: decompress"], compressed_chunk)
        .plus(MAX_CHUNK + 1024),
];

const ID: ObjectId = ObjectId([2; 16]);

/// The vault that all fuzz targets seal with.
pub(crate) fn vault() -> &'static Vault {
    static VAULT: OnceLock<Vault> = OnceLock::new();
    VAULT.get_or_init(|| {
        Vault::from_epoch_keys(VolumeId([1; 16]), Epoch(1), &[(Epoch(1), [3; 32])]).expect("one epoch")
    })
}

/// An object of two frames that [`vault`] sealed, the same each time.
pub(crate) fn sealed_sample() -> &'static [u8] {
    static SAMPLE: OnceLock<Vec<u8>> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let plain: Vec<u8> = (0..MAX_CHUNK + 1000).map(|at| (at / 300) as u8).collect();
        vault()
            .seal_object(ObjectKind::LogEntry, ID, &plain, &SeededRandom::new(1))
            .expect("within the bounds")
    })
}

fn object_header(bytes: &[u8]) {
    for kind in ObjectKind::ALL {
        if let Ok((header, commitment)) = ObjectHeader::decode(bytes, kind, VolumeId([1; 16]), ID) {
            assert_eq!(header.encode(&commitment), bytes[..HEADER_LEN], "another spelling of a header");
            assert_eq!(claimed_epoch(bytes), Some(header.epoch));
        }
    }
}

fn frame_header(bytes: &[u8]) {
    let Some(bytes) = bytes.first_chunk::<FRAME_HEADER_LEN>() else { return };
    if let Ok(header) = FrameHeader::decode(bytes) {
        assert_eq!(&header.encode(), bytes, "another spelling of a frame's header");
        assert!(header.frame_len() <= MAX_CHUNK + FRAME_OVERHEAD, "a frame longer than any");
    }
}

/// The first two bytes are where a window of the sample is replaced by the rest: bytes alone never meet a valid tag.
fn sealed_object(bytes: &[u8]) {
    let sample = sealed_sample();
    for bytes in [bytes.to_vec(), overlaid(sample, bytes)] {
        for kind in ObjectKind::ALL {
            if vault().open_object(kind, ID, &bytes, MAX_CHUNK * 2).is_ok() {
                assert!(
                    kind == ObjectKind::LogEntry && bytes == sample,
                    "something opened that was never sealed"
                );
            }
        }
        let Ok(opener) = vault().opener(ObjectKind::LogEntry, ID, &bytes) else { continue };
        for number in 0..2 {
            for last in [false, true] {
                if let Ok(plain) = opener.open(number, last, &bytes[HEADER_LEN..]) {
                    assert!(plain.len() <= MAX_CHUNK, "a frame alone gave {} bytes", plain.len());
                    assert!(
                        sample[HEADER_LEN..].starts_with(&bytes[HEADER_LEN..]),
                        "an unknown frame opened"
                    );
                }
            }
        }
    }
}

/// `sample` with the bytes after the first two of `patch` written over it at the place that those two name; what is left
/// beyond the sample's end lengthens it, and a patch of two bytes cuts the sample there.
pub(crate) fn overlaid(sample: &[u8], patch: &[u8]) -> Vec<u8> {
    let Some((at, patch)) = patch.split_first_chunk::<2>() else { return Vec::new() };
    let at = usize::from(u16::from_le_bytes(*at)).min(sample.len());
    if patch.is_empty() {
        return sample[..at].to_vec();
    }
    let rest = sample.get(at + patch.len()..).unwrap_or_default();
    [&sample[..at], patch, rest].concat()
}

/// Four bytes of claimed length, which the frame's header bounds, then the block.
fn compressed_chunk(bytes: &[u8]) {
    let Some((claim, block)) = bytes.split_first_chunk::<4>() else { return };
    let claim = u32::from_le_bytes(*claim) as usize % (MAX_CHUNK + 1);
    if let Ok(Some(plain)) = decompress(block, claim) {
        assert_eq!(plain.len(), claim);
    }
}
