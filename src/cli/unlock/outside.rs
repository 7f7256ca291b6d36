//! Slots whose secret is unwrapped by a key that is kept elsewhere: in KMS, or by an age identity.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};

use super::challenge::{Challenge, Keeper};
use super::plugin::Person;
use super::raw_credential::RawCredential;
use super::read;
use crate::age_keys::{self, AgeError};
use crate::cli::exit::{Exit, refuse};
use crate::cli::runtime;
use crate::crypto::{SecretBytes, SecretKey};
use crate::keyring::{KeyringError, SlotKind};
use crate::kms::{EncryptionContext, Kms, KmsOptions};

/// Asks KMS for the secret of each KMS slot until one comes. `key` is what the user named; else each slot
/// names its own, and then nobody vouches for the volume (see [`RawCredential::vouches`]).
pub(super) fn from_kms(
    challenge: &Challenge,
    options: KmsOptions,
    key: Option<&str>,
) -> Result<RawCredential> {
    let kms = Kms::new(options);
    let mut first = None;
    for offer in challenge.offers(Keeper::Kms) {
        let context = EncryptionContext { volume: challenge.volume(), slot: offer.slot };
        let named = key.unwrap_or(&offer.key);
        match runtime::apart(kms.unwrap(named, context, &offer.wrapped))? {
            Ok(secret) => {
                let raw = RawCredential::new(SlotKind::Kms, bytes_of(&secret)).for_slot(offer.slot());
                return Ok(if key.is_some() { raw } else { raw.without_voucher() });
            }
            Err(error) => {
                log::info!("the slot {}: {error}", offer.slot());
                first.get_or_insert(error);
            }
        }
    }
    match first {
        Some(error) => Err(anyhow!(error).context(challenge.place.clone())),
        None => Err(anyhow!(KeyringError::NoSlot(SlotKind::Kms)).context(challenge.place.clone())),
    }
}

/// Tries the identities in `file` on each age slot.
pub(super) fn from_age(challenge: &Challenge, file: &Path) -> Result<RawCredential> {
    let identities = read::identity_file(file)?;
    let mut first = None;
    for offer in challenge.offers(Keeper::Age) {
        match age_keys::unwrap(&offer.wrapped, &identities, Arc::new(Person)) {
            Ok(secret) => {
                let raw = RawCredential::new(SlotKind::Age, bytes_of(&secret));
                return Ok(raw.for_slot(offer.slot()).without_voucher());
            }
            Err(AgeError::NoMatch) => {}
            Err(error) => {
                log::info!("the slot {}: {error}", offer.slot());
                first.get_or_insert(error);
            }
        }
    }
    match first {
        Some(error) => Err(error).with_context(|| format!("{} with {}", challenge.place, file.display())),
        None if challenge.offers(Keeper::Age).next().is_none() => {
            Err(anyhow!(KeyringError::NoSlot(SlotKind::Age)).context(challenge.place.clone()))
        }
        None => Err(refuse(
            Exit::WrongKey,
            format!(
                "{}: {} holds the identity of none of the volume's age slots",
                challenge.place,
                file.display()
            ),
        )),
    }
}

fn bytes_of(secret: &SecretKey) -> SecretBytes {
    SecretBytes::new(secret.expose().to_vec())
}
