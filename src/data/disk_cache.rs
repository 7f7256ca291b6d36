//! Sealed bytes on the local disk: what was fetched once, at the offsets it has in the bucket.
//!
//! Each object is one sparse file, `<2 hex>/<id>`. There is no index on disk: a part that was never fetched
//! is a hole, reads as zeros, and zeros never pass as a frame. So a crash at any moment, a restart or a
//! damaged disk needs no repair: what does not verify is dropped and fetched again. Whole objects (tree
//! packs) are replaced by rename.
//!
//! Sizes are allocated blocks. Whole files go, the one used longest ago first; the order survives a restart
//! in the files' mtimes. Writing happens in the background on one blocking thread; what comes faster than
//! the disk takes it is not cached.
//!
//! The cache leaves part of the disk to others: it shrinks as the disk fills up, whoever fills it, and gives way to the
//! spool.
//!
//! A file that is not this user's own, or has another name as well (a link of either kind), is never written to nor
//! believed: it is removed, and made anew. So are links in place of the folders, when the mount begins.
//!
//! Failure behaviour: a disk that is full or broken is logged once; the cache then lets a number of writes
//! pass before it tries again. Reads that fail are misses.
//!
//! Lock order: `files` (held while files change, on blocking threads and in [`DiskCache::evict`]), then
//! `queue`, then `index`.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};
use rustix::fs::{OFlags, Timespec, Timestamps, UTIME_NOW, futimens};
use rustix::io::Errno;
use tokio::runtime::Handle;

use super::disk_index::DiskIndex;
use super::spooling::advice;
use super::uncached::{Uncached, Way};
use crate::base::ObjectId;

/// Bytes that may wait to be written.
const QUEUE_BYTES: usize = 16 * 1024 * 1024;

/// Writes that are passed over after one failed.
const PASSED_OVER: u32 = 256;

/// What is left free for others: a twentieth of the disk, this at most.
const SPARED: u64 = 1024 * 1024 * 1024;

/// Longest whole object taken from the disk; a longer file is not one of ours.
const MAX_OBJECT: u64 = 64 * 1024 * 1024;

/// Ends the name of a whole object that is being written.
const UNFINISHED: &str = ".new";

/// Leading bytes of a hole. A frame starts with its plain length, which is never 0 in a segment.
const HOLE: [u8; 8] = [0; 8];

/// The cache of one volume.
pub(super) struct DiskCache {
    folder: PathBuf,
    limit: u64,
    runtime: Handle,
    index: Mutex<DiskIndex>,
    queue: Mutex<Queue>,
    /// Wakes who waits for an empty queue.
    idle: Condvar,
    files: Mutex<()>,
    /// Writes still to pass over; not 0: the disk failed lately.
    pass_over: AtomicU32,
    uncached: Uncached,
}

#[derive(Default)]
struct Queue {
    writes: VecDeque<Write>,
    bytes: usize,
    draining: bool,
}

struct Write {
    id: ObjectId,
    bytes: Bytes,
    /// None: the whole object.
    offset: Option<u64>,
}

impl DiskCache {
    /// Uses `folder` (made when first written to) and starts to learn what is in it.
    pub fn open(folder: PathBuf, limit: u64, runtime: Handle) -> Arc<Self> {
        let cache = Arc::new(Self {
            folder,
            limit,
            runtime: runtime.clone(),
            index: Mutex::new(DiskIndex::new()),
            queue: Mutex::default(),
            idle: Condvar::new(),
            files: Mutex::new(()),
            pass_over: AtomicU32::new(0),
            uncached: Uncached::default(),
        });
        let scanner = Arc::clone(&cache);
        cache.queue.lock().draining = true;
        runtime.spawn_blocking(move || {
            scanner.scan();
            scanner.drain();
        });
        cache
    }

    /// False when asking for the object would be in vain.
    pub fn may_hold(&self, id: ObjectId) -> bool {
        self.index.lock().may_hold(id)
    }

