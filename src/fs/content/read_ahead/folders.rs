//! The directories whose files are being read, and those who go through them.
//!
//! Some directories are remembered, each with its orders as they were when its third file was come to. One that has changed since is
//! looked up again, but not for each file: what is remembered is only a hint.

use std::num::NonZeroUsize;

use lru::LruCache;

use super::ends::End;
use super::orders::Orders;
use super::stream::OF_WHOLE;
use super::walk::{MOST, Next, Walk};
use crate::base::{Ino, Timestamp};
use crate::meta::record::Inode;

/// Directories remembered: 3 MiB of the largest.
const FOLDERS: NonZeroUsize = NonZeroUsize::new(8).unwrap();
/// Entries of the largest directory that is looked at.
pub(super) const LARGEST: u64 = 16_384;
/// Who reads on further in a file, in bytes, does not just look into it: a little more than the kernel reads ahead of who does.
const FURTHEST: u64 = 512 << 10;
/// Files to come to before a directory is looked up again.
const PATIENCE: u32 = 8;

/// Which part of each file somebody reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    /// So many bytes.
    End(End, u64),
}

impl Part {
    /// The bytes of a file of `size` bytes to fetch.
    pub fn range(self, size: u64) -> std::ops::Range<u64> {
        match self {
            Self::Whole => 0..size.min(OF_WHOLE),
            Self::End(end, len) => end.range(len, size),
        }
    }

    /// A beginning of at least `len` bytes; other parts stay.
    fn at_least(self, len: u64) -> Self {
        match self {
            Self::End(End::Head, own) => Self::End(End::Head, own.max(len)),
            Self::Whole | Self::End(End::Tail, _) => self,
        }
    }

    fn index(self) -> usize {
        match self {
            Self::Whole => 0,
            Self::End(End::Head, _) => 1,
            Self::End(End::Tail, _) => 2,
        }
    }

    /// Files that are asked for at once, at least. Ends are a request each, however many: one look for several. Whole files are
    /// asked for one by one, as there is room.
    fn step(self) -> u32 {
        if self == Self::Whole { 1 } else { MOST / 2 }
    }
}

/// Changes with the entries of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub entries: u64,
    mtime: Timestamp,
    ctime: Timestamp,
}

impl Stamp {
    pub fn of(directory: &Inode) -> Self {
        Self { entries: directory.size, mtime: directory.mtime, ctime: directory.ctime }
    }
}

#[derive(Default)]
struct Folder {
    orders: Option<Orders>,
    /// When the orders were last looked up, found or not.
    stamp: Option<Stamp>,
    /// Files come to since.
    since: u32,
    /// By part.
    walks: [Walk; 3],
    /// How far was read in the file that is looked into, and in the one before, in bytes: the kernel begins with little.
    reach: u64,
    usual: u64,
}

/// Files to fetch.
pub(super) struct Files {
    pub next: Next,
    pub part: Part,
    /// By place.
    pub files: Vec<(u32, Ino)>,
}

pub(super) struct Folders {
    known: LruCache<Ino, Folder>,
    /// The file that was looked into last, and its directory.
    looked: Option<(Ino, Ino)>,
}

impl Default for Folders {
    fn default() -> Self {
        Self { known: LruCache::new(FOLDERS), looked: None }
    }
}

impl Folders {
    /// Somebody has come to these files of a directory, in this order. True when that may lead on.
    pub fn come_to(&mut self, directory: Ino, files: &[Ino], part: Part) -> bool {
        let folder = self.known.get_or_insert_mut(directory, Folder::default);
        folder.since = folder.since.saturating_add(1);
        if part != Part::Whole {
            self.looked = files.last().map(|file| (directory, *file));
        }
        if let Part::End(End::Head, len) = part {
            folder.usual = std::mem::replace(&mut folder.reach, len);
        }
        let walk = &mut folder.walks[part.index()];
        files.iter().fold(false, |_, file| walk.comes_to(*file))
    }

    /// Whether the orders of a directory should be looked up now: whoever is told so does it.
    pub fn must_learn(&mut self, directory: Ino, now: Stamp) -> bool {
        let Some(folder) = self.known.get_mut(&directory) else { return false };
        let known = folder.orders.is_some() && folder.stamp == Some(now);
        let learn = !known && (folder.stamp.is_none() || folder.since >= PATIENCE);
        if learn {
            (folder.stamp, folder.since) = (Some(now), 0);
        }
        learn
    }

    /// These are the orders of a directory now.
    pub fn learnt(&mut self, directory: Ino, orders: Orders) {
        if let Some(folder) = self.known.get_mut(&directory) {
            folder.orders = Some(orders);
            // Their places are not those of before.
            folder.walks.iter_mut().for_each(Walk::lose_way);
        }
    }

    /// The files whose part to fetch now, if any: so that no more than `most` bytes are due.
    pub fn next(&mut self, directory: Ino, part: Part, most: u64) -> Option<Files> {
        let Folder { orders, walks, usual, .. } = self.known.get_mut(&directory)?;
        let orders = orders.as_ref()?;
        let next = walks[part.index()].next(orders, part.step(), most)?;
        let file = |place| Some((place, orders.file(next.order, place)?));
        let files = next.places.clone().filter_map(file).collect();
        Some(Files { next, part: part.at_least(*usual), files })
    }

