//! What a volume was made with, sealed in the keyring record. Only the encryption at rest changes after init, and
//! whether a re-encryption is under way.

use thiserror::Error;

use super::encryption_settings::EncryptionSettings;
use crate::base::{DecodeError, Reader, Timestamp, Writer};

/// Settings of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Bytes of file data per chunk: a power of two from 4 KiB to 128 KiB.
    pub chunk_size: u32,
    /// When the volume was made.
    pub created: Timestamp,
    /// A name for people: at most 255 bytes, no control characters. May be empty.
    pub label: String,
    /// The bucket cannot be trusted with conditional writes: one mount at a time, guarded by a lock object.
    pub single_writer: bool,
    /// How the server shall encrypt at rest.
    pub encryption: EncryptionSettings,
    /// A re-encryption has begun: everything under older epochs is to move to the current one. It stands here, so
    /// that any machine can go on with one that was interrupted.
    pub reencrypting: bool,
}

/// Settings outside of their bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SettingsError {
    #[error("the chunk size {0} is not a power of two from 4096 to 131072")]
    ChunkSize(u32),
    #[error("the label is longer than 255 bytes")]
    LabelTooLong,
    #[error("the label has control characters")]
    LabelUnprintable,
    #[error("objects of one volume have at most 16 kinds of server-side encryption")]
    TooManyEncryptions,
}

impl Settings {
    /// Bytes of a chunk unless `init` was told otherwise.
    pub const DEFAULT_CHUNK_SIZE: u32 = 64 * 1024;
    /// Smallest chunk, in bytes.
    pub const MIN_CHUNK_SIZE: u32 = 4 * 1024;
    /// Largest chunk, in bytes.
    pub const MAX_CHUNK_SIZE: u32 = 128 * 1024;
    /// Longest label, in bytes.
    pub const MAX_LABEL_LEN: usize = 255;

    /// Refuses what no volume may have.
    ///
    /// # Errors
    /// The first setting outside of its bounds.
    pub fn check(&self) -> Result<(), SettingsError> {
        let size = self.chunk_size;
        if !(Self::MIN_CHUNK_SIZE..=Self::MAX_CHUNK_SIZE).contains(&size) || !size.is_power_of_two() {
            return Err(SettingsError::ChunkSize(size));
        }
        if self.label.len() > Self::MAX_LABEL_LEN {
            return Err(SettingsError::LabelTooLong);
        }
        if self.label.chars().any(char::is_control) {
            return Err(SettingsError::LabelUnprintable);
        }
        if self.encryption.also.len() > EncryptionSettings::MAX_ALSO {
            return Err(SettingsError::TooManyEncryptions);
        }
        Ok(())
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer
            .u32(self.chunk_size)
            .i64(self.created.secs)
            .u32(self.created.nanos)
            .u8(u8::from(self.single_writer))
            .bytes(self.label.as_bytes());
        if self.has_encryption() {
            self.encryption.encode(writer);
        }
    }

    /// Whether anything is asked of the server: only then the settings say so, and older versions of hushfs
    /// must leave the volume alone.
    pub(super) fn has_encryption(&self) -> bool {
        self.encryption != EncryptionSettings::default()
    }

    /// `has_encryption` and `reencrypting` as the record's features say it.
    pub(super) fn decode(
        reader: &mut Reader<'_>,
        has_encryption: bool,
        reencrypting: bool,
    ) -> Result<Self, DecodeError> {
        let chunk_size = reader.u32("chunk size")?;
        let created = Timestamp { secs: reader.i64("creation time")?, nanos: reader.u32("creation time")? };
        if created.nanos >= 1_000_000_000 {
            return Err(DecodeError::Invalid("creation time"));
        }
        let single_writer = match reader.u8("single-writer setting")? {
            0 => false,
            1 => true,
            _ => return Err(DecodeError::Invalid("single-writer setting")),
        };
        let label = reader.bytes(Self::MAX_LABEL_LEN, "label")?;
        let label =
            std::str::from_utf8(label).map_err(|_: std::str::Utf8Error| DecodeError::Invalid("label"))?;
        let encryption = match has_encryption {
            true => EncryptionSettings::decode(reader)?,
            false => EncryptionSettings::default(),
        };
        Ok(Self { chunk_size, created, label: label.to_owned(), single_writer, encryption, reencrypting })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::ServerEncryption;

    fn settings() -> Settings {
        Settings {
            chunk_size: Settings::DEFAULT_CHUNK_SIZE,
            created: Timestamp { secs: -5, nanos: 7 },
            label: "photos".into(),
            single_writer: true,
            encryption: EncryptionSettings::default(),
            reencrypting: false,
        }
    }

    #[test]
    fn settings_survive_the_round_trip() {
        let encrypted = Settings { encryption: EncryptionSettings::only(ServerEncryption::S3), ..settings() };
        for settings in [settings(), encrypted] {
            let mut writer = Writer::new();
            settings.encode(&mut writer);
            let bytes = writer.finish();
            let mut reader = Reader::new(&bytes);
            assert_eq!(Settings::decode(&mut reader, settings.has_encryption(), false), Ok(settings));
            assert!(reader.is_empty());
        }
    }

    #[test]
    fn settings_outside_of_their_bounds_are_refused() {
        settings().check().unwrap();
        for chunk_size in [0, 2048, 65_535, 262_144, u32::MAX] {
            assert_eq!(
                Settings { chunk_size, ..settings() }.check(),
                Err(SettingsError::ChunkSize(chunk_size))
            );
        }
        let labelled = |label: String| Settings { label, ..settings() }.check();
        assert_eq!(labelled("x".repeat(255)), Ok(()));
        assert_eq!(labelled("x".repeat(256)), Err(SettingsError::LabelTooLong));
        assert_eq!(labelled("\u{1b}[2J".into()), Err(SettingsError::LabelUnprintable));
    }
}
