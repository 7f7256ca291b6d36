//! One file, directory or link.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use fuser::{FileAttr, FileType, INodeNo};
use parking_lot::{Mutex, RwLock};

use crate::content::Content;

pub struct Node {
    attr: Mutex<FileAttr>,
    /// How often the kernel has been given it.
    pub lookups: AtomicU64,
    pub content: RwLock<Content>,
    pub entries: RwLock<Entries>,
    pub target: Vec<u8>,
}

/// A directory's names, in the order in which they were made.
#[derive(Default)]
pub struct Entries {
    places: HashMap<OsString, u64>,
    listed: BTreeMap<u64, (OsString, u64)>,
    last: u64,
}

impl Entries {
    pub fn get(&self, name: &OsStr) -> Option<u64> {
        self.listed.get(self.places.get(name)?).map(|(_, ino)| *ino)
    }

    /// Whatever had the name before must be gone.
    pub fn insert(&mut self, name: &OsStr, ino: u64) {
        self.last += 1;
        self.places.insert(name.to_owned(), self.last);
        self.listed.insert(self.last, (name.to_owned(), ino));
    }

    pub fn remove(&mut self, name: &OsStr) -> Option<u64> {
        let place = self.places.remove(name)?;
        self.listed.remove(&place).map(|(_, ino)| ino)
    }

    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// Place, name and number of what comes after `place`.
    pub fn after(&self, place: u64) -> impl Iterator<Item = (u64, &OsStr, u64)> {
        self.listed.range(place + 1..).map(|(place, (name, ino))| (*place, name.as_os_str(), *ino))
    }
}

impl Node {
    pub fn new(ino: u64, kind: FileType, perm: u16, (uid, gid): (u32, u32), target: Vec<u8>) -> Self {
        let now = SystemTime::now();
        let attr = FileAttr {
            ino: INodeNo(ino),
            size: target.len() as u64,
            blocks: 0,
            atime: now,
            mtime: now,
            ctime: now,
            crtime: now,
            kind,
            perm,
            nlink: if kind == FileType::Directory { 2 } else { 1 },
            uid,
            gid,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        };
        Self {
            attr: Mutex::new(attr),
            lookups: AtomicU64::new(0),
            content: RwLock::default(),
            entries: RwLock::default(),
            target,
        }
    }

    pub fn attr(&self) -> FileAttr {
        *self.attr.lock()
    }

    pub fn change(&self, change: impl FnOnce(&mut FileAttr)) -> FileAttr {
        let mut attr = self.attr.lock();
        change(&mut attr);
        *attr
    }

    /// Its size and blocks are its content's again.
    pub fn resized(&self, size: u64) {
        self.change(|attr| (attr.size, attr.blocks) = (size, size.div_ceil(512)));
    }

    /// Its attributes, for a kernel that will remember it.
    pub fn looked_up(&self) -> FileAttr {
        self.lookups.fetch_add(1, Ordering::Relaxed);
        self.attr()
    }
}