    /// These files of `next`, with their bytes, are on their way; the others, if any, are not.
    pub fn took(
        &mut self,
        directory: Ino,
        part: Part,
        next: &Next,
        taken: impl IntoIterator<Item = (u32, u64)>,
    ) {
        if let Some(folder) = self.known.peek_mut(&directory) {
            folder.walks[part.index()].took(next, taken);
        }
    }

    /// Somebody reads on up to `end` in a file of `size` bytes. True for who will hardly read any further, but look into the next
    /// one. Who comes far, or to the end, did not just look.
    pub fn reads_on(&mut self, ino: Ino, end: u64, size: u64) -> bool {
        let Some((directory, _)) = self.looked.filter(|(_, file)| *file == ino) else { return false };
        let Some(folder) = self.known.peek_mut(&directory) else { return false };
        if end > FURTHEST || end >= size {
            self.looked = None;
            folder.walks[1..].fill_with(Walk::default);
            return false;
        }
        folder.reach = folder.reach.max(end);
        folder.walks[1].leads() && end <= folder.usual
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const HEAD: Part = Part::End(End::Head, 4096);

    fn stamp(entries: u64) -> Stamp {
        Stamp { entries, mtime: Timestamp::default(), ctime: Timestamp::default() }
    }

    fn orders(files: u64) -> Orders {
        Orders::new((0..files).map(|number| (Bytes::from(format!("{number:03}")), Ino(number))).collect())
    }

    #[test]
    fn a_directory_is_looked_up_at_its_third_file_and_not_for_each_change() {
        let mut folders = Folders::default();
        let come_to = |folders: &mut Folders, file| folders.come_to(Ino(7), &[Ino(file)], Part::Whole);
        assert_eq!([0, 1, 2].map(|file| come_to(&mut folders, file)), [false, false, true]);
        assert!(folders.must_learn(Ino(7), stamp(10)));
        assert!(!folders.must_learn(Ino(7), stamp(10)), "somebody does it");
        folders.learnt(Ino(7), orders(10));
        assert!(!folders.must_learn(Ino(7), stamp(11)));
        let learnt: Vec<u64> = (3..30)
            .filter(|file| come_to(&mut folders, *file) && folders.must_learn(Ino(7), stamp(*file)))
            .collect();
        assert_eq!(learnt, [11, 19, 27]);
    }

    #[test]
    fn as_much_is_fetched_of_the_next_files_as_was_read_of_the_one_before() {
        let mut folders = Folders::default();
        let look_into = |folders: &mut Folders, file| {
            folders.come_to(Ino(7), &[Ino(file)], HEAD);
            if folders.must_learn(Ino(7), stamp(10)) {
                folders.learnt(Ino(7), orders(10));
            }
            let part = folders.next(Ino(7), HEAD, 1 << 20).map(|found| found.part);
            let leaves = [32, 100].map(|kib| folders.reads_on(Ino(file), kib << 10, 2 << 20));
            (part, leaves)
        };
        assert_eq!(look_into(&mut folders, 1), (None, [false, false]));
        assert_eq!(look_into(&mut folders, 2), (None, [false, false]));
        assert_eq!(look_into(&mut folders, 3), (Some(Part::End(End::Head, 100 << 10)), [true, true]));
        assert!(!folders.reads_on(Ino(3), 200 << 10, 2 << 20), "further than usual");
        assert_eq!(look_into(&mut folders, 4), (Some(Part::End(End::Head, 200 << 10)), [true, true]));
        assert!(!folders.reads_on(Ino(4), 1 << 20, 2 << 20));
        assert_eq!(look_into(&mut folders, 5), (None, [false, false]), "the last one was read on");
    }

    #[test]
    fn reading_on_in_a_file_that_was_looked_into_ends_that_walk_alone() {
        let mut folders = Folders::default();
        for (part, file) in
            [HEAD, Part::Whole].into_iter().flat_map(|part| [1, 2, 3].map(|file| (part, file)))
        {
            folders.come_to(Ino(7), &[Ino(file)], part);
        }
        folders.must_learn(Ino(7), stamp(10));
        folders.learnt(Ino(7), orders(10));
        folders.reads_on(Ino(2), 10 << 20, 20 << 20);
        assert_eq!(
            folders.next(Ino(7), HEAD, 1 << 20).map(|found| found.files),
            Some(vec![(4, Ino(4)), (5, Ino(5))])
        );
        folders.come_to(Ino(7), &[Ino(4)], HEAD);
        folders.reads_on(Ino(4), 300 << 10, 300 << 10);
        folders.come_to(Ino(7), &[Ino(5)], HEAD);
        assert!(folders.next(Ino(7), HEAD, 1 << 20).is_none());
        assert!(folders.next(Ino(7), Part::Whole, 1 << 20).is_some());
    }
}
