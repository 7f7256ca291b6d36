//! What the disk cache knows of its files: sizes and the order of use. Memory only; rebuilt by a scan.

use lru::LruCache;

use crate::base::ObjectId;

/// One file of the cache.
#[derive(Clone, Copy)]
struct Known {
    /// Allocated bytes.
    bytes: u64,
    /// Its mtime says that it was used in this process's life.
    stamped: bool,
}

/// Files in the order of their last use. One entry for each cached object, so the disk's limit bounds it.
pub(super) struct DiskIndex {
    files: LruCache<ObjectId, Known>,
    bytes: u64,
    /// Whether the scan is done: before it, files that are not listed may exist.
    complete: bool,
}

impl DiskIndex {
    /// Knows no file, and that there may be some.
    pub fn new() -> Self {
        Self { files: LruCache::unbounded(), bytes: 0, complete: false }
    }

    /// False when the cache certainly has nothing of the object.
    pub fn may_hold(&self, id: ObjectId) -> bool {
        !self.complete || self.files.contains(&id)
    }

    /// The file was read. True when its mtime should be renewed, so that the next process knows as well.
    pub fn used(&mut self, id: ObjectId) -> bool {
        match self.files.get_mut(&id) {
            Some(known) => !std::mem::replace(&mut known.stamped, true),
            None => false,
        }
    }

    /// The file was written and takes `bytes` now.
    pub fn written(&mut self, id: ObjectId, bytes: u64) {
        let old = self.files.put(id, Known { bytes, stamped: true });
        self.bytes = self.bytes + bytes - old.map_or(0, |known| known.bytes);
    }

    /// The file is gone.
    pub fn removed(&mut self, id: ObjectId) {
        if let Some(known) = self.files.pop(&id) {
            self.bytes -= known.bytes;
        }
    }

    /// Takes in what a scan found, the file that was used longest ago first; all of it is older than what
    /// was used since.
    pub fn scanned(&mut self, found: impl IntoIterator<Item = (ObjectId, u64)>) {
        let mut recent = std::mem::replace(&mut self.files, LruCache::unbounded());
        for (id, bytes) in found {
            if !recent.contains(&id) {
                self.bytes += bytes;
                self.files.put(id, Known { bytes, stamped: false });
            }
        }
        while let Some((id, known)) = recent.pop_lru() {
            self.files.put(id, known);
        }
        self.complete = true;
    }

    /// Takes the file that was used longest ago off the list while there is more than `limit`.
    pub fn pop_excess(&mut self, limit: u64) -> Option<ObjectId> {
        if self.bytes <= limit {
            return None;
        }
        let (id, known) = self.files.pop_lru()?;
        self.bytes -= known.bytes;
        Some(id)
    }

    /// Allocated bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn id(number: u8) -> ObjectId {
        ObjectId([number; 16])
    }

    #[test]
    fn scanned_files_are_older_than_what_was_used_since() {
        let mut index = DiskIndex::new();
        assert!(index.may_hold(id(9)));
        index.written(id(1), 10);
        index.scanned([(id(2), 20), (id(1), 99), (id(3), 30)]);
        assert!(!index.may_hold(id(9)));
        assert_eq!(index.bytes(), 60);
        let order: Vec<_> = std::iter::from_fn(|| index.pop_excess(0)).collect();
        assert_eq!(order, [id(2), id(3), id(1)]);
        assert_eq!(index.bytes(), 0);
    }

    #[test]
    fn use_protects_and_asks_for_one_stamp() {
        let mut index = DiskIndex::new();
        index.scanned([(id(1), 10), (id(2), 10)]);
        assert!(index.used(id(1)));
        assert!(!index.used(id(1)));
        assert_eq!(index.pop_excess(19), Some(id(2)));
        assert_eq!(index.pop_excess(19), None);
        index.written(id(1), 5);
        assert_eq!(index.bytes(), 5);
    }
}
