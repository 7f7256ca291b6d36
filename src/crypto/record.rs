//! Small records sealed in one piece: the keyring record, the local keyring's files.
//!
//! ```text
//! salt 32 | commitment 32 | ciphertext | tag 16
//! ```
//!
//! Salt and secret give key, nonce base and commitment; the nonce is that of chunk 0; what the record
//! is bound to is the AAD. A key is used for one record only, because its salt is fresh.

use super::aead::TAG_LEN;
use super::error::CryptoError;
use super::hkdf::Purpose;
use super::sealing_keys::{COMMITMENT_LEN, SALT_LEN, SealingKeys};
use super::secret::{SecretBytes, SecretKey};
use crate::base::Random;

/// How much longer a sealed record is than its plaintext, in bytes.
pub const RECORD_OVERHEAD: usize = SALT_LEN + COMMITMENT_LEN + TAG_LEN;

const BODY_AT: usize = SALT_LEN + COMMITMENT_LEN;

/// Seals `plain` under `secret`, bound to `aad`.
///
/// # Errors
/// `TooLong` beyond 64 GiB.
pub fn seal_record(
    secret: &SecretKey,
    purpose: Purpose,
    aad: &[u8],
    plain: &[u8],
    random: &dyn Random,
) -> Result<Vec<u8>, CryptoError> {
    let mut salt = [0; SALT_LEN];
    random.fill(&mut salt);
    let keys = SealingKeys::derive(secret.expose(), &salt, purpose, &[])?;

    let mut sealed = Vec::with_capacity(plain.len() + RECORD_OVERHEAD);
    sealed.extend_from_slice(&salt);
    sealed.extend_from_slice(&keys.commitment);
    sealed.extend_from_slice(plain);
    let tag = keys.cipher.seal(&keys.nonces.at(0), aad, &mut sealed[BODY_AT..])?;
    sealed.extend_from_slice(&tag);
    Ok(sealed)
}

/// Opens what [`seal_record`] sealed with the same secret, purpose and `aad`.
///
/// # Errors
/// `WrongKey` when it was sealed under another secret (or its salt or commitment was changed);
/// `Unauthentic` when the secret is right and the record or `aad` was changed.
pub fn open_record(
    secret: &SecretKey,
    purpose: Purpose,
    aad: &[u8],
    sealed: &[u8],
) -> Result<SecretBytes, CryptoError> {
    let (salt, rest) = sealed.split_first_chunk::<SALT_LEN>().ok_or(CryptoError::Unauthentic)?;
    let (commitment, rest) = rest.split_first_chunk::<COMMITMENT_LEN>().ok_or(CryptoError::Unauthentic)?;
    let (body, tag) = rest.split_last_chunk::<TAG_LEN>().ok_or(CryptoError::Unauthentic)?;

    let keys = SealingKeys::derive(secret.expose(), salt, purpose, &[])?;
    keys.check(commitment)?;
    let mut plain = SecretBytes::new(body.to_vec());
    keys.cipher.open(&keys.nonces.at(0), aad, plain.expose_mut(), tag)?;
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::SeededRandom;

    fn sealed() -> (SecretKey, Vec<u8>) {
        let random = SeededRandom::new(1);
        let secret = SecretKey::generate(&random);
        let sealed = seal_record(&secret, Purpose::LocalRecord, b"place", b"witness", &random).unwrap();
        (secret, sealed)
    }

    #[test]
    fn a_record_opens_with_its_secret_purpose_and_place_only() {
        let (secret, sealed) = sealed();
        let open = |secret: &SecretKey, purpose, aad| {
            open_record(secret, purpose, aad, &sealed).map(|plain| plain.expose().to_vec())
        };
        assert_eq!(open(&secret, Purpose::LocalRecord, b"place").unwrap(), b"witness");
        assert!(matches!(open(&secret, Purpose::KeyringRecord, b"place"), Err(CryptoError::WrongKey)));
        assert!(matches!(open(&secret, Purpose::LocalRecord, b"elsewhere"), Err(CryptoError::Unauthentic)));
        let other = SecretKey::copy_of(&[9; 32]);
        assert!(matches!(open(&other, Purpose::LocalRecord, b"place"), Err(CryptoError::WrongKey)));
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_refused() {
        let (secret, sealed) = sealed();
        for bit in 0..sealed.len() * 8 {
            let mut forged = sealed.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(open_record(&secret, Purpose::LocalRecord, b"place", &forged).is_err(), "bit {bit}");
        }
        for len in 0..sealed.len() {
            assert!(
                open_record(&secret, Purpose::LocalRecord, b"place", &sealed[..len]).is_err(),
                "{len} bytes"
            );
        }
    }
}