    /// Opens an object's file for reading frames. Blocks on the disk.
    pub fn lookup(&self, id: ObjectId) -> Option<CachedFile> {
        let file = match open_own(OpenOptions::new().read(true), &self.path(id)) {
            Ok(file) => file,
            Err(error) => {
                match error.kind() {
                    ErrorKind::NotFound => self.index.lock().removed(id),
                    ErrorKind::InvalidData => {
                        log::warn!("the disk cache's copy of object {id} is removed: {error}");
                        self.evict(id);
                    }
                    _ => {
                        self.index.lock().removed(id);
                        self.failed(&error);
                    }
                }
                return None;
            }
        };
        if self.index.lock().used(id) {
            stamp(&file);
        }
        Some(CachedFile { file })
    }

    /// Reads a whole object. Blocks on the disk.
    pub fn read_object(&self, id: ObjectId) -> Option<Bytes> {
        let CachedFile { file } = self.lookup(id)?;
        let read = || {
            let len = file.metadata()?.len();
            if len > MAX_OBJECT {
                return Err(io::Error::new(ErrorKind::InvalidData, "a cached object is too long"));
            }
            let mut bytes = vec![0; len as usize];
            file.read_exact_at(&mut bytes, 0)?;
            Ok(Bytes::from(bytes))
        };
        match read() {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                log::warn!("the disk cache's copy of object {id} is not usable: {error}");
                self.evict(id);
                None
            }
        }
    }

    /// Keeps part of a segment, some time soon, if the disk can take it.
    pub fn offer(self: &Arc<Self>, id: ObjectId, offset: u64, sealed: Bytes) {
        self.enqueue(Write { id, bytes: sealed, offset: Some(offset) });
    }

    /// Keeps a whole object, some time soon, if the disk can take it.
    pub fn offer_object(self: &Arc<Self>, id: ObjectId, sealed: Bytes) {
        self.enqueue(Write { id, bytes: sealed, offset: None });
    }

    /// Forgets an object, also what still waits to be written of it. Waits for a write under way.
    pub fn evict(&self, id: ObjectId) {
        let _files = self.files.lock();
        {
            let mut queue = self.queue.lock();
            queue.writes.retain(|write| write.id != id);
            queue.bytes = queue.writes.iter().map(|write| write.bytes.len()).sum();
        }
        self.discard(id);
    }

    /// Removes at least `bytes`, or all there is, for the sake of what matters more. False when it holds nothing.
    /// Blocks on the disk.
    pub fn make_room(&self, bytes: u64) -> bool {
        let _files = self.files.lock();
        let held = self.bytes();
        self.shrink_to(held.saturating_sub(bytes));
        held > 0
    }

    /// Allocated bytes.
    pub fn bytes(&self) -> u64 {
        self.index.lock().bytes()
    }

    /// Blocks until the scan is done and nothing waits to be written.
    #[cfg(test)]
    pub fn settle(&self) {
        let mut queue = self.queue.lock();
        while queue.draining {
            self.idle.wait(&mut queue);
        }
    }

    fn enqueue(self: &Arc<Self>, write: Write) {
        let passed_over =
            self.pass_over.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        // The last one of a row tries the disk again.
        if matches!(passed_over, Ok(left) if left > 1) {
            return;
        }
        let mut queue = self.queue.lock();
        if queue.bytes + write.bytes.len() > QUEUE_BYTES {
            return;
        }
        queue.bytes += write.bytes.len();
        queue.writes.push_back(write);
        if !std::mem::replace(&mut queue.draining, true) {
            let writer = Arc::clone(self);
            self.runtime.spawn_blocking(move || writer.drain());
        }
    }

    /// Writes until the queue is empty.
    fn drain(&self) {
        loop {
            let _files = self.files.lock();
            let (write, way) = {
                let mut queue = self.queue.lock();
                let Some(write) = queue.writes.pop_front() else {
                    queue.draining = false;
                    self.idle.notify_all();
                    return;
                };
                queue.bytes -= write.bytes.len();
                // More waits than a disk that keeps up leaves: the kernel takes copies faster.
                let way = if queue.bytes >= QUEUE_BYTES / 2 { Way::Buffered } else { Way::Direct };
                (write, way)
            };
            match self.write(&write, way) {
                Ok(allocated) => {
                    self.index.lock().written(write.id, allocated);
                    self.shrink();
                }
                Err(error) => {
                    self.failed(&error);
                    self.discard(write.id);
                    self.shrink();
                }
            }
        }
    }

    /// Returns the file's allocated bytes.
    fn write(&self, write: &Write, way: Way) -> io::Result<u64> {
        let path = self.path(write.id);
        let file = match write.offset {
            Some(offset) => {
                let file = self.create(&path, false)?;
                self.uncached.write_all_at(&file, &write.bytes, offset, way)?;
                file
            }
            None => {
                let unfinished = unfinished(&path);
                let file = self.create(&unfinished, true)?;
                self.uncached.write_all_at(&file, &write.bytes, 0, way)?;
                fs::rename(&unfinished, &path)?;
                file
            }
        };
        Ok(allocated(&file.metadata()?))
    }

    /// Opens a file for writing and makes it, with its folder, if it is missing; `fresh`: nothing may be there before.
    fn create(&self, path: &Path, fresh: bool) -> io::Result<File> {
        if fresh {
            remove_if_there(path)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).create_new(fresh).mode(0o600);
        match open_own(&mut options, path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let parent = path.parent().unwrap_or(&self.folder);
                DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
                open_own(&mut options, path)
            }
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                log::warn!("a file of the disk cache is made anew: {error}");
                remove_if_there(path)?;
                open_own(&mut options, path)
            }
            other => other,
        }
    }

    /// Removes what is over the limit, or more than the disk has room for.
    fn shrink(&self) {
        let fits = match rustix::fs::statvfs(&self.folder) {
            Ok(disk) => fits(self.bytes(), disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize),
            Err(error) => {
                log::debug!("the disk of the cache in {}: {error}", self.folder.display());
                self.limit
            }
        };
        self.shrink_to(fits.min(self.limit));
    }

    fn shrink_to(&self, limit: u64) {
        loop {
            let Some(id) = self.index.lock().pop_excess(limit) else { return };
            self.remove_file(&self.path(id));
        }
    }

    /// Removes what there is of an object, finished or not.
    fn discard(&self, id: ObjectId) {
        let path = self.path(id);
        self.index.lock().removed(id);
        self.remove_file(&unfinished(&path));
        self.remove_file(&path);
    }

    fn remove_file(&self, path: &Path) {
        if let Err(error) = remove_if_there(path) {
            self.failed(&error);
        }
    }

    /// Learns names, sizes and order; removes what a crash left unfinished. Nothing is written before it ends.
    /// A file that is evicted meanwhile may stay listed until its turn to go comes.
    fn scan(&self) {
        let mut found = Vec::new();
        self.remove_link(&self.folder);
        for bucket in 0..=u8::MAX {
            let folder = self.folder.join(format!("{bucket:02x}"));
            self.remove_link(&folder);
            match fs::read_dir(&folder) {
                Ok(entries) => entries.for_each(|entry| match entry.and_then(|entry| self.inspect(&entry)) {
                    Ok(file) => found.extend(file),
                    Err(error) => log::debug!("the disk cache passes over a file: {error}"),
                }),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => self.failed(&error),
            }
        }
        found.sort_by_key(|(modified, ..)| *modified);
        self.index.lock().scanned(found.into_iter().map(|(_, id, bytes)| (id, bytes)));
        let _files = self.files.lock();
        self.shrink();
    }

    /// Takes a link away that stands in place of a folder, and nothing behind it.
    fn remove_link(&self, folder: &Path) {
        if folder.is_symlink() {
            log::warn!(
                "{} is a symbolic link, which the disk cache does not follow: removed",
                folder.display()
            );
            self.remove_file(folder);
        }
    }

    fn inspect(&self, entry: &fs::DirEntry) -> io::Result<Option<(SystemTime, ObjectId, u64)>> {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { return Ok(None) };
        if name.ends_with(UNFINISHED) {
            self.remove_file(&entry.path());
            return Ok(None);
        }
        let Some(id) = ObjectId::from_hex(name) else { return Ok(None) };
        let metadata = entry.metadata()?;
        Ok(Some((metadata.modified()?, id, allocated(&metadata))))
    }

    fn path(&self, id: ObjectId) -> PathBuf {
        let name = id.to_hex();
        self.folder.join(&name[..2]).join(name)
    }

    fn failed(&self, error: &io::Error) {
        if self.pass_over.swap(PASSED_OVER, Ordering::Relaxed) == 0 {
            let advice = advice(error);
            log::warn!("the disk cache in {} is off for a while: {error}{advice}", self.folder.display());
        }
    }
}

