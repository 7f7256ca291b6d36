//! What a user can choose: the five ways in which S3 encrypts at rest.
//!
//! Written as `bucket`, `s3`, `kms[:KEY-ID]`, `dsse[:KEY-ID]` and `customer`. The KMS encryption context and
//! the bucket key are options of their own, because a context may hold any character.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64;
use thiserror::Error;

/// Which encryption at rest is asked of the server with every write.
///
/// Not a secret: key ids and contexts are names, and KMS writes both into its audit trail in the clear.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum ServerEncryption {
    /// Nothing is asked: the bucket's default decides, and whatever the server says is accepted.
    #[default]
    Bucket,
    /// SSE-S3: keys that the server keeps by itself (`AES256`).
    S3,
    /// SSE-KMS (`aws:kms`).
    Kms {
        /// Id, ARN or alias of the key; without one the account's key for S3.
        key: Option<String>,
        context: EncryptionContext,
        /// One KMS call for many objects instead of one for each (S3 Bucket Keys).
        bucket_key: bool,
    },
    /// DSSE-KMS (`aws:kms:dsse`): two layers. S3 has no bucket key there.
    Dsse {
        /// As in [`ServerEncryption::Kms`].
        key: Option<String>,
        context: EncryptionContext,
    },
    /// SSE-C: keys that hushfs derives and sends with every request.
    Customer,
}

/// The KMS encryption context: names and values that KMS binds to the object's key, sorted by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct EncryptionContext(BTreeMap<String, String>);

/// A choice that S3 does not offer; the message says what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ServerEncryptionError {
    #[error(
        "{0:?} is no server-side encryption; write bucket, s3, kms, kms:KEY-ID, dsse, dsse:KEY-ID or customer"
    )]
    Unknown(String),
    #[error("{0}: names no key after the colon; write {0} alone for the account's own key for S3")]
    NoKey(&'static str),
    #[error("{0:?} cannot be the id of a KMS key: up to 512 printable ASCII characters without spaces")]
    BadKey(String),
    #[error(
        "an encryption context goes to KMS, {0} does not use it; use kms or dsse, or leave the context out"
    )]
    ContextWithoutKms(&'static str),
    #[error(
        "S3 does not honour a bucket key with dsse: each object has its own KMS calls; leave it out, or use kms"
    )]
    BucketKeyWithDsse,
    #[error("a bucket key saves calls to KMS, {0} makes none; use kms, or leave it out")]
    BucketKeyWithoutKms(&'static str),
    #[error("{0:?} is no part of an encryption context; write NAME=VALUE")]
    ContextPair(String),
    #[error("the encryption context names {0:?} twice")]
    ContextTwice(String),
    #[error("names in an encryption context that begin with aws: are AWS's own, like {0:?}; choose another")]
    ContextReserved(String),
    #[error(
        "an encryption context has at most 8 pairs, each name and value at most 256 bytes without control characters"
    )]
    ContextBounds,
}

impl EncryptionContext {
    /// Most pairs of a context.
    pub const MAX_PAIRS: usize = 8;
    /// Longest name or value, in bytes.
    pub const MAX_LEN: usize = 256;

    /// Collects `NAME=VALUE` texts.
    ///
    /// # Errors
    /// What is no pair, comes twice, is reserved or out of bounds.
    pub fn parse<'a>(pairs: impl IntoIterator<Item = &'a str>) -> Result<Self, ServerEncryptionError> {
        let mut context = Self::default();
        for pair in pairs {
            let parts = pair.split_once('=').filter(|(name, _)| !name.is_empty());
            let (name, value) = parts.ok_or_else(|| ServerEncryptionError::ContextPair(pair.to_owned()))?;
            context.add(name, value)?;
        }
        Ok(context)
    }

    /// Adds one pair.
    ///
    /// # Errors
    /// A name that is there already, is reserved, or anything out of bounds.
    pub fn add(&mut self, name: &str, value: &str) -> Result<(), ServerEncryptionError> {
        let bad = |text: &str| text.len() > Self::MAX_LEN || text.chars().any(char::is_control);
        if name.is_empty() || bad(name) || bad(value) || self.0.len() == Self::MAX_PAIRS {
            return Err(ServerEncryptionError::ContextBounds);
        }
        if name.to_ascii_lowercase().starts_with("aws:") {
            return Err(ServerEncryptionError::ContextReserved(name.to_owned()));
        }
        if self.0.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(ServerEncryptionError::ContextTwice(name.to_owned()));
        }
        Ok(())
    }

    /// The pairs, sorted by name.
    pub fn pairs(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// True without a pair.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the header carries: Base64 of a JSON object (S3 API, PutObject). `None` without a pair.
    pub fn header(&self) -> Option<String> {
        let object: serde_json::Map<String, serde_json::Value> =
            self.pairs().map(|(name, value)| (name.to_owned(), value.into())).collect();
        let json = serde_json::Value::Object(object).to_string();
        (!self.is_empty()).then(|| BASE64.encode(json.as_bytes()))
    }
}

