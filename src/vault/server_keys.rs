//! The customer keys of a volume (SSE-C): one for each epoch, derived from the epoch key.
//!
//! An object's customer key belongs to the epoch that the object is sealed under, so it goes and comes with that
//! epoch: an epoch that nothing is sealed under any more is needed for no customer key either (ADR 6). The epoch
//! of a segment stands in its name; that of a log entry or a pack only in its header, which a reader does not have
//! yet: there the newest key is tried first.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::base::{Epoch, VolumeId};
use crate::crypto::{CryptoError, Purpose, SecretKey, expand};
use crate::object::{CustomerKey, CustomerKeys, ServerEncryption};

use super::header::claimed_epoch;
use super::vault::Vault;

/// Where segments are, with the epoch as the next part of the key.
const SEGMENTS: &str = "data/";

/// The customer keys of all epochs that a vault knows at each moment.
pub struct ServerKeys {
    vault: Vault,
    derived: Mutex<HashMap<Epoch, Arc<CustomerKey>>>,
}

impl ServerKeys {
    /// The keys that belong to `vault`'s epochs; an epoch that the vault learns of later has one, too.
    pub fn of(vault: &Vault) -> Self {
        Self { vault: vault.clone(), derived: Mutex::default() }
    }

    fn of_epoch(&self, epoch: Epoch) -> Option<Arc<CustomerKey>> {
        if let Some(known) = self.derived.lock().get(&epoch) {
            return Some(Arc::clone(known));
        }
        let keys = self.vault.keys();
        let derived = match derive(self.vault.volume(), epoch, keys.get(epoch)?) {
            Ok(key) => Arc::new(key),
            // The output is far below HKDF's limit.
            Err(error) => {
                log::error!("no customer key for epoch {epoch}: {error}");
                return None;
            }
        };
        self.derived.lock().insert(epoch, Arc::clone(&derived));
        Some(derived)
    }
}

fn derive(volume: VolumeId, epoch: Epoch, key: &SecretKey) -> Result<CustomerKey, CryptoError> {
    let derived = SecretKey::filled_by(|out| {
        expand(key.expose(), &volume.0, Purpose::ServerSideKey, &epoch.0.to_le_bytes(), out)
    })?;
    Ok(CustomerKey::new(derived.expose()))
}

impl CustomerKeys for ServerKeys {
    fn kinds(&self) -> Vec<ServerEncryption> {
        self.vault.encryption().all().cloned().collect()
    }

    fn for_writing(&self, _: &str, body: &[u8]) -> Option<Arc<CustomerKey>> {
        self.of_epoch(claimed_epoch(body)?)
    }

    fn for_reading(&self, key: &str) -> Vec<Arc<CustomerKey>> {
        let named = key.strip_prefix(SEGMENTS).and_then(|rest| rest.split('/').next());
        let named = named.and_then(|epoch| epoch.parse().ok()).map(Epoch);
        if let Some(known) = named.and_then(|epoch| self.of_epoch(epoch)) {
            return vec![known];
        }
        let keys = self.vault.keys();
        let mut epochs: Vec<Epoch> = keys.iter().map(|(epoch, _)| epoch).collect();
        epochs.sort_by_key(|epoch| std::cmp::Reverse((*epoch == keys.current(), *epoch)));
        epochs.into_iter().filter_map(|epoch| self.of_epoch(epoch)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ObjectId;
    use crate::base::random::SeededRandom;
    use crate::vault::ObjectKind;

    const VOLUME: VolumeId = VolumeId([7; 16]);

    fn vault(volume: VolumeId, current: u32) -> Vault {
        let bare = [1u8, 2, 5].map(|epoch| (Epoch(epoch.into()), [epoch; 32]));
        Vault::from_epoch_keys(volume, Epoch(current), &bare).unwrap()
    }

    fn keys(current: u32) -> ServerKeys {
        ServerKeys::of(&vault(VOLUME, current))
    }

    fn md5s(keys: &[Arc<CustomerKey>]) -> Vec<String> {
        keys.iter().map(|key| key.md5().to_owned()).collect()
    }

    #[test]
    fn every_epoch_and_volume_has_a_customer_key_of_its_own() {
        let other = ServerKeys::of(&vault(VolumeId([8; 16]), 5));
        let mut all = md5s(&[keys(5).for_reading("log/1"), other.for_reading("log/1")].concat());
        all.extend([1, 2, 5].map(|epoch| CustomerKey::new(&[epoch; 32]).md5().to_owned()));
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 9, "a key is shared, or is an epoch key itself");
    }

    #[test]
    fn the_derivation_is_frozen() {
        // HKDF-SHA256 of 32 bytes 02 as docs/format.md describes it, computed with another implementation.
        let key = keys(5).of_epoch(Epoch(2)).unwrap();
        assert_eq!(key.expose_base64(), "IrrWjZg+7tCUbD7HZBuMxqsj8tCYO2A8dypN8g5jLPA=");
    }

    #[test]
    fn a_segment_names_its_epoch_and_others_are_tried_from_the_newest() {
        let keys = keys(2);
        let of = |epoch| keys.of_epoch(Epoch(epoch)).unwrap().md5().to_owned();
        assert_eq!(md5s(&keys.for_reading("data/1/ab/cd")), [of(1)]);
        for key in ["log/0000000000000001", "tree/ab", "data/9/ab/cd", "data/x/ab/cd"] {
            assert_eq!(md5s(&keys.for_reading(key)), [of(2), of(5), of(1)], "{key}");
        }
    }

    #[test]
    fn an_object_is_written_with_the_customer_key_of_the_epoch_it_is_sealed_under() {
        let sealed_under = |current| {
            let id = ObjectId([1; 16]);
            vault(VOLUME, current).seal_object(ObjectKind::LogEntry, id, b"", &SeededRandom::new(1)).unwrap()
        };
        let keys = keys(5);
        for epoch in [1, 5] {
            let written = keys.for_writing("log/1", &sealed_under(epoch)).unwrap();
            assert_eq!(written.md5(), keys.of_epoch(Epoch(epoch)).unwrap().md5());
        }
        assert!(keys.for_writing("log/1", b"not sealed").is_none());
        assert!(keys.for_writing("log/1", &[0; 128]).is_none());
    }
}
