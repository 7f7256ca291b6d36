//! What a credential is asked for: the volume, as far as its header says before anything is unlocked.

use serde::{Deserialize, Serialize};

use crate::base::VolumeId;
use crate::cli::bucket_args::S3Args;
use crate::keyring::{SlotId, SlotKind, VolumeHeader};

/// A volume that wants to be unlocked. It goes from the process that found the volume to the one that talks
/// to the user. Nothing in it is secret, and all but the place is what the bucket says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Challenge {
    /// The bucket as the user wrote it.
    pub place: String,
    pub(super) volume: [u8; 16],
    /// Region and profile, which KMS shares.
    pub(super) s3: S3Args,
    pub(super) offers: Vec<Offer>,
    /// The key that this machine keeps was tried, and did not open the volume.
    pub kept_refused: bool,
}

/// A slot whose secret can be unwrapped by a key that is kept elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Offer {
    pub keeper: Keeper,
    pub slot: [u8; 16],
    /// The KMS key's id or the age recipient.
    pub key: String,
    pub wrapped: Vec<u8>,
}

/// Who has the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Keeper {
    Kms,
    Age,
}

impl Challenge {
    /// Asks for what opens the volume of `header` at `place`.
    pub fn new(place: &str, header: &VolumeHeader, s3: &S3Args) -> Self {
        let offers = header.slots().iter().filter_map(|slot| {
            let keeper = match slot.kind()? {
                SlotKind::Kms => Keeper::Kms,
                SlotKind::Age => Keeper::Age,
                SlotKind::Passphrase | SlotKind::RecoveryCode | SlotKind::KeyFile => return None,
            };
            let wrapped = slot.wrapped_secret()?;
            let (key, wrapped) = (wrapped.key().to_owned(), wrapped.bytes().to_vec());
            Some(Offer { keeper, slot: slot.id().0, key, wrapped })
        });
        Self {
            place: place.to_owned(),
            volume: header.volume().0,
            s3: s3.clone(),
            offers: offers.collect(),
            kept_refused: false,
        }
    }

    /// The same question after the kept key was no answer.
    pub fn without_kept(self) -> Self {
        Self { kept_refused: true, ..self }
    }

    /// The volume, as its header says.
    pub fn volume(&self) -> VolumeId {
        VolumeId(self.volume)
    }

    /// The slots of `keeper`.
    pub(super) fn offers(&self, keeper: Keeper) -> impl Iterator<Item = &Offer> {
        self.offers.iter().filter(move |offer| offer.keeper == keeper)
    }
}

impl Offer {
    pub(super) fn slot(&self) -> SlotId {
        SlotId(self.slot)
    }
}

#[cfg(test)]
impl Challenge {
    /// A volume without slots that need more than a secret.
    pub(super) fn plain(place: &str) -> Self {
        Self {
            place: place.to_owned(),
            volume: [0; 16],
            s3: S3Args::default(),
            offers: Vec::new(),
            kept_refused: false,
        }
    }
}
