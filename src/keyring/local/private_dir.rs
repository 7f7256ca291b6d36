//! A folder that only its owner can touch, and whole small files in it.
//!
//! Everything goes through the folder's descriptor (`openat` with `O_NOFOLLOW`), so swapping a path
//! component after the check changes nothing.

use std::fs::{DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::error::LocalError;

/// Longest file of the local keyring, in bytes.
const MAX_FILE_LEN: u64 = 512 * 1024;
const PRIVATE_FILE: Mode = Mode::from_raw_mode(0o600);

/// When a replaced file has to be on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Before the call returns: contents and name are fsynced.
    Now,
    /// The contents are fsynced before they get the name, so a crash leaves the old file or the new one;
    /// which of them is up to the filesystem. Half the price, and right for a witness.
    Eventually,
}

/// The open folder.
pub(super) struct PrivateDir {
    path: PathBuf,
    dir: OwnedFd,
    /// Together with a flock on `dir`: one replacement at a time, of all threads and processes.
    replacing: Mutex<()>,
}

impl PrivateDir {
    /// Opens `path`, making it (and missing parents) with mode 0700.
    pub fn open(path: &Path) -> Result<Self, LocalError> {
        match DirBuilder::new().recursive(true).mode(0o700).create(path) {
            // Whatever is there instead of a folder is refused by name below.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => created.map_err(|source| io_error("create", path.to_owned(), source))?,
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(dir) => dir,
            Err(Errno::LOOP | Errno::NOTDIR) => {
                return Err(not_private(path.to_owned(), "is not a folder, or a symbolic link to one"));
            }
            Err(error) => return Err(io_error("open", path.to_owned(), error.into())),
        };
        let stat =
            rustix::fs::fstat(&dir).map_err(|error| io_error("inspect", path.to_owned(), error.into()))?;
        if let Some(reason) = privacy_problem(&stat, FileType::Directory, caller()) {
            return Err(not_private(path.to_owned(), reason));
        }
        Ok(Self { path: path.to_owned(), dir, replacing: Mutex::new(()) })
    }

    /// Where `name` is, for messages.
    pub fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The whole file, or `None` when there is none.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, LocalError> {
        // Non-blocking, so that a FIFO of that name is refused instead of waited for.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK;
        let Some(file) = self.open_file(name, flags)? else { return Ok(None) };
        let mut bytes = Vec::new();
        File::from(file)
            .take(MAX_FILE_LEN + 1)
            .read_to_end(&mut bytes)
            .map_err(|source| io_error("read", self.path_of(name), source))?;
        if bytes.len() as u64 > MAX_FILE_LEN {
            return Err(not_private(self.path_of(name), "is longer than any file of a keyring"));
        }
        Ok(Some(bytes))
    }

    /// Replaces (or makes) the file atomically.
    pub fn replace(&self, name: &str, bytes: &[u8], durability: Durability) -> Result<(), LocalError> {
        let _thread = self.replacing.lock();
        let _process = self.lock_out_processes()?;
        self.replace_locked(name, bytes, durability)
    }

    /// The whole file; when there is none, it is made of what `contents` returns. Of several callers,
    /// threads or processes, one makes it and all get the same.
    pub fn read_or_create(
        &self,
        name: &str,
        contents: impl FnOnce() -> Vec<u8>,
    ) -> Result<Vec<u8>, LocalError> {
        let _thread = self.replacing.lock();
        let _process = self.lock_out_processes()?;
        if let Some(bytes) = self.read(name)? {
            return Ok(bytes);
        }
        let bytes = contents();
        self.replace_locked(name, &bytes, Durability::Now)?;
        Ok(bytes)
    }

    fn replace_locked(&self, name: &str, bytes: &[u8], durability: Durability) -> Result<(), LocalError> {
        let failed = |operation| move |source: io::Error| io_error(operation, self.path_of(name), source);
        // One fixed name under the locks: a crash leaves at most one such file, and the next
        // replacement overwrites it.
        let temporary = format!("{name}.new");
        self.remove(&temporary)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.dir, temporary.as_str(), flags, PRIVATE_FILE)
            .map_err(|error| io_error("create", self.path_of(&temporary), error.into()))?;
        let mut file = File::from(file);
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed("write"))?;
        rustix::fs::renameat(&self.dir, temporary.as_str(), &self.dir, name)
            .map_err(io::Error::from)
            .map_err(failed("replace"))?;
        match durability {
            Durability::Now => {
                rustix::fs::fsync(&self.dir).map_err(io::Error::from).map_err(failed("make durable"))
            }
            Durability::Eventually => Ok(()),
        }
    }

    /// The file for reading and writing, made if missing; for locks.
    pub fn open_or_create(&self, name: &str) -> Result<File, LocalError> {
        match self.open_file(name, OFlags::RDWR | OFlags::CREATE | OFlags::NONBLOCK)? {
            Some(file) => Ok(File::from(file)),
            None => Err(io_error("create", self.path_of(name), io::ErrorKind::NotFound.into())),
        }
    }

    /// Opens `name` and refuses it unless it is a plain private file; `None` when there is none.
    fn open_file(&self, name: &str, flags: OFlags) -> Result<Option<OwnedFd>, LocalError> {
        let path = || self.path_of(name);
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.dir, name, flags, PRIVATE_FILE) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err(not_private(path(), "is a symbolic link")),
            Err(error) => return Err(io_error("open", path(), error.into())),
        };
        let stat = rustix::fs::fstat(&file).map_err(|error| io_error("inspect", path(), error.into()))?;
        match privacy_problem(&stat, FileType::RegularFile, caller()) {
            Some(reason) => Err(not_private(path(), reason)),
            None => Ok(Some(file)),
        }
    }

    /// Removes the file, if it is there, however it looks; durable when it returns. A link is removed, not
    /// followed.
    pub fn forget(&self, name: &str) -> Result<(), LocalError> {
        let _thread = self.replacing.lock();
        let _process = self.lock_out_processes()?;
        self.remove(name)?;
        rustix::fs::fsync(&self.dir)
            .map_err(|error| io_error("make durable", self.path.clone(), error.into()))
    }

    /// The names of all files that end in `suffix`, without it, in order.
    pub fn names(&self, suffix: &str) -> Result<Vec<String>, LocalError> {
        let failed = |error: Errno| io_error("list", self.path.clone(), error.into());
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.dir).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_str().ok().and_then(|name| name.strip_suffix(suffix));
            names.extend(name.map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }

    fn remove(&self, name: &str) -> Result<(), LocalError> {
        match rustix::fs::unlinkat(&self.dir, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(io_error("remove", self.path_of(name), error.into())),
        }
    }

    /// Waits for other processes that replace files in this folder; they are done within milliseconds.
    fn lock_out_processes(&self) -> Result<impl Drop + use<'_>, LocalError> {
        rustix::fs::flock(self.dir.as_fd(), FlockOperation::LockExclusive)
            .map_err(|error| io_error("lock", self.path.clone(), error.into()))?;
        Ok(Unlock(&self.dir))
    }
}

