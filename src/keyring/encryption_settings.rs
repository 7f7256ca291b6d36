//! The part of a volume's settings that says how the server shall encrypt its objects at rest.

use crate::base::{DecodeError, Reader, Writer};
use crate::object::{EncryptionContext, ServerEncryption};

/// Which encryption at rest the objects of a volume have. The default is what every volume had before there
/// was a choice: the bucket decides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EncryptionSettings {
    /// Asked for with every write, unless a mount was told otherwise.
    pub writes: ServerEncryption,
    /// What older objects may have beside that; at most [`EncryptionSettings::MAX_ALSO`].
    pub also: Vec<ServerEncryption>,
}

impl EncryptionSettings {
    /// Most kinds that objects may have beside the one for writing.
    pub const MAX_ALSO: usize = 15;

    /// The settings of a volume that never had another encryption.
    pub fn only(writes: ServerEncryption) -> Self {
        Self { writes, also: Vec::new() }
    }

    /// True when whatever is written as `kind` can be read under these settings.
    pub fn covers(&self, kind: &ServerEncryption) -> bool {
        self.all().any(|known| known.covers(kind))
    }

    /// Settings under which objects of the kind `kind` can be read, too.
    pub fn also_reading(&self, kind: &ServerEncryption) -> Self {
        let mut next = self.clone();
        if !next.covers(kind) {
            next.also.push(kind.clone());
        }
        next
    }

    /// Every kind that objects may have, the one for writing first.
    pub fn all(&self) -> impl Iterator<Item = &ServerEncryption> {
        std::iter::once(&self.writes).chain(&self.also)
    }

