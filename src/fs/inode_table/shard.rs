//! A part of the table: two bytes for each of most inodes, all that is known of the others.
//!
//! Inodes are numbered as they are made, and what was made together is read together: a walk over a volume makes the kernel know
//! all of it, and fills pages of neighbouring numbers. A million inodes are some 5 MB where a map of them was 60 to 100 (M7).
//!
//! Invariants: an inode is in a page or in the map, never in both; it is in a page if that can say all of it. No page is empty.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::known::{Known, Plain};
use crate::base::Ino;

/// Inodes of a page. Larger ones would waste more where few of a page are known.
const PAGE: u64 = 16;

type Page = [Plain; PAGE as usize];

#[derive(Default)]
pub(super) struct Shard {
    pages: HashMap<u64, Page>,
    others: HashMap<Ino, Known>,
}

/// The page of an inode, which says too in which shard it is.
pub(super) fn page_of(ino: Ino) -> u64 {
    ino.0 / PAGE
}

fn slot_of(ino: Ino) -> usize {
    (ino.0 % PAGE) as usize
}

impl Shard {
    pub fn contains(&self, ino: Ino) -> bool {
        self.plain(ino).is_some() || self.others.contains_key(&ino)
    }

    fn plain(&self, ino: Ino) -> Option<Plain> {
        let plain = self.pages.get(&page_of(ino))?[slot_of(ino)];
        (plain != Plain::NONE).then_some(plain)
    }

    /// Reads or changes what is known of an inode; `None` for one that is not in the table.
    pub fn with<T>(&mut self, ino: Ino, act: impl FnOnce(&mut Known) -> T) -> Option<T> {
        let Some(known) = self.others.get_mut(&ino) else {
            let known = self.plain(ino)?.known();
            return Some(self.change(ino, known, act));
        };
        let result = act(known);
        if let Some(plain) = Plain::of(known) {
            self.others.remove(&ino);
            self.set_plain(ino, plain);
        }
        Some(result)
    }

    /// As [`Self::with`], of an inode that is put in if it is not there.
    pub fn with_new<T>(&mut self, ino: Ino, act: impl FnOnce(&mut Known) -> T) -> T {
        let known = match self.plain(ino) {
            Some(plain) => plain.known(),
            None => self.others.remove(&ino).unwrap_or_default(),
        };
        self.change(ino, known, act)
    }

    /// Changes an inode that is in a page or nowhere.
    fn change<T>(&mut self, ino: Ino, mut known: Known, act: impl FnOnce(&mut Known) -> T) -> T {
        let result = act(&mut known);
        match Plain::of(&known) {
            Some(plain) => self.set_plain(ino, plain),
            None => {
                self.clear(ino);
                self.others.insert(ino, known);
            }
        }
        result
    }

    fn set_plain(&mut self, ino: Ino, plain: Plain) {
        self.pages.entry(page_of(ino)).or_default()[slot_of(ino)] = plain;
    }

    /// Takes an inode out of its page.
    fn clear(&mut self, ino: Ino) {
        if let Entry::Occupied(mut page) = self.pages.entry(page_of(ino)) {
            page.get_mut()[slot_of(ino)] = Plain::NONE;
            if page.get().iter().all(|plain| *plain == Plain::NONE) {
                page.remove();
            }
        }
    }

    /// Takes an inode out.
    pub fn remove(&mut self, ino: Ino) -> Option<Known> {
        match self.plain(ino) {
            Some(plain) => {
                self.clear(ino);
                Some(plain.known())
            }
            None => self.others.remove(&ino),
        }
    }

    pub fn inodes(&self) -> impl Iterator<Item = Ino> {
        let in_pages = self.pages.iter().flat_map(|(page, plains)| {
            let known = (0..PAGE).zip(plains).filter(|(_, plain)| **plain != Plain::NONE);
            known.map(move |(slot, _)| Ino(page * PAGE + slot))
        });
        in_pages.chain(self.others.keys().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INO: Ino = Ino(5 << 32 | 77);

    #[test]
    fn an_inode_is_in_a_page_while_two_bytes_say_all_of_it() {
        let mut shard = Shard::default();
        assert_eq!(shard.with(INO, |known| known.lookups), None);
        shard.with_new(INO, |known| known.lookups += 1);
        shard.with_new(INO, |known| known.lookups += 1);
        let places = |shard: &Shard| (shard.pages.len(), shard.others.len());
        assert_eq!(places(&shard), (1, 0));
        shard.with_new(INO, |known| known.opens += 1);
        assert_eq!((places(&shard), shard.contains(INO)), ((0, 1), true));
        shard.with(INO, |known| known.lookups += 40_000);
        assert_eq!(shard.with(INO, |known| std::mem::take(&mut known.opens)), Some(1));
        assert_eq!(places(&shard), (0, 1));
        assert_eq!(shard.with(INO, |known| std::mem::replace(&mut known.lookups, 9)), Some(40_002));
        assert_eq!((places(&shard), shard.contains(INO)), ((1, 0), true));
        assert_eq!(shard.remove(INO).map(|known| known.lookups), Some(9));
        assert_eq!((places(&shard), shard.contains(INO)), ((0, 0), false));
    }

    #[test]
    fn neighbours_share_a_page_and_keep_to_themselves() {
        let mut shard = Shard::default();
        let inodes: Vec<Ino> = (0..100).map(Ino).collect();
        inodes.iter().for_each(|ino| shard.with_new(*ino, |known| known.lookups = ino.0 + 1));
        shard.with(Ino(50), |known| known.stale = true);
        assert_eq!((shard.pages.len(), shard.others.len()), (7, 1));
        let mut all: Vec<Ino> = shard.inodes().collect();
        all.sort_unstable();
        assert_eq!(all, inodes);
        for ino in inodes {
            assert_eq!(shard.remove(ino).map(|known| known.lookups), Some(ino.0 + 1));
        }
        assert_eq!((shard.pages.len(), shard.others.len()), (0, 0));
    }
}
