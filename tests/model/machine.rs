//! A machine that has the volume mounted, as far as a kernel would notice.

use std::sync::Arc;
use std::time::Duration;

use hushfs::base::{Epoch, Ino, MachineId, OsRandom, SystemClock, VolumeId};
use hushfs::fs::{AccessTimes, Changes, Content, Entry, Filesystem, FsError, FsOptions, Handle, RenameMode};
use hushfs::meta::record::FileKind;
use hushfs::object::Bucket;
use hushfs::vault::Vault;
use hushfs::volume::{Environment, GcRequest, Volume, VolumeOptions, fsck, gc};
use tokio::runtime::Runtime;

use crate::picture::{Picture, ROOT_USER, look};
use crate::reference::Outcome;
use crate::steps::{CHUNK, Step};
use crate::witness::MemoryWitness;

/// Dirty bytes above which writers settle: small, so that tests meet it.
const DIRTY_LIMIT: u64 = 8 * CHUNK;

pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

pub struct Machine {
    pub fs: Arc<Filesystem>,
    volume: Arc<Volume>,
    bucket: Arc<dyn Bucket>,
    handle: tokio::runtime::Handle,
}

fn environment(runtime: &tokio::runtime::Handle, bucket: Arc<dyn Bucket>) -> Environment {
    Environment {
        bucket,
        vault: Vault::from_epoch_keys(VolumeId([7; 16]), Epoch(1), &[(Epoch(1), [9; 32])]).unwrap(),
        clock: Arc::new(SystemClock),
        random: Arc::new(OsRandom),
        runtime: runtime.clone(),
        witness: Arc::new(MemoryWitness::default()),
        machine: MachineId([5; 16]),
        host: "test".into(),
    }
}

fn options(read_only: bool) -> VolumeOptions {
    VolumeOptions {
        read_only,
        commit_interval: Duration::from_millis(40),
        cache_dir: None,
        cache_size: 0,
        memory: 64 << 20,
        chunk_size: CHUNK as u32,
        label: "model".into(),
    }
}

impl Machine {
    /// Makes a volume in an empty bucket and mounts it.
    pub fn create(runtime: &Runtime, bucket: Arc<dyn Bucket>) -> Self {
        let env = environment(runtime.handle(), bucket.clone());
        runtime.block_on(Volume::create(&env, CHUNK as u32, 0, 0)).unwrap();
        Self::open(runtime, bucket)
    }

    /// Mounts the volume that is in the bucket, as the same machine after a restart.
    pub fn open(runtime: &Runtime, bucket: Arc<dyn Bucket>) -> Self {
        let env = environment(runtime.handle(), bucket.clone());
        let volume = runtime.block_on(Volume::open(env, options(false))).unwrap();
        let content = Content::new(volume.clone(), DIRTY_LIMIT);
        volume.set_dirty_source(content.clone());
        let fs = Filesystem::new(
            volume.clone(),
            content,
            FsOptions { access_times: AccessTimes::Never, ..FsOptions::default() },
        )
        .unwrap();
        Self { fs, volume, bucket, handle: runtime.handle().clone() }
    }

    /// Unmounts properly.
    pub fn close(self) {
        self.fs.shutdown();
        self.handle.block_on(self.volume.close()).unwrap();
    }

    /// The process is gone; what was not in the bucket is lost.
    pub fn die(self) {
        drop(self);
    }

    /// A full fsck of what is in the bucket.
    pub fn verify(&self) {
        let env = environment(&self.handle, self.bucket.clone());
        let volume = self.handle.block_on(Volume::open(env, options(true))).unwrap();
        let report = fsck(&volume, true, &|_, _| {}).unwrap();
        assert_eq!(report.problems, Vec::<String>::new());
    }

    /// Garbage collection in the mounted process.
    pub fn collect(&self) {
        gc(&self.volume, GcRequest::default(), &|_, _| {}).unwrap();
    }

    /// Does one step the way the kernel would: looks the path up, calls, forgets.
    pub fn apply(&self, step: &Step) -> Outcome {
        let mut kernel = Kernel { fs: &self.fs, looked_up: Vec::new() };
        let outcome = kernel.apply(step);
        kernel.forget();
        outcome
    }

    /// Everything that can be seen.
    pub fn picture(&self) -> Picture {
        look(&self.fs).into_iter().map(|(path, node)| (path, node.unwrap())).collect()
    }
}

/// Which error it is, pjdfstest checks; here it is shown with the output of a test that fails.
fn refused(error: FsError) {
    eprintln!("refused: {error}");
}

/// What a kernel does between a path and a request.
struct Kernel<'a> {
    fs: &'a Filesystem,
    looked_up: Vec<Ino>,
}

