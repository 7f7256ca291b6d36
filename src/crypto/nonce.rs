//! Nonces of one object: a derived base, XORed with the number of the chunk.
//!
//! Distinct numbers give distinct nonces, and a key belongs to one object only, so a pair of key and
//! nonce repeats only if a chunk number does; [`NonceSequence`] hands each number out once.

use super::error::CryptoError;

/// A nonce of AES-256-GCM-SIV.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Nonce([u8; Nonce::LEN]);

impl Nonce {
    /// Length in bytes (RFC 8452 section 4).
    pub const LEN: usize = 12;

    /// A nonce given by a published test vector.
    #[cfg(test)]
    pub(super) fn from_vector(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    pub(super) fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

/// Where the nonces of one object start.
#[derive(Clone, Copy)]
pub struct NonceBase([u8; Nonce::LEN]);

impl NonceBase {
    /// The base that was derived for an object.
    pub fn new(bytes: [u8; Nonce::LEN]) -> Self {
        Self(bytes)
    }

    /// The nonce of chunk `number`: the last four bytes are XORed with the number, little endian.
    pub fn at(&self, number: u32) -> Nonce {
        let mut bytes = self.0;
        for (byte, part) in bytes[8..].iter_mut().zip(number.to_le_bytes()) {
            *byte ^= part;
        }
        Nonce(bytes)
    }
}

/// Hands out chunk numbers 0, 1, 2, … with their nonces, each once.
pub struct NonceSequence {
    base: NonceBase,
    next: Option<u32>,
}

impl NonceSequence {
    /// Starts at chunk 0.
    pub fn new(base: NonceBase) -> Self {
        Self { base, next: Some(0) }
    }

    /// The next chunk number and its nonce.
    ///
    /// # Errors
    /// `NonceExhausted` after 2^32 numbers, for good.
    pub fn take(&mut self) -> Result<(u32, Nonce), CryptoError> {
        let number = self.next.ok_or(CryptoError::NonceExhausted)?;
        self.next = number.checked_add(1);
        Ok((number, self.base.at(number)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_stops_instead_of_wrapping() {
        let mut sequence = NonceSequence { base: NonceBase([7; 12]), next: Some(u32::MAX) };
        assert_eq!(sequence.take().map(|(number, _)| number).ok(), Some(u32::MAX));
        for _ in 0..2 {
            assert!(matches!(sequence.take(), Err(CryptoError::NonceExhausted)));
        }
    }

    #[test]
    fn the_number_is_folded_into_the_last_four_bytes() {
        let nonce = NonceBase([0xff; 12]).at(0x0403_0201);
        assert_eq!(nonce.0, [255, 255, 255, 255, 255, 255, 255, 255, 0xfe, 0xfd, 0xfc, 0xfb]);
    }
}