    /// Settings that ask for `kind` from now on; what is there already can still be read.
    pub fn moving_to(&self, kind: &ServerEncryption) -> Self {
        let mut next = Self::only(kind.clone());
        for known in self.all() {
            next = next.also_reading(known);
        }
        next
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.u8(1 + self.also.len() as u8);
        for kind in self.all() {
            encode_kind(kind, writer);
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = usize::from(reader.u8("number of encryptions")?);
        if count == 0 || count > 1 + Self::MAX_ALSO {
            return Err(DecodeError::Invalid("number of encryptions"));
        }
        let writes = decode_kind(reader)?;
        let also = (1..count).map(|_| decode_kind(reader)).collect::<Result<_, _>>()?;
        Ok(Self { writes, also })
    }
}

fn encode_kind(kind: &ServerEncryption, writer: &mut Writer) {
    let number = match kind {
        ServerEncryption::Bucket => 0,
        ServerEncryption::S3 => 1,
        ServerEncryption::Kms { .. } => 2,
        ServerEncryption::Dsse { .. } => 3,
        ServerEncryption::Customer => 4,
    };
    let pairs = kind.context().map(EncryptionContext::pairs);
    writer
        .u8(number)
        .u8(u8::from(kind.bucket_key()))
        .bytes(kind.kms_key().unwrap_or_default().as_bytes())
        .u8(pairs.as_ref().map_or(0, ExactSizeIterator::len) as u8);
    for (name, value) in pairs.into_iter().flatten() {
        writer.bytes(name.as_bytes()).bytes(value.as_bytes());
    }
}

/// Through the same checks as what a user writes: nothing gets into a request that could not be asked for.
fn decode_kind(reader: &mut Reader<'_>) -> Result<ServerEncryption, DecodeError> {
    const WHAT: &str = "server-side encryption";
    let name = match reader.u8(WHAT)? {
        0 => "bucket",
        1 => "s3",
        2 => "kms",
        3 => "dsse",
        4 => "customer",
        _ => return Err(DecodeError::Invalid(WHAT)),
    };
    let bucket_key = match reader.u8("bucket key")? {
        0 => false,
        1 => true,
        _ => return Err(DecodeError::Invalid("bucket key")),
    };
    let key = text(reader, ServerEncryption::MAX_KEY_LEN, "KMS key")?;
    let mut context = EncryptionContext::default();
    let pairs = usize::from(reader.u8("encryption context")?);
    for _ in 0..pairs {
        let name = text(reader, EncryptionContext::MAX_LEN, "encryption context")?;
        let value = text(reader, EncryptionContext::MAX_LEN, "encryption context")?;
        context.add(name, value).map_err(|_invalid| DecodeError::Invalid("encryption context"))?;
    }
    let kind = if key.is_empty() { name.to_owned() } else { format!("{name}:{key}") };
    ServerEncryption::new(&kind, context, bucket_key).map_err(|_invalid| DecodeError::Invalid(WHAT))
}

fn text<'a>(reader: &mut Reader<'a>, max: usize, what: &'static str) -> Result<&'a str, DecodeError> {
    let bytes = reader.bytes(max, what)?;
    std::str::from_utf8(bytes).map_err(|_invalid| DecodeError::Invalid(what))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kind(text: &str, pairs: &[&str], bucket_key: bool) -> ServerEncryption {
        let context = EncryptionContext::parse(pairs.iter().copied()).unwrap();
        ServerEncryption::new(text, context, bucket_key).unwrap()
    }

    fn encoded(settings: &EncryptionSettings) -> Vec<u8> {
        let mut writer = Writer::new();
        settings.encode(&mut writer);
        writer.finish()
    }

    fn decoded(bytes: &[u8]) -> Result<EncryptionSettings, DecodeError> {
        let mut reader = Reader::new(bytes);
        let settings = EncryptionSettings::decode(&mut reader)?;
        reader.end()?;
        Ok(settings)
    }

    fn everything() -> EncryptionSettings {
        EncryptionSettings {
            writes: kind("kms:alias/k", &["team=a", "app=\u{e4}"], true),
            also: vec![
                kind("bucket", &[], false),
                kind("s3", &[], false),
                kind("dsse:k", &["a="], false),
                kind("customer", &[], false),
                kind("kms", &[], false),
            ],
        }
    }

    #[test]
    fn every_kind_survives_the_round_trip() {
        assert_eq!(decoded(&encoded(&everything())), Ok(everything()));
    }

    #[test]
    fn the_bytes_are_frozen() {
        let settings = EncryptionSettings {
            writes: kind("kms:k", &["a=b"], true),
            also: vec![kind("customer", &[], false)],
        };
        let bytes = [
            &[2, 2, 1, 1, 0, 0, 0, b'k', 1][..],
            &[1, 0, 0, 0, b'a', 1, 0, 0, 0, b'b'],
            &[4, 0, 0, 0, 0, 0, 0],
        ];
        assert_eq!(encoded(&settings), bytes.concat());
    }

    #[test]
    fn what_could_not_be_asked_for_is_refused() {
        for (bytes, why) in [
            (&[0][..], "no kind"),
            (&[17], "too many kinds"),
            (&[1, 5, 0, 0, 0, 0, 0, 0], "an unknown kind"),
            (&[1, 2, 2, 0, 0, 0, 0, 0], "a bucket key of 2"),
            (&[1, 3, 1, 0, 0, 0, 0, 0], "a bucket key with dsse"),
            (&[1, 1, 0, 1, 0, 0, 0, b'k', 0], "a key with s3"),
            (&[1, 4, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, b'a', 0, 0, 0, 0], "a context with customer"),
            (&[1, 2, 0, 1, 0, 0, 0, b' ', 0], "a space in a key"),
            (&[1, 2, 0, 1, 2, 0, 0, 0], "a key that is too long"),
        ] {
            assert!(decoded(bytes).is_err(), "{why}");
        }
        let bytes = encoded(&everything());
        for len in 0..bytes.len() {
            assert!(decoded(&bytes[..len]).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn a_change_of_mind_keeps_what_is_there_readable() {
        let old = EncryptionSettings::only(kind("s3", &[], false));
        let moved = old.moving_to(&kind("kms:k", &[], false));
        assert_eq!(
            (moved.writes.to_string(), moved.also),
            ("kms:k".to_owned(), vec![kind("s3", &[], false)])
        );
        let again = old.moving_to(&kind("s3", &[], false));
        assert_eq!(again, old);
        let default = EncryptionSettings::default();
        assert_eq!(default.also_reading(&kind("kms", &[], false)), default);
        assert_eq!(default.also_reading(&kind("customer", &[], false)).also.len(), 1);
    }

    proptest! {
        #[test]
        fn decoding_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = decoded(&bytes);
        }
    }
}
