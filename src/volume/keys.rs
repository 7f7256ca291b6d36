//! New epochs: how a running volume learns of them, and how it tells others.
//!
//! A rotation replaces the volume header first and then commits an entry under the new epoch. A process that
//! meets an entry of an epoch it has no key for fetches the header, and its vault takes the new keys over when
//! the header is authentic and newer; everything sealed from then on is under the new epoch. So a writer
//! follows at the latest when it loses its next race, and whoever has not seen the entry yet goes on under the
//! old epoch until then.
//!
//! A process whose keys are newer than the newest entry owes the others that entry: it commits one, empty if
//! need be. That finishes a rotation that was interrupted between its two steps.
//!
//! Failure: a header under another volume key locks the volume out: nothing is committed and nothing new is
//! accepted, what was accepted stays readable here.

use std::sync::Arc;

use super::environment::Environment;
use super::error::VolumeError;
use super::mounted::Volume;
use crate::base::{Epoch, with_causes};
use crate::object::{ErrorKind, get_at_most};
use crate::vault::{HEADER_KEY, MAX_HEADER_LEN, RenewError, Renewed, VaultError};

/// What [`Volume::announce_keys`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced {
    /// The epoch of the newest entry before: older than `now` when a rotation had not been announced yet.
    pub logged: Epoch,
    /// The epoch of the header, and of the log.
    pub now: Epoch,
}

impl Volume {
    /// Runs `f`, and again with newer keys when it meets an epoch that began after the header was read.
    ///
    /// # Errors
    /// What `f` says; why newer keys were not to be had.
    pub(super) fn with_newest_keys<T>(
        &self,
        f: impl FnMut() -> Result<T, VolumeError>,
    ) -> Result<T, VolumeError> {
        let error = match with_newest_keys(&self.env, f) {
            Err(error) if error.is_locked_out() => Arc::new(error),
            outcome => {
                if outcome.is_ok() && self.state.read().locked_out.is_some() {
                    self.state.write().locked_out = None;
                }
                return outcome;
            }
        };
        let before = self.state.write().locked_out.replace(Arc::clone(&error));
        if before.is_none() {
            log::error!("nothing is written any more: {}", with_causes(&error));
        }
        Err(error.into())
    }

    /// Fetches the volume header and takes its keys over when it is newer. For whoever knows that it was
    /// replaced; others find out by themselves.
    ///
    /// # Errors
    /// What the bucket says; `Keys` and `RolledBack` when the header is not accepted.
    pub fn renew_keys(&self) -> Result<Renewed, VolumeError> {
        renew(&self.env)
    }

    /// Fetches the header, takes over what is newer in it, and tells everybody: afterwards an entry under the newest
    /// epoch stands in the log, and nothing under an older one is committed any more.
    ///
    /// # Errors
    /// As [`Volume::renew_keys`] and [`Volume::sync`].
    pub fn announce_keys(&self) -> Result<Announced, VolumeError> {
        self.renew_keys()?;
        let logged = self.state.read().committed.epoch;
        self.sync()?;
        Ok(Announced { logged, now: self.epoch() })
    }

    /// The epoch that everything is sealed under now.
    pub fn epoch(&self) -> Epoch {
        self.env.vault.epoch()
    }

    /// The keys are newer than anything in the log: others are to be told.
    pub(super) fn owes_an_entry(&self) -> bool {
        let logged = self.state.read().committed.epoch;
        !self.is_read_only() && logged < self.epoch()
    }

    /// Refuses new changes while the volume key is another one: they could never be committed.
    pub(super) fn check_locked_out(&self) -> Result<(), VolumeError> {
        match &self.state.read().locked_out {
            Some(why) => Err(VolumeError::Shared(Arc::clone(why))),
            None => Ok(()),
        }
    }
}

/// [`Volume::with_newest_keys`] for a volume that is not open yet.
pub(super) fn with_newest_keys<T>(
    env: &Environment,
    mut f: impl FnMut() -> Result<T, VolumeError>,
) -> Result<T, VolumeError> {
    loop {
        let error = match f() {
            Err(error) if error.may_be_of_a_newer_epoch() => error,
            outcome => return outcome,
        };
        match renew(env) {
            // The header does not explain the epoch: it is a forgery, or was dropped long ago.
            Ok(renewed) if !renewed.newer => return Err(error),
            Ok(_) => {}
            Err(VolumeError::Keys(RenewError::Fixed)) => return Err(error),
            Err(why) => return Err(why),
        }
    }
}

fn renew(env: &Environment) -> Result<Renewed, VolumeError> {
    let fetched = env.runtime.block_on(get_at_most(&*env.bucket, HEADER_KEY, MAX_HEADER_LEN as u64))?;
    let renewed = env.vault.renew(&fetched.bytes).map_err(|error| match error {
        RenewError::Older { .. } => VolumeError::RolledBack(error.to_string()),
        error => VolumeError::Keys(error),
    })?;
    if renewed.newer {
        let generation = renewed.generation;
        log::info!("the volume's keys were rotated: epoch {} from now on", env.vault.epoch());
        if let Err(error) = env.witness.saw_header(generation) {
            log::warn!("generation {generation} of the volume header could not be noted here: {error}");
        }
    }
    Ok(renewed)
}

impl VolumeError {
    /// An object claims an epoch that nobody here has a key for; or it cannot even be read, because the server
    /// wants a customer key (SSE-C), which each epoch has of its own.
    fn may_be_of_a_newer_epoch(&self) -> bool {
        match self.root() {
            Self::Tampered { source: VaultError::UnknownEpoch { .. }, .. } => true,
            Self::Bucket(error) => error.kind == ErrorKind::Encryption && error.operation != "put",
            _ => false,
        }
    }
}
