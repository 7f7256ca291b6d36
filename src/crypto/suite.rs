//! The allowlist of cipher suites. One byte on disk names one fixed combination; nothing is
//! negotiated and nothing is tried in turn.

/// A combination of AEAD, KDF and hash that bytes may be sealed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    /// AES-256-GCM-SIV (RFC 8452) with keys from HKDF-SHA256 (RFC 5869).
    #[cfg(not(feature = "null-cipher"))]
    Aes256GcmSivHkdfSha256 = 1,
    /// Nothing is encrypted. Exists in builds for scripts/bench only, and is all that they know (docs/adr, "the null cipher").
    #[cfg(feature = "null-cipher")]
    NullForBenchmarks = 0xff,
}

impl Suite {
    /// The suite that everything new is sealed with.
    #[cfg(not(feature = "null-cipher"))]
    pub const CURRENT: Suite = Suite::Aes256GcmSivHkdfSha256;
    #[cfg(feature = "null-cipher")]
    pub const CURRENT: Suite = Suite::NullForBenchmarks;

    /// The byte on disk.
    pub fn to_byte(self) -> u8 {
        self as u8
    }

    /// The suite a byte names, if it is on the list.
    pub fn from_byte(byte: u8) -> Option<Self> {
        (byte == Self::CURRENT.to_byte()).then_some(Self::CURRENT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_byte_is_on_the_list() {
        let known: Vec<u8> = (0..=u8::MAX).filter(|byte| Suite::from_byte(*byte).is_some()).collect();
        assert_eq!(known, [1]);
    }
}
