//! What is sealed under the volume key inside the `volume` object.
//!
//! ```text
//! 0 8  generation        20 4  number of epochs
//! 8 8  features          24    per epoch, ascending: 4 epoch, 32 key
//! 16 4 current epoch           settings: see docs/format.md
//! ```
//!
//! The plain part of the object, slots included, is the associated data of this record.

use zeroize::Zeroizing;

use super::epoch_keys::EpochKeys;
use super::error::KeyringError;
use super::settings::Settings;
use crate::base::{DecodeError, Epoch, Reader, Writer};
use crate::crypto::SecretKey;

/// Most epochs of one volume.
pub(super) const MAX_EPOCHS: usize = 4096;

/// Bytes of one epoch: its number and its key.
const EPOCH_LEN: usize = 4 + SecretKey::LEN;

/// The settings say how the server shall encrypt at rest. A reader who does not know that would write
/// without, and could not read objects that have a customer key.
const SERVER_ENCRYPTION: u64 = 1;
/// A re-encryption is under way. Nothing else in the bucket is different; but a version that does not know the bit
/// could not go on with it, and would drop the bit when it replaces the header.
const REENCRYPTING: u64 = 2;
/// Features that a reader must know to use the volume. A set bit that is not listed here refuses it.
const KNOWN_FEATURES: u64 = SERVER_ENCRYPTION | REENCRYPTING;

/// The contents of the record.
pub(super) struct KeyringRecord {
    pub generation: u64,
    pub keys: EpochKeys,
    pub settings: Settings,
}

/// The bytes to seal; wiped when dropped.
pub(super) fn encode(generation: u64, keys: &EpochKeys, settings: &Settings) -> Zeroizing<Vec<u8>> {
    let (mut head, mut tail) = (Writer::new(), Writer::new());
    let mut features = if settings.has_encryption() { SERVER_ENCRYPTION } else { 0 };
    features |= if settings.reencrypting { REENCRYPTING } else { 0 };
    head.u64(generation).u64(features).u32(keys.current().0).u32(keys.count() as u32);
    settings.encode(&mut tail);
    let (head, tail) = (head.finish(), tail.finish());

    // In one allocation of the right size: one that grows would leave keys behind where it was.
    let len = head.len() + keys.count() * EPOCH_LEN + tail.len();
    let mut plain = Zeroizing::new(Vec::with_capacity(len));
    plain.extend_from_slice(&head);
    for (epoch, key) in keys.iter() {
        plain.extend_from_slice(&epoch.0.to_le_bytes());
        plain.extend_from_slice(key.expose());
    }
    plain.extend_from_slice(&tail);
    plain
}

