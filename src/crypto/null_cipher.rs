//! A cipher that does nothing, in place of the real one: only in builds with the feature `null-cipher`, which scripts/bench
//! makes to measure what encrypting costs. Such a build knows no suite but [`Suite::NullForBenchmarks`], so it can neither
//! open a real volume nor make one, and a real build refuses what it made.
//!
//! [`Suite::NullForBenchmarks`]: super::Suite::NullForBenchmarks

use super::error::CryptoError;
use super::nonce::Nonce;
use super::secret::SecretKey;

/// Bytes of what takes the place of a tag.
pub const TAG_LEN: usize = 16;

/// No key.
pub struct Cipher;

impl Cipher {
    /// Takes a key and forgets it.
    pub fn new(_key: &SecretKey) -> Self {
        Self
    }

    /// Leaves `buffer` as it is.
    ///
    /// # Errors
    /// None.
    pub fn seal(&self, nonce: &Nonce, _aad: &[u8], _buffer: &mut [u8]) -> Result<[u8; TAG_LEN], CryptoError> {
        Ok(tag(nonce))
    }

    /// Leaves `buffer` as it is.
    ///
    /// # Errors
    /// `Unauthentic` for a tag that [`Cipher::seal`] does not give for this nonce.
    pub fn open(
        &self,
        nonce: &Nonce,
        _aad: &[u8],
        _buffer: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CryptoError> {
        if *tag == self::tag(nonce) { Ok(()) } else { Err(CryptoError::Unauthentic) }
    }
}

/// The nonce and zeros: notices a frame that is out of its place, and nothing else.
fn tag(nonce: &Nonce) -> [u8; TAG_LEN] {
    let mut tag = [0; TAG_LEN];
    tag[..Nonce::LEN].copy_from_slice(nonce.as_bytes());
    tag
}
