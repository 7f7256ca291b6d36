//! What a wrapped secret is for, as KMS binds it and writes it into its audit trail.

use std::collections::HashMap;

use data_encoding::HEXLOWER;

use crate::base::VolumeId;

/// The purpose of every secret that hushfs gives to KMS.
const PURPOSE: &str = "hushfs v1 kms slot";

/// The volume and the slot that a secret belongs to. Not secret: it is logged by AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncryptionContext {
    pub volume: VolumeId,
    pub slot: [u8; 16],
}

impl EncryptionContext {
    /// The pairs of the requests. They are additional authenticated data: without exactly the same pairs
    /// nothing is decrypted (AWS KMS developer guide, "Encryption context").
    pub(super) fn pairs(&self) -> HashMap<String, String> {
        HashMap::from([
            ("hushfs:purpose".to_owned(), PURPOSE.to_owned()),
            ("hushfs:volume".to_owned(), self.volume.to_string()),
            ("hushfs:slot".to_owned(), HEXLOWER.encode(&self.slot)),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pairs_are_those_of_the_format() {
        let context = EncryptionContext { volume: VolumeId([0xab; 16]), slot: [1; 16] };
        let expected = [
            ("hushfs:purpose", "hushfs v1 kms slot".to_owned()),
            ("hushfs:volume", "ab".repeat(16)),
            ("hushfs:slot", "01".repeat(16)),
        ];
        assert_eq!(context.pairs(), expected.map(|(name, value)| (name.to_owned(), value)).into());
    }
}