/// An object's file; it stays readable when it is evicted meanwhile.
pub(super) struct CachedFile {
    file: File,
}

impl CachedFile {
    /// The sealed bytes of a frame; None: they were never fetched, or the file ends before them. Whatever
    /// is returned may be anything. Blocks on the disk.
    pub fn read(&self, range: Range<u64>) -> Option<Vec<u8>> {
        let mut bytes = vec![0; (range.end - range.start) as usize];
        match self.file.read_exact_at(&mut bytes, range.start) {
            Ok(()) => (!bytes.starts_with(&HOLE)).then_some(bytes),
            Err(error) => {
                if error.kind() != ErrorKind::UnexpectedEof {
                    log::warn!("the disk cache could not be read: {error}");
                }
                None
            }
        }
    }
}

/// How much the cache may hold when it holds `held` bytes on a disk of `total` bytes with `free` left.
fn fits(held: u64, free: u64, total: u64) -> u64 {
    held.saturating_add(free).saturating_sub((total / 20).min(SPARED))
}

/// Opens a file of the cache: a plain one, of this user, with one name. Waits for nobody at the other end of a pipe.
///
/// # Errors
/// `InvalidData` when something else is there; what open(2) says.
fn open_own(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let not_ours = |what| io::Error::new(ErrorKind::InvalidData, format!("{} {what}", path.display()));
    options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32);
    let file =
        options.open(path).map_err(|error| match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::LOOP) => not_ours("is a symbolic link"),
            // A pipe that nobody reads (open(2)), or a socket.
            Some(Errno::NXIO) => not_ours("is no plain file"),
            _ => error,
        })?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(not_ours("is no plain file"));
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(not_ours("belongs to another user"));
    }
    if metadata.nlink() > 1 {
        return Err(not_ours("has another name as well (a hard link)"));
    }
    Ok(file)
}