struct Unlock<'a>(&'a OwnedFd);

impl Drop for Unlock<'_> {
    fn drop(&mut self) {
        if let Err(error) = rustix::fs::flock(self.0, FlockOperation::Unlock) {
            log::warn!("the local keyring stays locked until this process ends: {error}");
        }
    }
}

fn caller() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Why a folder or file is not private to `caller`, if it is not.
fn privacy_problem(stat: &Stat, expected: FileType, caller: u32) -> Option<&'static str> {
    if FileType::from_raw_mode(stat.st_mode) != expected {
        return Some("is of another type than expected");
    }
    if stat.st_uid != caller {
        return Some("belongs to another user");
    }
    if expected == FileType::RegularFile && stat.st_nlink > 1 {
        return Some("has another name as well (a hard link)");
    }
    if stat.st_mode & 0o077 != 0 {
        return Some("is open to its group or to others (chmod go= would close it)");
    }
    None
}

fn not_private(path: PathBuf, reason: &'static str) -> LocalError {
    LocalError::NotPrivate { path, reason }
}

fn io_error(operation: &'static str, path: PathBuf, source: io::Error) -> LocalError {
    LocalError::Io { operation, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A keyring's folder below a temporary one, which may be open to others.
    fn private(folder: &tempfile::TempDir) -> (PathBuf, PrivateDir) {
        let path = folder.path().join("keyring");
        let dir = PrivateDir::open(&path).unwrap();
        (path, dir)
    }

    #[test]
    fn a_file_of_another_user_is_not_private() {
        let folder = tempfile::tempdir().unwrap();
        let (path, _) = private(&folder);
        let stat = rustix::fs::stat(&path).unwrap();
        assert_eq!(privacy_problem(&stat, FileType::Directory, caller()), None);
        let problem = privacy_problem(&stat, FileType::Directory, caller() + 1);
        assert_eq!(problem, Some("belongs to another user"));
    }

    #[test]
    fn files_come_back_whole_and_private_and_leave_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let (path, dir) = private(&folder);
        assert!(dir.read("a").unwrap().is_none());
        for (contents, durability) in
            [(&b"one"[..], Durability::Now), (b"", Durability::Eventually), (b"three", Durability::Now)]
        {
            dir.replace("a", contents, durability).unwrap();
            assert_eq!(dir.read("a").unwrap().as_deref(), Some(contents));
        }
        let names: Vec<_> = path.read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["a"]);
    }

    #[test]
    fn a_temporary_file_left_by_a_crash_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let (path, dir) = private(&folder);
        std::fs::write(path.join("a.new"), b"half of a reco").unwrap();
        dir.replace("a", b"record", Durability::Now).unwrap();
        assert_eq!(dir.read("a").unwrap().as_deref(), Some(&b"record"[..]));
        assert!(!path.join("a.new").exists());
    }

    #[test]
    fn of_many_callers_at_once_one_makes_the_file_and_all_see_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let (path, shared) = private(&folder);
        let seen: Vec<Vec<u8>> = std::thread::scope(|scope| {
            let callers: Vec<_> = (0u8..8)
                .map(|caller| {
                    let (path, shared) = (&path, &shared);
                    scope.spawn(move || {
                        // Half of them with a descriptor of their own, as another process has.
                        let own = PrivateDir::open(path).unwrap();
                        let dir = if caller % 2 == 0 { &own } else { shared };
                        dir.replace("busy", &[caller; 4096], Durability::Eventually).unwrap();
                        dir.read_or_create("once", || vec![caller]).unwrap()
                    })
                })
                .collect();
            callers.into_iter().map(|caller| caller.join().unwrap()).collect()
        });
        assert!(seen.iter().all(|bytes| *bytes == seen[0]), "{seen:?}");
        let busy = shared.read("busy").unwrap().unwrap();
        assert!(busy.len() == 4096 && busy.iter().all(|byte| *byte == busy[0]));
    }
}
