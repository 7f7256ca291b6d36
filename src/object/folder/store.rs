//! The open folder: walking to a key's place without following links, its hidden sub-folder, its lock.
//!
//! Every walk starts at the descriptor of the folder and opens one part at a time with O_NOFOLLOW: no
//! key and no planted link leads out of it.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::fs::{AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags, Stat};
use rustix::fs::{flock, fstat, fsync, mkdir, mkdirat, open, openat, statat, unlinkat};
use rustix::io::{Errno, retry_on_intr};

use super::trouble::Trouble;
use crate::base::{Clock, Random, Timestamp};
use crate::object::error::ErrorKind;
use crate::object::key::check_key;

/// The sub-folder for temporary files and the lock.
pub(super) const HIDDEN: &str = ".hushfs-bucket";
/// Names of temporary files begin with this.
pub(super) const TEMP_PREFIX: &str = "put-";
const LOCK: &str = "lock";
/// A temporary file that was not touched for this long has no living writer.
const STALE_AFTER: Duration = Duration::from_secs(24 * 3600);
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const FOLDER_MODE: Mode = Mode::RWXU;
/// Folders remembered as durable; beyond this all are forgotten and synced again.
const MAX_DURABLE: usize = 8192;

/// An open folder. Methods block.
pub(super) struct Store {
    pub(super) root: OwnedFd,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
    /// Folders (by path under the root) whose entry in their parent is known to be durable, with their
    /// inode number: a folder that another process removed and made again is a different one.
    durable: Mutex<HashMap<String, u64>>,
}

/// A key as folders and a file name.
pub(super) struct Place<'a> {
    pub(super) folders: Vec<&'a str>,
    pub(super) name: &'a str,
}

/// Descriptors of the folders on the way to a key, the root excluded.
pub(super) struct Chain {
    folders: Vec<OwnedFd>,
}

impl Chain {
    /// The folder that holds the file.
    pub(super) fn last<'a>(&'a self, store: &'a Store) -> &'a OwnedFd {
        self.folders.last().unwrap_or(&store.root)
    }

    /// The folder that holds folder number `level` of the key.
    pub(super) fn parent_of<'a>(&'a self, level: usize, store: &'a Store) -> &'a OwnedFd {
        level.checked_sub(1).and_then(|above| self.folders.get(above)).unwrap_or(&store.root)
    }
}

/// Splits a key, refusing what [`check_key`] refuses and parts that begin with a dot.
pub(super) fn place<'a>(operation: &'static str, key: &'a str) -> Result<Place<'a>, Trouble> {
    check_key(operation, key)?;
    let mut folders: Vec<&str> = key.split('/').collect();
    if folders.iter().any(|part| part.starts_with('.')) {
        return Err(Trouble::Refused(ErrorKind::Invalid, "names that begin with a dot belong to the disk"));
    }
    let name = folders.pop().unwrap_or(key);
    Ok(Place { folders, name })
}