impl ServerEncryption {
    /// Longest key id, in bytes; ARNs of aliases have up to some 350.
    pub const MAX_KEY_LEN: usize = 512;

    /// Takes a choice and its options together.
    ///
    /// # Errors
    /// An unknown choice, or an option that it does not have.
    pub fn new(
        kind: &str,
        context: EncryptionContext,
        bucket_key: bool,
    ) -> Result<Self, ServerEncryptionError> {
        match Self::from_str(kind)? {
            Self::Kms { key, .. } => Ok(Self::Kms { key, context, bucket_key }),
            Self::Dsse { .. } if bucket_key => Err(ServerEncryptionError::BucketKeyWithDsse),
            Self::Dsse { key, .. } => Ok(Self::Dsse { key, context }),
            plain if bucket_key => Err(ServerEncryptionError::BucketKeyWithoutKms(plain.name())),
            plain if !context.is_empty() => Err(ServerEncryptionError::ContextWithoutKms(plain.name())),
            plain => Ok(plain),
        }
    }

    /// The word before the colon: `bucket`, `s3`, `kms`, `dsse`, `customer`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Bucket => "bucket",
            Self::S3 => "s3",
            Self::Kms { .. } => "kms",
            Self::Dsse { .. } => "dsse",
            Self::Customer => "customer",
        }
    }

    /// The KMS key, where one is named.
    pub fn kms_key(&self) -> Option<&str> {
        match self {
            Self::Kms { key, .. } | Self::Dsse { key, .. } => key.as_deref(),
            Self::Bucket | Self::S3 | Self::Customer => None,
        }
    }

    /// The context that goes to KMS; `None` where none can or does.
    pub fn context(&self) -> Option<&EncryptionContext> {
        match self {
            Self::Kms { context, .. } | Self::Dsse { context, .. } => {
                Some(context).filter(|context| !context.is_empty())
            }
            Self::Bucket | Self::S3 | Self::Customer => None,
        }
    }

    /// True when S3 is asked to use a bucket key.
    pub fn bucket_key(&self) -> bool {
        matches!(self, Self::Kms { bucket_key: true, .. })
    }

    /// The value of `x-amz-server-side-encryption`; `None` for the kinds that do not send it.
    pub fn algorithm(&self) -> Option<&'static str> {
        match self {
            Self::S3 => Some("AES256"),
            Self::Kms { .. } => Some("aws:kms"),
            Self::Dsse { .. } => Some("aws:kms:dsse"),
            Self::Bucket | Self::Customer => None,
        }
    }

    /// True when everything that is written as `other` is what a reader of `self` accepts.
    pub fn covers(&self, other: &Self) -> bool {
        let same_key = |known: &Option<String>| known.is_none() || known.as_deref() == other.kms_key();
        match self {
            Self::Bucket => *other != Self::Customer,
            Self::S3 | Self::Customer => self == other,
            Self::Kms { key, .. } | Self::Dsse { key, .. } => self.name() == other.name() && same_key(key),
        }
    }

    /// As a user would write and explain it, on one line: `kms:KEY (bucket key, context team=a)`.
    pub fn describe(&self) -> String {
        let mut notes = Vec::new();
        if self.bucket_key() {
            notes.push("bucket key".to_owned());
        }
        for (name, value) in self.context().iter().flat_map(|context| context.pairs()) {
            notes.push(format!("context {name}={value}"));
        }
        if notes.is_empty() { self.to_string() } else { format!("{self} ({})", notes.join(", ")) }
    }
}

/// Reads the kind and the key; context and bucket key are not part of the text.
impl FromStr for ServerEncryption {
    type Err = ServerEncryptionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, key) = text.split_once(':').map_or((text, None), |(kind, key)| (kind, Some(key)));
        match (kind, key) {
            ("bucket", None) => Ok(Self::Bucket),
            ("s3", None) => Ok(Self::S3),
            ("customer", None) => Ok(Self::Customer),
            ("kms", key) => {
                let key = key.map(|key| checked("kms", key)).transpose()?;
                Ok(Self::Kms { key, context: EncryptionContext::default(), bucket_key: false })
            }
            ("dsse", key) => {
                let key = key.map(|key| checked("dsse", key)).transpose()?;
                Ok(Self::Dsse { key, context: EncryptionContext::default() })
            }
            _ => Err(ServerEncryptionError::Unknown(text.to_owned())),
        }
    }
}

impl fmt::Display for ServerEncryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kms_key() {
            Some(key) => write!(f, "{}:{key}", self.name()),
            None => f.write_str(self.name()),
        }
    }
}

