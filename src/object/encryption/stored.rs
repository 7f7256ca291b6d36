//! What a server says about an object's encryption, and whether that is what was asked for.

use std::fmt;

use data_encoding::BASE64;
use thiserror::Error;

use super::customer_key::CUSTOMER_ALGORITHM;
use super::key_id::may_be_same;
use super::setting::{EncryptionContext, ServerEncryption};

/// A server's words about one object, from the headers of an answer. Unverified: a server that lies well cannot
/// be found out from outside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredEncryption {
    /// `x-amz-server-side-encryption`.
    pub algorithm: Option<String>,
    /// `x-amz-server-side-encryption-aws-kms-key-id`.
    pub kms_key: Option<String>,
    /// `x-amz-server-side-encryption-context`: Base64 of JSON; only answers to writes have it.
    pub context: Option<String>,
    /// `x-amz-server-side-encryption-bucket-key-enabled`.
    pub bucket_key: bool,
    /// `x-amz-server-side-encryption-customer-algorithm`.
    pub customer_algorithm: Option<String>,
    /// `x-amz-server-side-encryption-customer-key-md5`.
    pub customer_key_md5: Option<String>,
}

/// An answer that differs from what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("asked for the encryption {asked}, the server says: {said}")]
pub struct Mismatch {
    pub asked: String,
    pub said: String,
}

impl StoredEncryption {
    /// Compares the answer to a write with what was asked; `sent` is the customer key that went along.
    ///
    /// # Errors
    /// Anything else than asked, and silence. For `bucket` nothing was asked.
    pub fn check_written(&self, asked: &ServerEncryption, sent: Option<&str>) -> Result<(), Mismatch> {
        let context = |asked: &EncryptionContext| match &self.context {
            // AWS repeats the context with the object's ARN added. Some servers do not repeat it.
            Some(said) => repeats(asked, said),
            None => true,
        };
        let fine = self.is(asked, sent)
            && (!asked.bucket_key() || self.bucket_key)
            && asked.context().is_none_or(context);
        if fine { Ok(()) } else { Err(self.mismatch(asked)) }
    }

    /// Whether a read answer can be that of an object written as `asked`. Context and bucket key are no matter of
    /// reading: not every server repeats them there.
    pub fn is(&self, asked: &ServerEncryption, sent: Option<&str>) -> bool {
        self.has_kind(asked, sent)
    }

    /// True when the answer has not a word about encryption.
    pub fn is_silent(&self) -> bool {
        *self == Self::default()
    }

    /// What was asked and what was said, for a message.
    pub fn mismatch(&self, asked: &ServerEncryption) -> Mismatch {
        Mismatch { asked: asked.describe(), said: self.to_string() }
    }

    /// True when the object has a customer key.
    pub fn is_customer(&self) -> bool {
        self.customer_algorithm.is_some() || self.customer_key_md5.is_some()
    }

    /// True when the server names a KMS key, and it can be the one called `key`.
    pub fn names_key(&self, key: &str) -> bool {
        self.kms_key.as_deref().is_some_and(|said| may_be_same(key, said))
    }

    /// True when it is what a bucket with this default does by itself.
    pub fn is_default(&self, algorithm: Option<&str>, kms_key: Option<&str>) -> bool {
        !self.is_customer()
            && self.algorithm.as_deref() == algorithm
            && kms_key.is_none_or(|key| self.names_key(key))
    }

    fn has_kind(&self, asked: &ServerEncryption, sent: Option<&str>) -> bool {
        let algorithm = self.algorithm.as_deref();
        let key = || asked.kms_key().is_none_or(|key| self.names_key(key));
        match asked {
            ServerEncryption::Bucket => !self.is_customer(),
            ServerEncryption::S3 | ServerEncryption::Kms { .. } | ServerEncryption::Dsse { .. } => {
                algorithm == asked.algorithm() && key() && !self.is_customer()
            }
            ServerEncryption::Customer => {
                self.customer_algorithm.as_deref() == Some(CUSTOMER_ALGORITHM)
                    && sent.is_some()
                    && self.customer_key_md5.as_deref() == sent
                    // An object has one kind: whoever names two contradicts itself.
                    && algorithm.is_none()
            }
        }
    }
}

/// True when the context in an answer holds every pair that was asked for.
fn repeats(asked: &EncryptionContext, said: &str) -> bool {
    let json = BASE64.decode(said.as_bytes()).ok();
    let object: Option<serde_json::Map<String, serde_json::Value>> =
        json.and_then(|json| serde_json::from_slice(&json).ok());
    let Some(object) = object else { return false };
    asked.pairs().all(|(name, value)| object.get(name).and_then(|said| said.as_str()) == Some(value))
}

/// A server's words are shown, so they are kept printable and short.
pub(in crate::object) fn tame(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(512).collect()
}

