//! The epoch keys of a volume: what objects are sealed under.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::base::Epoch;
use crate::crypto::{SecretKey, same};

/// Why keys are no set of epoch keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EpochKeysError {
    #[error("the current epoch {0} has no key")]
    CurrentMissing(Epoch),
    #[error("epoch {0} has two keys")]
    Duplicate(Epoch),
    #[error("epoch {0} has another key than before")]
    Contradiction(Epoch),
    #[error("there are no higher epoch numbers")]
    Exhausted,
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

    /// These keys and one more, which is the current one: `key` for the epoch after the newest.
    ///
    /// # Errors
    /// `Exhausted` when there is no higher number.
    pub(super) fn rotated(&self, key: SecretKey) -> Result<Self, EpochKeysError> {
        let newest = self.keys.last_key_value().map_or(self.current, |(epoch, _)| *epoch);
        let next = Epoch(newest.0.checked_add(1).ok_or(EpochKeysError::Exhausted)?);
        Self::new(next, self.copies().chain([(next, key)]))
    }

    /// The current key alone.
    ///
    /// # Errors
    /// None in practice.
    pub(super) fn newest_only(&self) -> Result<Self, EpochKeysError> {
        Self::new(self.current, self.copies().filter(|(epoch, _)| *epoch == self.current))
    }

    /// The keys of `newer`, and those of `self` that it does not have: what a process that has used both
    /// needs to read what it sealed itself. The current epoch is `newer`'s.
    ///
    /// # Errors
    /// `Contradiction` when both name an epoch and mean different keys.
    pub fn merged(&self, newer: &Self) -> Result<Self, EpochKeysError> {
        for (epoch, key) in newer.iter() {
            if self.get(epoch).is_some_and(|known| !same(known.expose(), key.expose())) {
                return Err(EpochKeysError::Contradiction(epoch));
            }
        }
        let older = self.copies().filter(|(epoch, _)| newer.get(*epoch).is_none());
        Self::new(newer.current, older.chain(newer.copies()))
    }

    fn copies(&self) -> impl Iterator<Item = (Epoch, SecretKey)> {
        self.iter().map(|(epoch, key)| (epoch, SecretKey::copy_of(key.expose())))
    }

    /// The numbers of all epochs, oldest first.
    pub fn epochs(&self) -> impl Iterator<Item = Epoch> {
        self.keys.keys().copied()
    }

    /// All keys, oldest epoch first.
    pub fn iter(&self) -> impl Iterator<Item = (Epoch, &SecretKey)> {
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

    #[test]
    fn a_rotation_adds_the_epoch_after_the_newest_and_makes_it_current() {
        let keys = EpochKeys::new(Epoch(2), [(Epoch(2), key(2)), (Epoch(7), key(7))]).unwrap();
        let rotated = keys.rotated(key(8)).unwrap();
        assert_eq!(rotated.current(), Epoch(8));
        assert_eq!(rotated.epochs().collect::<Vec<_>>(), [Epoch(2), Epoch(7), Epoch(8)]);
        assert_eq!(rotated.newest_only().unwrap().epochs().collect::<Vec<_>>(), [Epoch(8)]);
        let last = EpochKeys::new(Epoch(u32::MAX), [(Epoch(u32::MAX), key(1))]).unwrap();
        assert_eq!(last.rotated(key(2)).err(), Some(EpochKeysError::Exhausted));
    }

    #[test]
    fn merging_keeps_what_the_newer_set_has_dropped_and_refuses_a_changed_key() {
        let old = EpochKeys::new(Epoch(1), [(Epoch(1), key(1))]).unwrap();
        let new = EpochKeys::new(Epoch(2), [(Epoch(2), key(2))]).unwrap();
        let merged = old.merged(&new).unwrap();
        assert_eq!(merged.current(), Epoch(2));
        assert_eq!(merged.get(Epoch(1)).map(|key| *key.expose()), Some([1; 32]));
        let changed = EpochKeys::new(Epoch(1), [(Epoch(1), key(9))]).unwrap();
        assert_eq!(old.merged(&changed).err(), Some(EpochKeysError::Contradiction(Epoch(1))));
    }
}
