//! HKDF-SHA256 (RFC 5869) with a name for every purpose.
//!
//! The info string is `label || 0x00 || context`. Labels are ASCII without zero bytes and carry the
//! version of the format, so two purposes or two formats never derive the same key.

use hkdf::{Hkdf, InvalidLength};
use sha2::Sha256;

use super::error::CryptoError;

/// What a derived value is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Key, nonce base and commitment of one sealed object, from an epoch key.
    Object,
    /// The keyring record inside the `volume` object, from the volume key.
    KeyringRecord,
    /// The wrapping key of a passphrase slot, from Argon2id's output.
    PassphraseSlot,
    /// The wrapping key of a recovery-code slot, from the code.
    RecoverySlot,
    /// The wrapping key of a key-file slot, from the file's contents.
    KeyFileSlot,
    /// The wrapping key of a KMS slot, from the secret that KMS unwraps.
    KmsSlot,
    /// The wrapping key of an age slot, from the secret that an age identity unwraps.
    AgeSlot,
    /// The volume key's fingerprint, which may be shown.
    Fingerprint,
    /// The key of this machine's local keyring records, from the volume key.
    LocalKey,
    /// One record of the local keyring, from the key above.
    LocalRecord,
    /// A volume key that this machine keeps, from Argon2id's output.
    KeptKey,
    /// The key that the server is sent for its own encryption (SSE-C), from an epoch key.
    ServerSideKey,
}

impl Purpose {
    /// Every purpose, for tests and documentation.
    pub const ALL: [Purpose; 12] = [
        Purpose::Object,
        Purpose::KeyringRecord,
        Purpose::PassphraseSlot,
        Purpose::RecoverySlot,
        Purpose::KeyFileSlot,
        Purpose::KmsSlot,
        Purpose::AgeSlot,
        Purpose::Fingerprint,
        Purpose::LocalKey,
        Purpose::LocalRecord,
        Purpose::KeptKey,
        Purpose::ServerSideKey,
    ];

    /// The label at the front of the info string.
    pub const fn label(self) -> &'static str {
        match self {
            Purpose::Object => "hushfs v1 object",
            Purpose::KeyringRecord => "hushfs v1 keyring record",
            Purpose::PassphraseSlot => "hushfs v1 passphrase slot",
            Purpose::RecoverySlot => "hushfs v1 recovery slot",
            Purpose::KeyFileSlot => "hushfs v1 key file slot",
            Purpose::KmsSlot => "hushfs v1 kms slot",
            Purpose::AgeSlot => "hushfs v1 age slot",
            Purpose::Fingerprint => "hushfs v1 fingerprint",
            Purpose::LocalKey => "hushfs v1 local key",
            Purpose::LocalRecord => "hushfs v1 local record",
            Purpose::KeptKey => "hushfs v1 kept key",
            Purpose::ServerSideKey => "hushfs v1 server-side key",
        }
    }
}

/// Fills `out` from `secret` (any length), `salt`, the purpose and its `context`.
///
/// # Errors
/// `TooLong` when `out` is longer than 8,160 bytes.
pub fn expand(
    secret: &[u8],
    salt: &[u8],
    purpose: Purpose,
    context: &[u8],
    out: &mut [u8],
) -> Result<(), CryptoError> {
    hkdf_sha256(secret, salt, &[purpose.label().as_bytes(), &[0], context], out)
}

/// Extract and expand in one; the info string is the concatenation of its parts.
pub(super) fn hkdf_sha256(
    secret: &[u8],
    salt: &[u8],
    info: &[&[u8]],
    out: &mut [u8],
) -> Result<(), CryptoError> {
    Hkdf::<Sha256>::new(Some(salt), secret)
        .expand_multi_info(info, out)
        .map_err(|InvalidLength| CryptoError::TooLong)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_purposes_derive_the_same_bytes() {
        let mut seen = HashSet::new();
        for purpose in Purpose::ALL {
            let mut out = [0; 32];
            expand(&[1; 32], &[2; 32], purpose, b"context", &mut out).unwrap();
            assert!(seen.insert(out), "{purpose:?}");
            assert!(!purpose.label().contains('\0'));
        }
    }

    #[test]
    fn more_output_than_the_rfc_allows_is_refused() {
        let mut out = vec![0; 255 * 32 + 1];
        let outcome = expand(&[1], &[], Purpose::Object, &[], &mut out);
        assert!(matches!(outcome, Err(CryptoError::TooLong)));
    }
}