fn checked(kind: &'static str, key: &str) -> Result<String, ServerEncryptionError> {
    if key.is_empty() {
        return Err(ServerEncryptionError::NoKey(kind));
    }
    if key.len() > ServerEncryption::MAX_KEY_LEN || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ServerEncryptionError::BadKey(key.to_owned()));
    }
    Ok(key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

    fn chosen(kind: &str, pairs: &[&str], bucket_key: bool) -> Result<ServerEncryption, String> {
        let context = EncryptionContext::parse(pairs.iter().copied()).map_err(|error| error.to_string())?;
        ServerEncryption::new(kind, context, bucket_key).map_err(|error| error.to_string())
    }

    #[test]
    fn choices_are_shown_as_they_are_written() {
        let arn = format!("kms:{ARN}");
        for text in ["bucket", "s3", "kms", "kms:alias/hushfs", "dsse", "dsse:some-key", "customer", &arn] {
            let chosen: ServerEncryption = text.parse().unwrap();
            assert_eq!(chosen.to_string(), text);
            assert!(text.starts_with(chosen.name()));
        }
        assert_eq!(arn.parse::<ServerEncryption>().unwrap().kms_key(), Some(ARN));
    }

    #[test]
    fn options_belong_to_the_kinds_that_have_them() {
        let kms = chosen("kms:k", &["team=a=b", "app=x"], true).unwrap();
        assert_eq!(kms.describe(), "kms:k (bucket key, context app=x, context team=a=b)");
        assert!(kms.bucket_key() && !chosen("kms", &[], false).unwrap().bucket_key());
        let dsse = chosen("dsse", &["a="], false).unwrap();
        assert_eq!(
            dsse.context().and_then(EncryptionContext::header).unwrap(),
            BASE64.encode(br#"{"a":""}"#)
        );
        for (kind, pairs, bucket_key, why) in [
            ("dsse", &[][..], true, "S3 does not honour a bucket key with dsse"),
            ("s3", &[], true, "s3 makes none"),
            ("bucket", &[], true, "bucket makes none"),
            ("customer", &[], true, "customer makes none"),
            ("s3", &["a=b"], false, "s3 does not use it"),
            ("bucket", &["a=b"], false, "bucket does not use it"),
            ("customer", &["a=b"], false, "customer does not use it"),
            ("kms", &["ab"], false, "NAME=VALUE"),
            ("kms", &["=b"], false, "NAME=VALUE"),
            ("kms", &["a=b", "a=c"], false, "twice"),
            ("kms", &["AWS:s3:arn=b"], false, "begin with aws:"),
            ("kms", &["a=\u{7}"], false, "control characters"),
        ] {
            let error = chosen(kind, pairs, bucket_key).unwrap_err();
            assert!(error.contains(why), "{kind} {pairs:?} {bucket_key}: {error}");
        }
    }

    #[test]
    fn a_kind_covers_what_its_readers_accept() {
        let covers = |a: &str, b: &str| {
            a.parse::<ServerEncryption>().unwrap().covers(&b.parse::<ServerEncryption>().unwrap())
        };
        for (known, other) in [("bucket", "kms:k"), ("bucket", "bucket"), ("kms", "kms:k"), ("s3", "s3")] {
            assert!(covers(known, other), "{known} {other}");
        }
        for (known, other) in [("bucket", "customer"), ("s3", "bucket"), ("kms:k", "kms"), ("kms", "dsse")] {
            assert!(!covers(known, other), "{known} {other}");
        }
        assert!(covers("customer", "customer"));
    }

    #[test]
    fn anything_else_is_refused_with_advice() {
        for (text, advice) in [
            ("", "write bucket, s3"),
            ("none", "write bucket, s3"),
            ("AES256", "write bucket, s3"),
            ("s3:key", "write bucket, s3"),
            ("customer:key", "write bucket, s3"),
            ("kms:", "write kms alone"),
            ("dsse:", "write dsse alone"),
            ("kms:a b", "printable ASCII"),
            ("kms:\u{e4}", "printable ASCII"),
        ] {
            let error = text.parse::<ServerEncryption>().unwrap_err().to_string();
            assert!(error.contains(advice), "{text:?}: {error}");
        }
        let long = format!("kms:{}", "k".repeat(ServerEncryption::MAX_KEY_LEN + 1));
        assert!(long.parse::<ServerEncryption>().is_err());
    }

    #[test]
    fn a_context_has_bounds_and_one_spelling() {
        let many: Vec<String> = (0..9).map(|number| format!("n{number}=v")).collect();
        assert!(EncryptionContext::parse(many.iter().map(String::as_str)).is_err());
        let long = format!("n={}", "v".repeat(257));
        assert!(EncryptionContext::parse([long.as_str()]).is_err());
        let context = EncryptionContext::parse(["b=2", "a=\"1\""]).unwrap();
        let json = BASE64.decode(context.header().unwrap().as_bytes()).unwrap();
        assert_eq!(String::from_utf8(json).unwrap(), r#"{"a":"\"1\"","b":"2"}"#);
        assert_eq!(EncryptionContext::default().header(), None);
    }
}