/// Reads an opened record. It is authentic, but not believed blindly: a broken writer had the key too.
///
/// # Errors
/// `NewerFormat` for unknown features; `Damaged`, `Settings`.
pub(super) fn decode(plain: &[u8]) -> Result<KeyringRecord, KeyringError> {
    let mut reader = Reader::new(plain);
    let generation = reader.u64("generation")?;
    let features = reader.u64("features")?;
    if features & !KNOWN_FEATURES != 0 {
        return Err(KeyringError::NewerFormat(format!("features {:#x}", features & !KNOWN_FEATURES)));
    }
    let current = Epoch(reader.u32("current epoch")?);
    let count = reader.u32("number of epochs")? as usize;
    if count > MAX_EPOCHS {
        return Err(DecodeError::TooLong("list of epochs").into());
    }
    let mut keys = Vec::with_capacity(count);
    for _ in 0..count {
        let epoch = Epoch(reader.u32("epoch")?);
        let bytes: &[u8; SecretKey::LEN] = reader
            .raw(SecretKey::LEN, "epoch key")?
            .first_chunk()
            .ok_or(DecodeError::Truncated("epoch key"))?;
        keys.push((epoch, SecretKey::copy_of(bytes)));
    }
    if !keys.is_sorted_by(|(left, _), (right, _)| left < right) {
        return Err(DecodeError::Invalid("order of epochs").into());
    }
    let keys = EpochKeys::new(current, keys).map_err(KeyringError::EpochKeys)?;
    let has = |feature| features & feature != 0;
    let settings = Settings::decode(&mut reader, has(SERVER_ENCRYPTION), has(REENCRYPTING))?;
    reader.end()?;
    settings.check()?;
    Ok(KeyringRecord { generation, keys, settings })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::Timestamp;
    use crate::keyring::encryption_settings::EncryptionSettings;
    use crate::object::ServerEncryption;

    fn record() -> Vec<u8> {
        encoded(EncryptionSettings::default())
    }

    fn encoded(encryption: EncryptionSettings) -> Vec<u8> {
        let keys = [1, 5].map(|epoch| (Epoch(epoch), SecretKey::copy_of(&[epoch as u8; 32])));
        let settings = Settings {
            chunk_size: 65_536,
            created: Timestamp { secs: 1, nanos: 2 },
            label: "l".into(),
            single_writer: false,
            encryption,
            reencrypting: false,
        };
        encode(9, &EpochKeys::new(Epoch(5), keys).unwrap(), &settings).to_vec()
    }

    fn decode_error(bytes: &[u8]) -> Option<KeyringError> {
        decode(bytes).err()
    }

    #[test]
    fn a_record_survives_the_round_trip() {
        let decoded = decode(&record()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((decoded.generation, decoded.keys.current()), (9, Epoch(5)));
        assert_eq!(decoded.keys.get(Epoch(1)).map(|key| *key.expose()), Some([1; 32]));
        assert_eq!(decoded.settings.label, "l");
    }

    #[test]
    fn a_volume_without_a_choice_of_encryption_looks_as_it_did_before_there_was_one() {
        assert_eq!(record()[8..16], [0; 8]);
        let chosen = EncryptionSettings::only(ServerEncryption::S3);
        let bytes = encoded(chosen.clone());
        assert_eq!(bytes[8..16], [1, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(decode(&bytes).map(|record| record.settings.encryption).ok(), Some(chosen));
        // Without its feature the part is trailing bytes: nothing is passed over in silence.
        let mut hidden = bytes;
        hidden[8] = 0;
        assert!(matches!(decode_error(&hidden), Some(KeyringError::Damaged(_))));
    }

    #[test]
    fn a_reencryption_under_way_is_one_bit_and_nothing_else() {
        let mut bytes = record();
        bytes[8] |= 2;
        let marked = decode(&bytes).unwrap_or_else(|error| panic!("{error}"));
        assert!(marked.settings.reencrypting);
        assert_eq!(encode(9, &marked.keys, &marked.settings)[..], bytes);
    }

    #[test]
    fn unknown_features_are_refused_by_name() {
        let mut bytes = record();
        bytes[9] = 2;
        assert!(
            matches!(decode_error(&bytes), Some(KeyringError::NewerFormat(what)) if what.contains("0x200"))
        );
    }

    #[test]
    fn unsorted_missing_or_too_many_epochs_are_refused() {
        let mut swapped = record();
        swapped[24] = 7;
        assert!(matches!(decode_error(&swapped), Some(KeyringError::Damaged(_))));
        let mut missing = record();
        missing[16] = 4;
        assert!(matches!(decode_error(&missing), Some(KeyringError::EpochKeys(_))));
        let mut many = record();
        many[20..24].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(matches!(decode_error(&many), Some(KeyringError::Damaged(_))));
    }

    #[test]
    fn every_truncation_and_any_trailing_byte_is_refused() {
        let bytes = record();
        for len in 0..bytes.len() {
            assert!(decode(&bytes[..len]).is_err(), "{len} bytes");
        }
        assert!(decode(&[&bytes[..], &[0]].concat()).is_err());
    }

    proptest! {
        #[test]
        fn decoding_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&bytes);
        }
    }
}
