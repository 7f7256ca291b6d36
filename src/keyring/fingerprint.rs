//! A short name for the volume key, to compare by eye and to pin.

use std::fmt;
use std::str::FromStr;

use data_encoding::{DecodeError, HEXLOWER, HEXLOWER_PERMISSIVE};
use thiserror::Error;

use crate::base::VolumeId;
use crate::crypto::{CryptoError, Purpose, SecretKey, expand};

/// 128 bits derived from the volume key and the volume id. Not secret: it is printed and stored in
/// the clear on this machine; it never goes to the bucket.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; Fingerprint::LEN]);

impl Fingerprint {
    /// Length in bytes.
    pub const LEN: usize = 16;

    /// The fingerprint of `vmk`.
    ///
    /// # Errors
    /// None in practice.
    pub(super) fn derive(vmk: &SecretKey, volume: VolumeId) -> Result<Self, CryptoError> {
        let mut bytes = [0; Self::LEN];
        expand(vmk.expose(), &volume.0, Purpose::Fingerprint, &[], &mut bytes)?;
        Ok(Self(bytes))
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    /// Reads what [`fmt::Display`] shows; dashes and case do not matter.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: String = text.chars().filter(|char| *char != '-').collect();
        let bytes =
            HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).map_err(|_: DecodeError| FingerprintError)?;
        Ok(Self(bytes.try_into().map_err(|_: Vec<u8>| FingerprintError)?))
    }
}

/// A text that is no fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a fingerprint is eight groups of four hexadecimal digits, joined by dashes")]
pub struct FingerprintError;

impl fmt::Display for Fingerprint {
    /// Eight groups of four hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, pair) in self.0.chunks(2).enumerate() {
            let separator = if index == 0 { "" } else { "-" };
            write!(f, "{separator}{}", HEXLOWER.encode(pair))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_prints_as_groups_of_hexadecimal() {
        let bytes = std::array::from_fn(|index| index as u8);
        assert_eq!(Fingerprint(bytes).to_string(), "0001-0203-0405-0607-0809-0a0b-0c0d-0e0f");
    }

    #[test]
    fn it_reads_back_and_nothing_else_does() {
        let fingerprint = Fingerprint([0xab; 16]);
        for text in [fingerprint.to_string(), fingerprint.to_string().to_uppercase(), "ab".repeat(16)] {
            assert_eq!(text.parse(), Ok(fingerprint));
        }
        for text in ["", "abab", "zz", &"ab".repeat(15), &"ab".repeat(17)] {
            assert_eq!(text.parse::<Fingerprint>(), Err(FingerprintError));
        }
    }
}
