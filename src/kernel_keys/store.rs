//! Keys in the user keyring.

use std::time::Duration;

use linux_keyutils::{Key, KeyError, KeyPermissionsBuilder, KeyRing, KeyRingIdentifier, Permission};
use zeroize::Zeroizing;

use super::error::{KernelKeysError, is_absent};
use crate::base::VolumeId;
use crate::crypto::SecretBytes;

/// What every key's name begins with. Names are visible to the user's processes and to root (/proc/keys).
const PREFIX: &str = "hushfs:";
/// Longest secret that is kept, in bytes.
const MAX_LEN: usize = 1024;
/// Most keys of the user keyring that are looked through.
const MAX_KEYS: usize = 4096;

/// The user keyring of the caller's uid.
pub struct KernelKeys {
    ring: KeyRing,
}

impl KernelKeys {
    /// Finds the keyring; the kernel makes it when it is missing.
    ///
    /// # Errors
    /// `Forbidden`, `Missing`, `Failed`.
    pub fn open() -> Result<Self, KernelKeysError> {
        Ok(Self { ring: KeyRing::from_special_id(KeyRingIdentifier::User, true)? })
    }

    /// Keeps `secret` for `volume` in place of what was kept before, for `limit` (rounded up to seconds;
    /// `None` for as long as the machine runs).
    ///
    /// # Errors
    /// `TooLong`, `Full`, `Denied`, `Forbidden`, `Failed`; nothing is kept then.
    pub fn keep(
        &self,
        volume: VolumeId,
        secret: &SecretBytes,
        limit: Option<Duration>,
    ) -> Result<(), KernelKeysError> {
        if secret.len() > MAX_LEN {
            return Err(KernelKeysError::TooLong(secret.len()));
        }
        // What is replaced would pass its permissions on; so the old key goes first.
        self.forget(volume)?;
        let key = self.ring.add_key(&name(volume), secret.expose())?;
        if let Err(error) = guard(key, limit) {
            key.invalidate()?;
            return Err(error.into());
        }
        Ok(())
    }

    /// What is kept for `volume`.
    ///
    /// # Errors
    /// `TooLong`, `Denied`, `Forbidden`, `Failed`.
    pub fn find(&self, volume: VolumeId) -> Result<Option<SecretBytes>, KernelKeysError> {
        let Some(key) = self.search(volume)? else { return Ok(None) };
        // Read into memory of its full size: a buffer that grows leaves copies behind.
        let mut bytes = Zeroizing::new(vec![0; MAX_LEN]);
        match key.read(&mut *bytes) {
            Ok(len) if len > MAX_LEN => Err(KernelKeysError::TooLong(len)),
            Ok(len) => {
                bytes.truncate(len);
                Ok(Some(SecretBytes::new(std::mem::take(&mut *bytes))))
            }
            Err(error) if is_absent(error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Forgets what is kept for `volume`; false when nothing was. The kernel wipes the memory.
    ///
    /// # Errors
    /// `Denied`, `Forbidden`, `Failed`.
    pub fn forget(&self, volume: VolumeId) -> Result<bool, KernelKeysError> {
        let Some(key) = self.search(volume)? else { return Ok(false) };
        match key.invalidate() {
            Ok(()) => Ok(true),
            Err(error) if is_absent(error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The volumes that something is kept for, in order.
    ///
    /// # Errors
    /// `Denied`, `Forbidden`, `Failed`.
    pub fn volumes(&self) -> Result<Vec<VolumeId>, KernelKeysError> {
        let links = self.ring.get_links(MAX_KEYS)?;
        let mut volumes: Vec<VolumeId> = links
            .iter()
            .filter_map(|link| link.as_key())
            // A key that goes away meanwhile has no name any more.
            .filter_map(|key| key.metadata().ok())
            .filter_map(|key| VolumeId::from_hex(key.get_description().strip_prefix(PREFIX)?))
            .collect();
        volumes.sort();
        Ok(volumes)
    }

    fn search(&self, volume: VolumeId) -> Result<Option<Key>, KernelKeysError> {
        match self.ring.search(&name(volume)) {
            Ok(key) => Ok(Some(key)),
            Err(error) if is_absent(error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

fn name(volume: VolumeId) -> String {
    format!("{PREFIX}{volume}")
}

/// Lets every process of the owner use the key, whatever session keyring it has, and nobody else.
fn guard(key: Key, limit: Option<Duration>) -> Result<(), KeyError> {
    let all_but_link = || Permission::ALL - Permission::LINK;
    key.set_perms(KeyPermissionsBuilder::builder().posessor(all_but_link()).user(all_but_link()).build())?;
    if let Some(limit) = limit {
        let seconds = limit.as_secs() + u64::from(limit.subsec_nanos() > 0);
        // The kernel takes 32 bits; 0 would mean no limit.
        let seconds = u32::try_from(seconds.max(1)).unwrap_or(u32::MAX);
        key.set_timeout(seconds as usize)?;
    }
    Ok(())
}
