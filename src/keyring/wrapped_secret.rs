//! What slots of the kinds KMS and age hold: their secret, wrapped by a key that is kept elsewhere.
//!
//! ```text
//! 0 4 length of the name   4 name   . 4 length of the wrapped secret   . wrapped secret
//! ```
//!
//! The slot's secret is 32 random bytes that nobody keeps. The volume key is wrapped under it as under any
//! other credential, so the commitment, the binding to the slot and the way of failing are the same.

use super::error::KeyringError;
use crate::base::{DecodeError, Reader, Writer};

/// A wrapped secret and the key that unwraps it. Nothing in it is secret, and nothing in it is authentic
/// before the volume is unlocked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedSecret {
    key: String,
    bytes: Vec<u8>,
}

impl WrappedSecret {
    /// Longest name of a key, in bytes (KMS: 2,048, AWS KMS API reference, "Encrypt", KeyId).
    pub const MAX_KEY_LEN: usize = 2048;
    /// Longest wrapped secret, in bytes. KMS returns some 190 for 32, age 230 to 500 for an
    /// X25519 recipient and some 1,800 for a post-quantum one.
    pub const MAX_LEN: usize = 3072;
    /// Most of both together, so that the slot fits into its body.
    const MAX_SUM: usize = 3900;

    /// `bytes` can be unwrapped by whoever has `key`: the id of a KMS key or an age recipient.
    ///
    /// # Errors
    /// `Credential` for a name that is empty or not of visible ASCII characters, and for what is too long.
    pub fn new(key: String, bytes: Vec<u8>) -> Result<Self, KeyringError> {
        if !is_name(key.as_bytes()) {
            return Err(KeyringError::Credential("the key's name is empty or has strange characters"));
        }
        if key.len() > Self::MAX_KEY_LEN
            || bytes.len() > Self::MAX_LEN
            || key.len() + bytes.len() > Self::MAX_SUM
        {
            return Err(KeyringError::Credential("the wrapped secret is too long for a key slot"));
        }
        Ok(Self { key, bytes })
    }

    /// The KMS key's id or the age recipient.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What KMS or an age identity unwraps to the slot's secret.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.bytes(self.key.as_bytes()).bytes(&self.bytes);
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let key = reader.bytes(Self::MAX_KEY_LEN, "name of a slot's key")?;
        if !is_name(key) {
            return Err(DecodeError::Invalid("name of a slot's key"));
        }
        let key = String::from_utf8_lossy(key).into_owned();
        let bytes = reader.bytes(Self::MAX_LEN, "wrapped secret of a slot")?.to_vec();
        if key.len() + bytes.len() > Self::MAX_SUM {
            return Err(DecodeError::TooLong("wrapped secret of a slot"));
        }
        Ok(Self { key, bytes })
    }
}

/// Names are shown on terminals, put into requests and given to programs: visible ASCII, no more.
fn is_name(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(bytes: &[u8]) -> Result<WrappedSecret, DecodeError> {
        WrappedSecret::decode(&mut Reader::new(bytes))
    }

    #[test]
    fn names_that_could_fool_a_terminal_and_lengths_that_lie_are_refused() {
        for name in ["", "a b", "a\u{1b}[2J", "a\n", "ä"] {
            assert!(WrappedSecret::new(name.into(), vec![1]).is_err(), "{name:?}");
            let mut writer = Writer::new();
            writer.bytes(name.as_bytes()).bytes(&[1]);
            assert!(decode(&writer.finish()).is_err(), "{name:?}");
        }
        for (name, len) in [(2049, 1), (1, 3073), (2048, 1853)] {
            assert!(WrappedSecret::new("k".repeat(name), vec![0; len]).is_err());
            let mut writer = Writer::new();
            writer.bytes("k".repeat(name).as_bytes()).bytes(&vec![0; len]);
            assert!(decode(&writer.finish()).is_err());
        }
        assert!(decode(&u32::MAX.to_le_bytes()).is_err());
        let longest = WrappedSecret::new("k".repeat(2048), vec![0; 1852]).unwrap();
        let mut writer = Writer::new();
        longest.encode(&mut writer);
        assert_eq!(decode(&writer.finish()), Ok(longest));
    }

    proptest! {
        #[test]
        fn decoding_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = decode(&bytes);
        }
    }
}
