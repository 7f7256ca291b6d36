//! Memory that holds secrets: wiped on drop, never printed, never copied by accident.
//!
//! Both types keep the bytes on the heap, so that moving the value moves a pointer and leaves no
//! copy behind on the stack. Neither has `Debug`, `Display`, `Clone` or `PartialEq`.

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::base::Random;

/// A key of 256 bits.
pub struct SecretKey {
    bytes: Box<[u8; SecretKey::LEN]>,
}

impl SecretKey {
    /// Length in bytes.
    pub const LEN: usize = 32;

    /// A fresh key drawn from `random`.
    pub fn generate(random: &dyn Random) -> Self {
        let mut key = Self { bytes: Box::new([0; Self::LEN]) };
        random.fill(key.bytes.as_mut());
        key
    }

    /// Copies a key out of memory that the caller wipes (or that is public, in tests).
    pub fn copy_of(bytes: &[u8; Self::LEN]) -> Self {
        let mut key = Self { bytes: Box::new([0; Self::LEN]) };
        key.bytes.copy_from_slice(bytes);
        key
    }

    /// Builds a key where it will live: `fill` writes all of it or fails.
    pub fn filled_by<E>(fill: impl FnOnce(&mut [u8; Self::LEN]) -> Result<(), E>) -> Result<Self, E> {
        let mut key = Self { bytes: Box::new([0; Self::LEN]) };
        fill(&mut key.bytes)?;
        Ok(key)
    }

    /// The bytes. Callers neither store nor print them.
    pub fn expose(&self) -> &[u8; Self::LEN] {
        &self.bytes
    }
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl ZeroizeOnDrop for SecretKey {}

/// A secret of any length: a passphrase, the contents of a key file, an opened keyring record.
pub struct SecretBytes {
    bytes: Vec<u8>,
}

impl SecretBytes {
    /// Takes over `bytes`, spare capacity included.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// The bytes. Callers neither store nor print them.
    pub fn expose(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes, for decrypting in place.
    pub(super) fn expose_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// True for an empty secret, which no slot accepts.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl Drop for SecretBytes {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl ZeroizeOnDrop for SecretBytes {}
