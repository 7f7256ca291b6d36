//! Deleting objects, and the folders that become empty.
//!
//! Runs under the bucket's lock, so that an object is not removed between the check and the rename of a
//! conditional write. Creations take no lock: rmdir(2) refuses a folder that is not empty, and a creation
//! whose folder vanished makes it again.

use std::collections::BTreeMap;

use rustix::fs::{AtFlags, unlinkat};
use rustix::io::Errno;

use super::store::{Chain, Store, find_object, place, sync_folder};
use super::trouble::Trouble;

impl Store {
    /// Deletes `keys`, folder by folder; the first failure ends it, with its key.
    pub(super) fn delete(&self, keys: &[String]) -> Result<(), (String, Trouble)> {
        let mut by_folder: BTreeMap<Vec<&str>, Vec<(&str, &str)>> = BTreeMap::new();
        for key in keys {
            let place = place("delete", key).map_err(|trouble| (key.clone(), trouble))?;
            by_folder.entry(place.folders).or_default().push((place.name, key));
        }
        let Some(first) = keys.first() else { return Ok(()) };
        let blame_first = |trouble| (first.clone(), trouble);
        let hidden = self.hidden().map_err(blame_first)?;
        let _lock = self.lock(&hidden).map_err(blame_first)?;
        for (folders, objects) in &by_folder {
            self.delete_in(folders, objects)?;
        }
        Ok(())
    }

    /// Deletes `objects` (name and key) in one folder, and makes that durable.
    fn delete_in(&self, folders: &[&str], objects: &[(&str, &str)]) -> Result<(), (String, Trouble)> {
        let chain = match self.walk(folders) {
            Ok(chain) => chain,
            Err(Trouble::Os(Errno::NOENT) | Trouble::FileInTheWay) => return Ok(()),
            Err(trouble) => return Err((key_of(objects), trouble)),
        };
        for (name, key) in objects {
            self.delete_one(&chain, name).map_err(|trouble| ((*key).to_owned(), trouble))?;
        }
        self.prune(folders, &chain).map_err(|trouble| (key_of(objects), trouble))
    }

    fn delete_one(&self, chain: &Chain, name: &str) -> Result<(), Trouble> {
        let folder = chain.last(self);
        if find_object(folder, name)?.is_none() {
            return Ok(());
        }
        match unlinkat(folder, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Removes empty folders upwards and syncs the first one that stays.
    fn prune(&self, folders: &[&str], chain: &Chain) -> Result<(), Trouble> {
        for level in (0..folders.len()).rev() {
            let parent = chain.parent_of(level, self);
            match unlinkat(parent, folders[level], AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => self.forget_folder(&folders[..=level]),
                Err(Errno::NOTEMPTY | Errno::EXIST | Errno::BUSY | Errno::ACCESS | Errno::PERM) => {
                    return Ok(sync_folder(chain.parent_of(level + 1, self))?);
                }
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(sync_folder(&self.root)?)
    }
}

fn key_of(objects: &[(&str, &str)]) -> String {
    objects.first().map_or_else(String::new, |(_, key)| (*key).to_owned())
}