impl fmt::Display for StoredEncryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some(algorithm) = &self.algorithm {
            parts.push(tame(algorithm));
        }
        if let Some(key) = &self.kms_key {
            parts.push(format!("key {}", tame(key)));
        }
        if self.bucket_key {
            parts.push("bucket key".to_owned());
        }
        if let Some(algorithm) = &self.customer_algorithm {
            parts.push(format!("a customer key ({})", tame(algorithm)));
        }
        if parts.is_empty() { f.write_str("nothing") } else { f.write_str(&parts.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(algorithm: &str) -> StoredEncryption {
        StoredEncryption { algorithm: Some(algorithm.into()), ..StoredEncryption::default() }
    }

    fn keyed(algorithm: &str, key: &str) -> StoredEncryption {
        StoredEncryption { kms_key: Some(key.into()), ..says(algorithm) }
    }

    fn customer(md5: &str) -> StoredEncryption {
        StoredEncryption {
            customer_algorithm: Some("AES256".into()),
            customer_key_md5: Some(md5.into()),
            ..StoredEncryption::default()
        }
    }

    fn asked(text: &str) -> ServerEncryption {
        text.parse().unwrap()
    }

    #[test]
    fn a_server_that_did_what_was_asked_is_believed() {
        let silent = StoredEncryption::default();
        for (text, answer) in [
            ("bucket", silent.clone()),
            ("bucket", says("AES256")),
            ("bucket", keyed("aws:kms", "k")),
            ("s3", says("AES256")),
            ("kms", says("aws:kms")),
            ("kms", keyed("aws:kms", "k")),
            ("kms:k", keyed("aws:kms", "k")),
            ("kms:k", keyed("aws:kms", "arn:aws:kms:r:1:key/k")),
            ("dsse:k", keyed("aws:kms:dsse", "k")),
        ] {
            assert_eq!(answer.check_written(&asked(text), None), Ok(()), "{text} {answer}");
            assert!(answer.is(&asked(text), None));
        }
        assert_eq!(customer("md5").check_written(&asked("customer"), Some("md5")), Ok(()));
    }

    #[test]
    fn something_else_and_silence_are_refused() {
        let silent = StoredEncryption::default();
        for (text, answer) in [
            ("s3", silent.clone()),
            ("s3", keyed("aws:kms", "k")),
            ("s3", says("aes256")),
            ("s3", customer("md5")),
            ("kms", silent.clone()),
            ("kms", says("AES256")),
            ("kms", says("aws:kms:dsse")),
            ("kms:k", says("aws:kms")),
            ("kms:k", keyed("aws:kms", "other")),
            ("dsse", says("aws:kms")),
            ("dsse:k", keyed("aws:kms:dsse", "other")),
            ("customer", silent.clone()),
            ("customer", says("AES256")),
            ("customer", customer("other")),
            ("customer", StoredEncryption { algorithm: Some("AES256".into()), ..customer("md5") }),
            ("bucket", customer("md5")),
        ] {
            let sent = (text == "customer").then_some("md5");
            assert!(answer.check_written(&asked(text), sent).is_err(), "{text} {answer}");
            assert!(!answer.is(&asked(text), sent), "{text} {answer}");
        }
        assert!(customer("md5").check_written(&asked("customer"), None).is_err());
    }

    #[test]
    fn a_bucket_key_and_a_context_must_be_confirmed_where_they_are_answered() {
        let context = EncryptionContext::parse(["team=a"]).unwrap();
        let kms = ServerEncryption::new("kms", context, true).unwrap();
        let mut answer = StoredEncryption { bucket_key: true, ..says("aws:kms") };
        assert_eq!(answer.check_written(&kms, None), Ok(()));
        for (json, fine) in [
            (r#"{"team":"a","aws:s3:arn":"arn:aws:s3:::b/k"}"#, true),
            (r#"{"team":"b"}"#, false),
            ("{}", false),
            ("team=a", false),
        ] {
            answer.context = Some(BASE64.encode(json.as_bytes()));
            assert_eq!(answer.check_written(&kms, None).is_ok(), fine, "{json}");
        }
        answer.context = None;
        answer.bucket_key = false;
        assert!(answer.check_written(&kms, None).is_err());
        assert!(answer.is(&kms, None));
    }

    #[test]
    fn the_servers_words_are_shown_without_control_characters() {
        assert_eq!(keyed("aws:kms", "a\u{1b}[31mb").to_string(), "aws:kms, key a[31mb");
        assert_eq!(StoredEncryption::default().to_string(), "nothing");
        let refused = says("AES256").check_written(&asked("kms:k"), None).unwrap_err().to_string();
        assert_eq!(refused, "asked for the encryption kms:k, the server says: AES256");
    }
}