/// Makes the bucket's folder and syncs its parent.
pub(super) fn create_root(path: &Path) -> Result<(), Trouble> {
    match mkdir(path, FOLDER_MODE) {
        Ok(()) => {}
        Err(Errno::EXIST) => return Ok(()),
        Err(errno) => return Err(errno.into()),
    }
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    sync_folder(openat(CWD, parent, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)?;
    Ok(())
}

/// Makes a folder's entries durable. Filesystems that cannot sync folders (some FUSE and SMB ones) say
/// EINVAL; there is nothing more that could be done there.
pub(super) fn sync_folder(folder: impl AsFd) -> Result<(), Errno> {
    match retry_on_intr(|| fsync(&folder)) {
        Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        result => result,
    }
}

/// Length-, time- and inode-based version of a file.
pub(super) fn modified(stat: &Stat) -> Timestamp {
    Timestamp { secs: stat.st_mtime, nanos: stat.st_mtime_nsec as u32 }
}

impl Store {
    pub(super) fn open(path: &Path, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Result<Self, Trouble> {
        // The folder itself may be reached by a link: that is the user's own choice.
        let root = open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { root, clock, random, durable: Mutex::default() })
    }

    /// Opens the folders of a key one by one.
    pub(super) fn walk(&self, folders: &[&str]) -> Result<Chain, Trouble> {
        let mut chain = Chain { folders: Vec::with_capacity(folders.len()) };
        for name in folders {
            let next = open_folder(chain.last(self), name)?;
            chain.folders.push(next);
        }
        Ok(chain)
    }

    /// As [`Self::walk`], but makes what is missing. Nothing of it is durable yet.
    pub(super) fn make_folders(&self, folders: &[&str]) -> Result<Chain, Trouble> {
        let mut chain = Chain { folders: Vec::with_capacity(folders.len()) };
        for name in folders {
            let parent = chain.last(self);
            let next = match open_folder(parent, name) {
                Err(Trouble::Os(Errno::NOENT)) => {
                    match mkdirat(parent, *name, FOLDER_MODE) {
                        Ok(()) | Err(Errno::EXIST) => {}
                        Err(errno) => return Err(errno.into()),
                    }
                    open_folder(parent, name)?
                }
                other => other?,
            };
            chain.folders.push(next);
        }
        Ok(chain)
    }

    /// Makes the last folder's entries durable, and the entries of all folders on the way that are not
    /// known to be: another writer may have made them a moment ago and not have synced them yet.
    pub(super) fn sync_chain(&self, folders: &[&str], chain: &Chain) -> Result<(), Trouble> {
        sync_folder(chain.last(self))?;
        for level in (0..folders.len()).rev() {
            let path = folders[..=level].join("/");
            let ino = fstat(&chain.folders[level])?.st_ino;
            if self.durable.lock().get(&path) == Some(&ino) {
                continue;
            }
            sync_folder(chain.parent_of(level, self))?;
            let mut durable = self.durable.lock();
            if durable.len() >= MAX_DURABLE {
                durable.clear();
            }
            durable.insert(path, ino);
        }
        Ok(())
    }

    /// Forgets that a folder was durable, because it is gone.
    pub(super) fn forget_folder(&self, folders: &[&str]) {
        self.durable.lock().remove(&folders.join("/"));
    }

    /// Turns "no such file" into the reason when the bucket's own folder was deleted.
    pub(super) fn check_alive(&self) -> Result<(), Trouble> {
        if fstat(&self.root)?.st_nlink == 0 {
            return Err(Trouble::Refused(ErrorKind::NotFound, "the bucket's folder was deleted"));
        }
        Ok(())
    }

    /// Opens the hidden sub-folder, making it when it is missing.
    pub(super) fn hidden(&self) -> Result<OwnedFd, Trouble> {
        match open_folder(&self.root, HIDDEN) {
            Err(Trouble::Os(Errno::NOENT)) => {}
            other => return other,
        }
        self.check_alive()?;
        match mkdirat(&self.root, HIDDEN, FOLDER_MODE) {
            Ok(()) | Err(Errno::EXIST) => open_folder(&self.root, HIDDEN),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Takes the bucket's lock; it is given back when the descriptor is dropped. Every call opens the
    /// lock file anew, so threads of one process exclude each other as processes do. Over NFS, flock(2)
    /// becomes a lock at the server.
    pub(super) fn lock(&self, hidden: &OwnedFd) -> Result<OwnedFd, Trouble> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(hidden, LOCK, flags, Mode::RUSR | Mode::WUSR)?;
        retry_on_intr(|| flock(&file, FlockOperation::LockExclusive))?;
        Ok(file)
    }

    /// Removes temporary files whose writers are long gone. What cannot be removed now stays for later:
    /// a bucket may be opened for reading only.
    pub(super) fn remove_stale(&self) {
        let result = self.try_remove_stale();
        if let Err(trouble) = result {
            log::debug!("temporary files in {HIDDEN} were not cleaned: {trouble}");
        }
    }

    fn try_remove_stale(&self) -> Result<(), Trouble> {
        let hidden = match open_folder(&self.root, HIDDEN) {
            Err(Trouble::Os(Errno::NOENT)) => return Ok(()),
            other => other?,
        };
        let now = self.clock.now();
        for entry in Dir::read_from(&hidden)? {
            let entry = entry?;
            if !entry.file_name().to_bytes().starts_with(TEMP_PREFIX.as_bytes()) {
                continue;
            }
            let stat = match statat(&hidden, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => continue,
                other => other?,
            };
            if modified(&stat).age(now) >= STALE_AFTER {
                unlinkat(&hidden, entry.file_name(), AtFlags::empty())?;
            }
        }
        Ok(())
    }
}

/// Opens one folder in another, without following a link.
pub(super) fn open_folder(parent: impl AsFd, name: &str) -> Result<OwnedFd, Trouble> {
    match openat(&parent, name, FOLDER, Mode::empty()) {
        Ok(folder) => Ok(folder),
        Err(Errno::NOTDIR | Errno::LOOP) => {
            let stat = statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
            Err(match FileType::from_raw_mode(stat.st_mode) {
                FileType::Symlink => LINK,
                _ => Trouble::FileInTheWay,
            })
        }
        Err(errno) => Err(errno.into()),
    }
}

/// The refusal of symbolic links.
pub(super) const LINK: Trouble = Trouble::Refused(ErrorKind::Invalid, "a symbolic link is not followed");

/// The stat of the object `name` in `folder`; `None` when there is nothing.
pub(super) fn find_object(folder: impl AsFd, name: &str) -> Result<Option<Stat>, Trouble> {
    match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => check_object(&stat).map(|()| Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Accepts regular files only.
pub(super) fn check_object(stat: &Stat) -> Result<(), Trouble> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(()),
        FileType::Symlink => Err(LINK),
        FileType::Directory => Err(Trouble::Refused(ErrorKind::Invalid, "a folder has this name")),
        _ => Err(Trouble::Refused(ErrorKind::Invalid, "what has this name is no file")),
    }
}
