//! The files that have dirty data, and the order in which their chunks became dirty.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::dirty::{Amount, FileState};
use crate::base::Ino;

/// One file in the table.
pub(super) struct File {
    pub ino: Ino,
    pub state: Mutex<FileState>,
}

/// Files by number, dirty bytes in all and what they will add to the records, and the settling queue (oldest chunk first; entries may be
/// stale: a chunk that was settled or dropped in between is skipped).
#[derive(Default)]
pub(super) struct Table {
    files: Mutex<HashMap<Ino, Arc<File>>>,
    queue: Mutex<VecDeque<(Ino, u64)>>,
    dirty: AtomicU64,
    coming: AtomicU64,
    promised: AtomicU64,
}

/// Bytes that somebody is about to write.
pub(super) struct Coming<'a> {
    table: &'a Table,
    bytes: u64,
}

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        self.table.coming.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Table {
    /// The file's entry, made if there is none.
    pub fn file(&self, ino: Ino) -> Arc<File> {
        let mut files = self.files.lock();
        files.entry(ino).or_insert_with(|| Arc::new(File { ino, state: Mutex::default() })).clone()
    }

    /// The file's entry, if it has one.
    pub fn existing(&self, ino: Ino) -> Option<Arc<File>> {
        self.files.lock().get(&ino).cloned()
    }

    /// How many files are in the table, dirty or about to be.
    pub fn len(&self) -> usize {
        self.files.lock().len()
    }

    /// All files in the table, dirty or about to be.
    pub fn all(&self) -> Vec<Arc<File>> {
        let mut all: Vec<_> = self.files.lock().values().cloned().collect();
        all.sort_by_key(|file| file.ino);
        all
    }

    /// Removes the entry of a clean file that nobody is using. Entries are cloned only under the table's
    /// lock, so a count of one means that nobody can make it dirty meanwhile.
    pub fn sweep(&self, ino: Ino) {
        let mut files = self.files.lock();
        if let Some(file) = files.get(&ino)
            && Arc::strong_count(file) == 1
            && file.state.lock().is_clean()
        {
            files.remove(&ino);
        }
    }

    /// Removes all entries that `sweep` would.
    pub fn sweep_all(&self) {
        self.files.lock().retain(|_, file| Arc::strong_count(file) > 1 || !file.state.lock().is_clean());
    }

    /// Notes that a chunk became dirty.
    pub fn queue(&self, ino: Ino, index: u64) {
        self.queue.lock().push_back((ino, index));
    }

    /// The chunk that has been dirty for longest (perhaps stale).
    pub fn oldest(&self) -> Option<(Ino, u64)> {
        self.queue.lock().pop_front()
    }

    /// After a drain nothing is dirty, so nothing is queued either.
    pub fn clear_queue(&self) {
        self.queue.lock().clear();
    }

    /// How many chunks are queued, stale ones included.
    pub fn queued(&self) -> usize {
        self.queue.lock().len()
    }

    /// Dirty bytes in all files.
    pub fn dirty(&self) -> u64 {
        self.dirty.load(Ordering::Relaxed)
    }

    /// Announces bytes that are about to become dirty, until what is returned is dropped.
    pub fn coming(&self, bytes: u64) -> Coming<'_> {
        self.coming.fetch_add(bytes, Ordering::Relaxed);
        Coming { table: self, bytes }
    }

    /// Dirty bytes in all files, and those that are about to be: many threads write at once.
    pub fn occupied(&self) -> u64 {
        self.dirty() + self.coming.load(Ordering::Relaxed)
    }

    /// Accounts for bytes that became dirty; what they add to the records was promised before.
    pub fn grew(&self, bytes: u64) {
        self.dirty.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Accounts for dirty bytes that were settled or dropped.
    pub fn freed(&self, held: Amount) {
        self.dirty.fetch_sub(held.bytes, Ordering::Relaxed);
        self.fulfil(held.growth);
    }

    /// Bytes that settling everything dirty will add to the records.
    pub fn promised(&self) -> u64 {
        self.promised.load(Ordering::Relaxed)
    }

    /// Promises room in the records.
    pub fn promise(&self, growth: u64) {
        self.promised.fetch_add(growth, Ordering::Relaxed);
    }

    /// The records are about to have what was promised, or nobody needs it any more.
    pub fn fulfil(&self, growth: u64) {
        self.promised.fetch_sub(growth, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_about_to_be_written_occupies_room_until_it_is_dirty() {
        let table = Table::default();
        table.grew(5);
        let (first, second) = (table.coming(7), table.coming(11));
        assert_eq!((table.dirty(), table.occupied()), (5, 23));
        table.grew(7);
        drop(first);
        assert_eq!((table.dirty(), table.occupied()), (12, 23));
        drop(second);
        assert_eq!(table.occupied(), 12);
    }
}
