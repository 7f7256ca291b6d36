//! Everything that one sealed object or record needs, from a single HKDF call: key, nonce base and
//! key commitment.
//!
//! AES-GCM-SIV alone does not commit to its key: bytes can be made that open under two keys. The
//! commitment is 32 bytes of the same derivation, stored in the clear in front of the ciphertext and
//! compared in constant time before anything is opened. Two keys with the same commitment would be
//! a collision of HKDF-SHA256.

use zeroize::Zeroizing;

use super::aead::Cipher;
use super::compare::same;
use super::error::CryptoError;
use super::hkdf::{Purpose, expand};
use super::nonce::{Nonce, NonceBase};
use super::secret::SecretKey;

/// Bytes of a salt.
pub const SALT_LEN: usize = 32;
/// Bytes of a key commitment.
pub const COMMITMENT_LEN: usize = 32;

const NONCE_AT: usize = SecretKey::LEN;
const COMMITMENT_AT: usize = NONCE_AT + Nonce::LEN;
const LEN: usize = COMMITMENT_AT + COMMITMENT_LEN;

/// The derived values of one object or record.
pub struct SealingKeys {
    pub cipher: Cipher,
    pub nonces: NonceBase,
    pub commitment: [u8; COMMITMENT_LEN],
}

impl SealingKeys {
    /// Derives all three from `secret`; `context` is what the keys are bound to.
    ///
    /// # Errors
    /// None in practice: the output is far below HKDF's limit.
    pub fn derive(
        secret: &[u8],
        salt: &[u8; SALT_LEN],
        purpose: Purpose,
        context: &[u8],
    ) -> Result<Self, CryptoError> {
        let mut derived = Zeroizing::new([0; LEN]);
        expand(secret, salt, purpose, context, derived.as_mut())?;

        let key = SecretKey::filled_by(|key| {
            key.copy_from_slice(&derived[..NONCE_AT]);
            Ok::<(), CryptoError>(())
        })?;
        let mut nonce = [0; Nonce::LEN];
        nonce.copy_from_slice(&derived[NONCE_AT..COMMITMENT_AT]);
        let mut commitment = [0; COMMITMENT_LEN];
        commitment.copy_from_slice(&derived[COMMITMENT_AT..]);
        Ok(Self { cipher: Cipher::new(&key), nonces: NonceBase::new(nonce), commitment })
    }

    /// Checks, in constant time, that `stored` was made with the same secret, salt and context.
    ///
    /// # Errors
    /// `WrongKey` when it was not.
    pub fn check(&self, stored: &[u8; COMMITMENT_LEN]) -> Result<(), CryptoError> {
        if same(&self.commitment, stored) { Ok(()) } else { Err(CryptoError::WrongKey) }
    }
}
