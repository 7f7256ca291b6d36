//! A short name for the volume key, to compare by eye and to pin.

use std::fmt;

use data_encoding::HEXLOWER;

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
}