/// Removes a file, or a link and not what it leads to. None being there is fine.
fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Where a whole object is written before it gets its name.
fn unfinished(path: &Path) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(UNFINISHED);
    path.into()
}

/// What a file takes on the disk (st_blocks counts 512 bytes, stat(2)).
fn allocated(metadata: &fs::Metadata) -> u64 {
    metadata.blocks() * 512
}

/// Says in the file's mtime that it was used now. Only the order of eviction after a restart depends on it.
fn stamp(file: &File) {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    if let Err(error) = futimens(file, &Timestamps { last_access: now, last_modification: now }) {
        log::debug!("the disk cache could not stamp a file: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: ObjectId = ObjectId([7; 16]);

    #[tokio::test]
    async fn a_disk_that_works_again_is_used_again_after_a_while() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("cache");
        fs::write(&folder, b"in the way").unwrap();
        let cache = DiskCache::open(folder.clone(), 1 << 20, Handle::current());
        cache.offer(ID, 0, Bytes::from_static(b"refused"));
        cache.settle();
        fs::remove_file(&folder).unwrap();
        for _ in 1..PASSED_OVER {
            cache.offer(ID, 0, Bytes::from_static(b"passed over"));
        }
        cache.settle();
        assert!(cache.lookup(ID).is_none());
        cache.offer(ID, 0, Bytes::from_static(b"kept"));
        cache.settle();
        assert_eq!(cache.read_object(ID).unwrap(), "kept");
        cache.offer(ID, 4, Bytes::from_static(b" again"));
        cache.settle();
        assert_eq!(cache.read_object(ID).unwrap(), "kept again");
    }

    #[tokio::test]
    async fn links_and_pipes_in_place_of_cached_files_are_replaced_and_lead_nowhere() {
        use std::os::unix::fs::{FileTypeExt, symlink};
        let place = tempfile::tempdir().unwrap();
        let precious = place.path().join("precious");
        let cache = DiskCache::open(place.path().join("cache"), 1 << 20, Handle::current());
        for whole in [false, true] {
            let path = if whole { unfinished(&cache.path(ID)) } else { cache.path(ID) };
            let put: [&dyn Fn(); 3] = [
                &|| symlink(&precious, &path).unwrap(),
                &|| fs::hard_link(&precious, &path).unwrap(),
                &|| {
                    let mode = rustix::fs::Mode::RWXU;
                    let pipe = rustix::fs::FileType::Fifo;
                    rustix::fs::mknodat(rustix::fs::CWD, &path, pipe, mode, 0).unwrap();
                },
            ];
            for put in put {
                fs::write(&precious, b"somebody's").unwrap();
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                cache.evict(ID);
                put();
                if whole {
                    cache.offer_object(ID, Bytes::from_static(b"sealed"));
                } else {
                    cache.offer(ID, 0, Bytes::from_static(b"sealed"));
                }
                cache.settle();
                assert_eq!(fs::read(&precious).unwrap(), b"somebody's");
                assert_eq!(cache.read_object(ID).unwrap(), "sealed");
                assert!(!fs::symlink_metadata(cache.path(ID)).unwrap().file_type().is_fifo());
                cache.evict(ID);
                if !whole {
                    put();
                    assert!(
                        cache.lookup(ID).is_none(),
                        "nothing is believed that is not a file of the cache"
                    );
                    assert!(fs::symlink_metadata(&path).is_err(), "and it is removed");
                    assert_eq!(fs::read(&precious).unwrap(), b"somebody's");
                }
            }
        }
    }

    #[tokio::test]
    async fn a_link_in_place_of_a_folder_is_removed_and_nothing_behind_it() {
        for below in [Some(&ID.to_hex()[..2]), None] {
            let place = tempfile::tempdir().unwrap();
            let (elsewhere, folder) = (place.path().join("elsewhere"), place.path().join("cache"));
            fs::create_dir_all(&elsewhere).unwrap();
            fs::write(elsewhere.join("letter.new"), b"somebody's").unwrap();
            let link = below.map_or(folder.clone(), |below| folder.join(below));
            fs::create_dir_all(link.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(&elsewhere, link).unwrap();
            let cache = DiskCache::open(folder, 1 << 20, Handle::current());
            cache.offer(ID, 0, Bytes::from_static(b"sealed"));
            cache.settle();
            assert_eq!(cache.read_object(ID).unwrap(), "sealed");
            assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 1, "neither removed nor added to");
        }
    }

    #[test]
    fn part_of_the_disk_is_left_to_others() {
        const GIB: u64 = 1 << 30;
        assert_eq!(fits(0, 10 * GIB, 10 * GIB), 10 * GIB - GIB / 2);
        assert_eq!(fits(3 * GIB, 0, 1000 * GIB), 2 * GIB, "others filled it up: a gigabyte goes");
        assert_eq!(fits(3 * GIB, GIB, 1000 * GIB), 3 * GIB);
        assert_eq!(fits(GIB / 4, GIB / 4, 1000 * GIB), 0);
    }

    #[tokio::test]
    async fn room_is_made_by_what_was_used_longest_ago() {
        let place = tempfile::tempdir().unwrap();
        let cache = DiskCache::open(place.path().to_owned(), 1 << 30, Handle::current());
        assert!(!cache.make_room(1), "it holds nothing");
        let other = ObjectId([8; 16]);
        for id in [ID, other] {
            cache.offer(id, 0, Bytes::from(vec![1; 1 << 16]));
        }
        cache.settle();
        assert!(cache.make_room(1));
        assert!(cache.lookup(ID).is_none() && cache.lookup(other).is_some());
    }

    #[tokio::test]
    async fn what_waits_to_be_written_is_bounded_and_forgotten_when_evicted() {
        let place = tempfile::tempdir().unwrap();
        let cache = DiskCache::open(place.path().to_owned(), 1 << 30, Handle::current());
        let busy = cache.files.lock();
        for number in 0..64 {
            cache.offer(ID, number << 20, Bytes::from(vec![1; 1 << 20]));
        }
        assert_eq!(cache.queue.lock().bytes, QUEUE_BYTES);
        drop(busy);
        cache.evict(ID);
        cache.settle();
        assert_eq!(cache.bytes(), 0);
        assert!(cache.lookup(ID).is_none());
    }
}
