//! One change of the volume header: unlock, make the next header, put it in the old one's place.
//!
//! The put is conditional on the version that was unlocked. Whoever loses a race starts from the header
//! that won, so of two changes at once both take effect. A crash leaves the old header or the new one.

use anyhow::{Context, Result};

use crate::cli::bucket_args::S3Args;
use crate::cli::exit::{Exit, refuse};
use crate::cli::opening::{HEADER_KEY, Opened, Store};
use crate::cli::unlock::{Trust, UnlockArgs};
use crate::cli::unlocking::{unlock_found, unlock_with};
use crate::keyring::{Credential, MAX_HEADER_LEN, Slot, SlotId};
use crate::object::{Condition, ErrorKind, Location, get_at_most};

/// Races that are lost before the command gives up: far more than people change keys at once.
const MAX_ATTEMPTS: usize = 20;

/// An unlocked volume together with what unlocked it, which a lost race needs again.
pub struct Editing {
    pub opened: Opened,
    credential: Credential,
}

impl Editing {
    /// Finds the volume and unlocks it.
    ///
    /// # Errors
    /// As [`crate::cli::opening::open_volume`], and [`Opened::check_log`].
    pub async fn begin(location: &Location, s3: &S3Args, unlock: &UnlockArgs) -> Result<Self> {
        let store = Store::open(location, s3).await?;
        let found = store.header().await?;
        let (opened, credential) =
            unlock_found(store, found, |challenge| unlock.credential(challenge)).await?;
        opened.check_log().await?;
        opened.write_as_demanded().await?;
        Ok(Self { opened, credential })
    }

    /// The other slots that open with what opens `slot`, as far as this machine can tell: they still open with it once
    /// that slot is gone. It knows what has unlocked the volume, and the names of KMS keys and age recipients.
    ///
    /// # Errors
    /// As [`crate::keyring::UnlockedVolume::slots_of`].
    pub fn twins(&self, slot: SlotId) -> Result<Vec<SlotId>> {
        let unlocked = &self.opened.unlocked;
        let opened = tokio::task::block_in_place(|| unlocked.slots_of(&self.credential))?;
        let gone = unlocked.slots().iter().find(|other| other.id() == slot);
        let is_twin = |other: &Slot| {
            opened.contains(&slot) && opened.contains(&other.id())
                || gone.is_some_and(|gone| other.has_key_of(gone))
        };
        let others = unlocked.slots().iter().filter(|other| other.id() != slot);
        Ok(others.filter(|other| is_twin(other)).map(Slot::id).collect())
    }

    /// Replaces the header by what `change` makes of the volume; `change` is called again, with a volume
    /// unlocked anew, for each race that is lost. Durable in the bucket when it returns; what it returns is still
    /// the volume as it was before.
    ///
    /// # Errors
    /// Those of `change`, of the store, and of unlocking the header that won.
    pub async fn replace(mut self, mut change: impl FnMut(&Opened) -> Result<Vec<u8>>) -> Result<Self> {
        for _ in 0..MAX_ATTEMPTS {
            let bytes = tokio::task::block_in_place(|| change(&self.opened))?;
            if self.put(bytes).await? {
                let generation = self.opened.unlocked.generation() + 1;
                self.opened.note_generation(generation)?;
                return Ok(self);
            }
            log::info!("somebody else has changed the volume header just now; trying again on top of it");
            self = self.again().await?;
        }
        let location = &self.opened.store.location;
        Err(refuse(Exit::Failure, format!("the header of {location} changes all the time; try again later")))
    }

    /// False when somebody else was first.
    async fn put(&self, bytes: Vec<u8>) -> Result<bool> {
        let store = &self.opened.store;
        let bucket = store.impatient();
        let condition = Condition::Matches(self.opened.etag.clone());
        match bucket.put(HEADER_KEY, bytes.clone().into(), condition).await {
            Ok(_) => Ok(true),
            // It may have been us, and the reply was lost.
            Err(error) if error.kind == ErrorKind::Precondition => {
                let there = get_at_most(bucket.as_ref(), HEADER_KEY, MAX_HEADER_LEN as u64).await;
                let there = there.context("looking at the header that won")?;
                Ok(there.bytes[..] == bytes[..])
            }
            Err(error) => {
                Err(error).with_context(|| format!("replacing the volume header in {}", store.location))
            }
        }
    }

    /// Starts from the header that is there now, with the same credential.
    ///
    /// # Errors
    /// Those of unlocking it.
    pub async fn again(self) -> Result<Self> {
        let Self { opened, credential } = self;
        Self::opened_with(opened, credential).await
    }

    /// Starts from the header that is there now, which `credential` opens.
    ///
    /// # Errors
    /// Those of unlocking it.
    pub async fn opened_with(opened: Opened, credential: Credential) -> Result<Self> {
        let store = opened.store;
        let found = store.header().await?;
        let opened = unlock_with(store, found, &credential, Trust::SECRET).await?;
        opened.write_as_demanded().await?;
        Ok(Self { opened, credential })
    }
}

/// Says that what opened a slot which is gone now opens the volume all the same.
pub fn warn_of_twins(bucket: &Location, twins: &[SlotId]) {
    for twin in twins {
        eprintln!(
            "hushfs: warning: the same key still opens the volume, by its slot {twin}; to take that away as well: \
             hushfs key remove {bucket} {twin}"
        );
    }
}
