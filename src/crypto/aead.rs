//! AES-256-GCM-SIV (RFC 8452) in place, with the tag apart.
//!
//! A [`Cipher`] keeps the expanded key, so an object of many chunks expands its key once. The
//! expanded key is wiped on drop (feature `zeroize` of the `aes` crate).

use aes_gcm_siv::aead::{self, AeadInOut, KeyInit};
use aes_gcm_siv::{Aes256GcmSiv, Key};

use super::error::CryptoError;
use super::nonce::Nonce;
use super::secret::SecretKey;

/// Bytes of an authentication tag.
pub const TAG_LEN: usize = 16;

/// One key, ready to seal and open.
pub struct Cipher {
    inner: Aes256GcmSiv,
}

impl Cipher {
    /// Expands `key`.
    pub fn new(key: &SecretKey) -> Self {
        let key: &Key<Aes256GcmSiv> = key.expose().into();
        Self { inner: Aes256GcmSiv::new(key) }
    }

    /// Encrypts `buffer` in place and returns its tag, which also covers `aad`.
    ///
    /// # Errors
    /// `TooLong` beyond 64 GiB; the buffer is unchanged then.
    pub fn seal(&self, nonce: &Nonce, aad: &[u8], buffer: &mut [u8]) -> Result<[u8; TAG_LEN], CryptoError> {
        self.inner
            .encrypt_inout_detached(nonce.as_bytes().into(), aad, buffer.into())
            .map(Into::into)
            .map_err(|aead::Error| CryptoError::TooLong)
    }

    /// Decrypts `buffer` in place if `tag` is right for it, the nonce and `aad`.
    ///
    /// # Errors
    /// `Unauthentic`; the buffer then holds ciphertext again, not plaintext.
    pub fn open(
        &self,
        nonce: &Nonce,
        aad: &[u8],
        buffer: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CryptoError> {
        self.inner
            .decrypt_inout_detached(nonce.as_bytes().into(), aad, buffer.into(), tag.into())
            .map_err(|aead::Error| CryptoError::Unauthentic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::NonceBase;

    #[test]
    fn a_refused_buffer_does_not_keep_the_plaintext() {
        let cipher = Cipher::new(&SecretKey::copy_of(&[1; 32]));
        let nonce = NonceBase::new([2; 12]).at(0);
        let mut buffer = *b"attack at dawn, or perhaps later";
        let mut tag = cipher.seal(&nonce, b"", &mut buffer).unwrap();
        let sealed = buffer;
        tag[0] ^= 1;
        assert!(matches!(cipher.open(&nonce, b"", &mut buffer, &tag), Err(CryptoError::Unauthentic)));
        assert_ne!(&buffer, b"attack at dawn, or perhaps later");
        assert_eq!(buffer, sealed);
    }
}
