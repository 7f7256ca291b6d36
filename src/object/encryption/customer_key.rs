//! Keys that go to the server with each request (SSE-C), and who knows which object has which.
//!
//! The server sees these keys, uses them and forgets them. They are derived for this one purpose, so
//! whoever has one learns nothing about the keys that seal objects.

use std::sync::Arc;

use data_encoding::BASE64;
use md5::{Digest, Md5};
use zeroize::Zeroizing;

use super::setting::ServerEncryption;
use crate::object::lock::LOCK_KEY;
use crate::object::probe::PROBE_PREFIX;

/// The one algorithm that SSE-C has.
pub const CUSTOMER_ALGORITHM: &str = "AES256";

/// The object that says how to open a volume.
pub(super) const VOLUME_KEY: &str = "volume";

/// One key of SSE-C, in the form in which requests carry it. Wiped when dropped; the copies that an HTTP
/// client makes of its headers are not.
pub struct CustomerKey {
    base64: Zeroizing<String>,
    md5: String,
}

impl CustomerKey {
    /// Bytes of a key.
    pub const LEN: usize = 32;

    /// Takes a copy of `key`.
    pub fn new(key: &[u8; Self::LEN]) -> Self {
        let md5 = BASE64.encode(&Md5::digest(key));
        Self { base64: Zeroizing::new(BASE64.encode(key)), md5 }
    }

    /// The key in Base64. Goes into the request's header and nowhere else.
    pub fn expose_base64(&self) -> &str {
        &self.base64
    }

    /// Base64 of the key's MD5: what the server repeats to prove which key it used. Not secret: the MD5 of 32
    /// random bytes tells nothing of them.
    pub fn md5(&self) -> &str {
        &self.md5
    }
}

/// Knows the customer keys of a volume.
pub trait CustomerKeys: Send + Sync + 'static {
    /// What objects may have by the newest settings that are known: another machine may have added a kind since
    /// the rules were made.
    fn kinds(&self) -> Vec<ServerEncryption> {
        Vec::new()
    }

    /// The key for writing `body` under `key`; `None` when `body` is not sealed under a known epoch.
    fn for_writing(&self, key: &str, body: &[u8]) -> Option<Arc<CustomerKey>>;

    /// The keys that the object under `key` may have, the likeliest first. Not empty for a known volume.
    fn for_reading(&self, key: &str) -> Vec<Arc<CustomerKey>>;
}

/// What [`is_open`] accepts, as patterns of a bucket policy.
pub const OPEN: [&str; 3] = [VOLUME_KEY, LOCK_KEY, "probe/*"];

/// True for objects that a machine must be able to use before it can open the volume: the header itself, the
/// lock of a single writer, the probe's throw-away objects. They stay outside SSE-C.
pub fn is_open(key: &str) -> bool {
    key == VOLUME_KEY || key == LOCK_KEY || key.starts_with(PROBE_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_sent_with_the_md5_of_its_bytes() {
        // openssl md5 -binary of 32 zero bytes.
        let key = CustomerKey::new(&[0; 32]);
        assert_eq!(key.expose_base64(), "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
        assert_eq!(key.md5(), "cLyPS3KoaSFGi/joRB3OUQ==");
    }

    #[test]
    fn what_is_needed_before_unlocking_stays_open() {
        for key in ["volume", "lock", "probe/00ff"] {
            assert!(is_open(key), "{key}");
        }
        for key in ["volume2", "lock/x", "log/0000000000000001", "tree/ab", "data/1/ab/cd", "probes"] {
            assert!(!is_open(key), "{key}");
        }
        assert_eq!(OPEN, ["volume", "lock", &format!("{PROBE_PREFIX}*")]);
    }
}