impl Kernel<'_> {
    fn forget(self) {
        for ino in self.looked_up {
            self.fs.forget(ino, 1);
        }
    }

    fn keep(&mut self, entry: Result<Entry, FsError>) -> Outcome {
        let entry = entry.map_err(refused)?;
        self.looked_up.push(entry.attr.ino);
        Ok(0)
    }

    fn find(&mut self, path: &[u8]) -> Result<(Ino, FileKind), ()> {
        let mut at = (Ino::ROOT, FileKind::Directory);
        for part in path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
            if at.1 != FileKind::Directory {
                return Err(());
            }
            let entry = self.fs.lookup(at.0, part).map_err(refused)?;
            self.looked_up.push(entry.attr.ino);
            at = (entry.attr.ino, entry.attr.kind);
        }
        Ok(at)
    }

    fn parent<'p>(&mut self, path: &'p [u8]) -> Result<(Ino, &'p [u8]), ()> {
        let cut = path.iter().rposition(|byte| *byte == b'/');
        let (dir, name) = cut.map_or((&[][..], path), |at| (&path[..at], &path[at + 1..]));
        match self.find(dir)? {
            (ino, FileKind::Directory) => Ok((ino, name)),
            _ => Err(()),
        }
    }

    fn file(&mut self, path: &[u8]) -> Result<Ino, ()> {
        match self.find(path)? {
            (ino, FileKind::Regular) => Ok(ino),
            _ => Err(()),
        }
    }

    fn changeable(&mut self, path: &[u8]) -> Result<Ino, ()> {
        match self.find(path)? {
            (_, FileKind::Symlink) => Err(()),
            (ino, _) => Ok(ino),
        }
    }

    fn remove(&mut self, path: &[u8], dir: bool) -> Outcome {
        if path.is_empty() || (self.find(path)?.1 == FileKind::Directory) != dir {
            return Err(());
        }
        let (parent, name) = self.parent(path)?;
        let removed = if dir { self.fs.rmdir(parent, name) } else { self.fs.unlink(parent, name) };
        removed.map(|()| 0).map_err(refused)
    }

    fn rename(&mut self, from: &[u8], to: &[u8], mode: RenameMode) -> Outcome {
        if from.is_empty() || to.is_empty() {
            return Err(());
        }
        self.find(from)?;
        let (parent, name) = self.parent(from)?;
        let (new_parent, new_name) = self.parent(to)?;
        self.fs.rename(parent, name, new_parent, new_name, mode).map(|()| 0).map_err(refused)
    }

    fn apply(&mut self, step: &Step) -> Outcome {
        match step {
            Step::Create(path) => {
                let (parent, name) = self.parent(path)?;
                let (entry, handle) =
                    self.fs.create(&ROOT_USER, parent, name, 0o644, 0, libc::O_RDWR).map_err(refused)?;
                self.looked_up.push(entry.attr.ino);
                self.fs.release(entry.attr.ino, handle);
                Ok(0)
            }
            Step::Mkdir(path) => {
                let (parent, name) = self.parent(path)?;
                let entry = self.fs.mkdir(&ROOT_USER, parent, name, 0o755, 0);
                self.keep(entry)
            }
            Step::Symlink(path, target) => {
                let (parent, name) = self.parent(path)?;
                let entry = self.fs.symlink(&ROOT_USER, parent, name, target);
                self.keep(entry)
            }
            Step::Link(from, to) => {
                let (ino, kind) = self.find(from)?;
                if kind == FileKind::Directory {
                    return Err(());
                }
                let (parent, name) = self.parent(to)?;
                let entry = self.fs.link(ino, parent, name);
                self.keep(entry)
            }
            Step::Unlink(path) => self.remove(path, false),
            Step::Rmdir(path) => self.remove(path, true),
            Step::Rename(from, to) => self.rename(from, to, RenameMode::Replace),
            Step::Exchange(a, b) => self.rename(a, b, RenameMode::Exchange),
            Step::Chmod(path, perm) => {
                let ino = self.changeable(path)?;
                let changes = Changes { perm: Some(*perm), ..Changes::default() };
                self.fs.setattr(&ROOT_USER, ino, changes).map(|_| 0).map_err(refused)
            }
            Step::SetXattr(path, name, value) => {
                let ino = self.changeable(path)?;
                self.fs.setxattr(&ROOT_USER, ino, name, &value.0, 0).map(|()| 0).map_err(refused)
            }
            Step::RemoveXattr(path, name) => {
                let ino = self.changeable(path)?;
                self.fs.removexattr(ino, name).map(|()| 0).map_err(refused)
            }
            content => self.change_content(content),
        }
    }

    fn change_content(&mut self, step: &Step) -> Outcome {
        let handle = Handle::from_flags(libc::O_RDWR);
        match step {
            Step::Write { path, offset, data } => {
                let ino = self.file(path)?;
                self.fs.write(ino, handle, *offset, &data.0, false).map_err(refused)?;
                Ok(data.0.len() as u64)
            }
            Step::Truncate { path, size } => {
                let ino = self.file(path)?;
                let changes = Changes { size: Some(*size), ..Changes::default() };
                self.fs.setattr(&ROOT_USER, ino, changes).map(|_| 0).map_err(refused)
            }
            Step::Punch { path, offset, len } => {
                let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
                let ino = self.file(path)?;
                self.fs.fallocate(&ROOT_USER, (ino, handle), mode, *offset, *len).map(|()| 0).map_err(refused)
            }
            Step::Collapse { path, offset, len } => {
                let ino = self.file(path)?;
                let mode = libc::FALLOC_FL_COLLAPSE_RANGE;
                self.fs.fallocate(&ROOT_USER, (ino, handle), mode, *offset, *len).map(|()| 0).map_err(refused)
            }
            Step::Copy { from, offset, to, at, len } => {
                let (from, to) = (self.file(from)?, self.file(to)?);
                let to = ((to, *at), handle);
                self.fs.copy_file_range(&ROOT_USER, (from, *offset), to, *len).map_err(refused)
            }
            other => panic!("not a change of content: {other:?}"),
        }
    }
}
