//! The epoch keys of a volume: what objects are sealed under.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::base::Epoch;
use crate::crypto::SecretKey;

/// Why keys are no set of epoch keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EpochKeysError {
    #[error("the current epoch {0} has no key")]
    CurrentMissing(Epoch),
    #[error("epoch {0} has two keys")]
    Duplicate(Epoch),
}

/// One key per epoch. The current epoch always has one.
pub struct EpochKeys {
    current: Epoch,
    keys: BTreeMap<Epoch, SecretKey>,
}

impl EpochKeys {
    /// Collects `keys`; `current` seals what is new.
    ///
    /// # Errors
    /// When `current` has no key or an epoch has two.
    pub fn new(
        current: Epoch,
        keys: impl IntoIterator<Item = (Epoch, SecretKey)>,
    ) -> Result<Self, EpochKeysError> {
        let mut collected = BTreeMap::new();
        for (epoch, key) in keys {
            if collected.insert(epoch, key).is_some() {
                return Err(EpochKeysError::Duplicate(epoch));
            }
        }
        if !collected.contains_key(&current) {
            return Err(EpochKeysError::CurrentMissing(current));
        }
        Ok(Self { current, keys: collected })
    }

    /// The epoch that new objects are sealed under.
    pub fn current(&self) -> Epoch {
        self.current
    }

    /// The key of `epoch`, if this keyring has it.
    pub fn get(&self, epoch: Epoch) -> Option<&SecretKey> {
        self.keys.get(&epoch)
    }

    /// All keys, oldest epoch first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Epoch, &SecretKey)> {
        self.keys.iter().map(|(epoch, key)| (*epoch, key))
    }

    /// How many epochs there are; at least one.
    pub(super) fn count(&self) -> usize {
        self.keys.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> SecretKey {
        SecretKey::copy_of(&[byte; 32])
    }

    #[test]
    fn the_current_epoch_always_has_exactly_one_key() {
        let refused = |current, keys: Vec<(Epoch, SecretKey)>| EpochKeys::new(current, keys).err();
        assert_eq!(
            refused(Epoch(2), vec![(Epoch(1), key(1))]),
            Some(EpochKeysError::CurrentMissing(Epoch(2)))
        );
        assert_eq!(refused(Epoch(1), vec![]), Some(EpochKeysError::CurrentMissing(Epoch(1))));
        let twice = vec![(Epoch(1), key(1)), (Epoch(1), key(2))];
        assert_eq!(refused(Epoch(1), twice), Some(EpochKeysError::Duplicate(Epoch(1))));
    }
}
