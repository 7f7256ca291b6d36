//! A machine with the defaults of `hushfs mount`, over a bucket in memory that is counted. Nothing is committed unless a
//! test says so.

use std::sync::Arc;
use std::time::Duration;

use hushfs::base::clock::ManualClock;
use hushfs::base::random::SeededRandom;
use hushfs::base::{Epoch, Ino, MachineId, OsRandom, Random, SystemClock, VolumeId};
use hushfs::fs::{AccessTimes, Caller, Content, Filesystem, FsOptions, Handle};
use hushfs::object::fault::{Fault, Faulty, Gate, Rule};
use hushfs::object::{LoggedRequest, MemoryBucket, Meter, RequestKind};
use hushfs::vault::Vault;
use hushfs::volume::{Environment, Volume, VolumeOptions};
use tokio::runtime::Runtime;

use crate::witness::MemoryWitness;

pub const KIB: u64 = 1 << 10;
pub const MIB: u64 = 1 << 20;
pub const CHUNK: u64 = 64 * KIB;

pub const USER: Caller = Caller { uid: 0, gid: 0, pid: 0 };

/// The bucket, and what runs the requests.
pub struct World {
    runtime: Runtime,
    pub bucket: MemoryBucket,
    faults: Faulty,
    meter: Meter,
    witness: Arc<MemoryWitness>,
}

pub struct Machine {
    pub fs: Arc<Filesystem>,
    pub volume: Arc<Volume>,
    pub content: Arc<Content>,
    runtime: tokio::runtime::Handle,
}

impl World {
    /// An empty volume.
    pub fn new() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let bucket = MemoryBucket::new();
        let faults = Faulty::new(Arc::new(bucket.clone()));
        let meter = Meter::new(Arc::new(faults.clone()));
        let world = Self { runtime, bucket, faults, meter, witness: Arc::default() };
        world.runtime.block_on(Volume::create(&world.environment(), CHUNK as u32, 0, 0)).unwrap();
        world
    }

    fn environment(&self) -> Environment {
        Environment {
            bucket: Arc::new(self.meter.clone()),
            vault: Vault::from_epoch_keys(VolumeId([7; 16]), Epoch(1), &[(Epoch(1), [9; 32])]).unwrap(),
            clock: Arc::new(SystemClock),
            random: Arc::new(OsRandom),
            runtime: self.runtime.handle().clone(),
            witness: self.witness.clone(),
            machine: MachineId([5; 16]),
            host: "test".into(),
        }
    }

    /// Mounts, with cold caches.
    pub fn mount(&self) -> Machine {
        self.mount_in(self.environment(), false)
    }

    /// Mounts to look only, on a machine of its own, with cold caches. Its clock stands still: it never looks at the log by
    /// itself.
    pub fn look(&self) -> Machine {
        let elsewhere = Environment {
            clock: Arc::new(ManualClock::default()),
            witness: Arc::<MemoryWitness>::default(),
            machine: MachineId([6; 16]),
            ..self.environment()
        };
        self.mount_in(elsewhere, true)
    }

    fn mount_in(&self, env: Environment, read_only: bool) -> Machine {
        let options = VolumeOptions {
            read_only,
            commit_interval: Duration::from_secs(3600),
            cache_dir: None,
            cache_size: 0,
            memory: 128 << 20,
            chunk_size: CHUNK as u32,
            label: "requests".into(),
        };
        let volume = self.runtime.block_on(Volume::open(env, options)).unwrap();
        let content = Content::new(volume.clone(), 16 * MIB);
        let options = FsOptions { writeback: true, access_times: AccessTimes::Never, ..FsOptions::default() };
        let fs = Filesystem::new(volume.clone(), content.clone(), options).unwrap();
        Machine { fs, volume, content, runtime: self.runtime.handle().clone() }
    }

    /// From now on, GETs of data wait at the gate.
    pub fn freeze_data(&self) -> Gate {
        let gate = Gate::new();
        self.faults.add(Rule::always(Fault::Freeze(gate.clone())).on(RequestKind::Get).under("data/"));
        gate
    }

    /// Opens the gate once `count` requests wait there, and for good. False: they did not come within a minute.
    pub fn release(&self, gate: &Gate, count: u64) -> bool {
        let minute = Duration::from_secs(60);
        let reached =
            self.runtime.block_on(async { tokio::time::timeout(minute, gate.reached(count)).await.is_ok() });
        self.faults.clear();
        gate.release();
        reached
    }

    /// What `work` asked of the bucket.
    pub fn requests(&self, work: impl FnOnce()) -> Requests {
        self.meter.start_log();
        work();
        Requests(self.meter.take_log())
    }
}

impl Machine {
    pub fn unmount(self) {
        self.fs.shutdown();
        self.runtime.block_on(self.volume.close()).unwrap();
    }

    pub fn sync(&self) {
        self.fs.sync().unwrap();
    }

    /// Makes a file and leaves it open.
    pub fn create(&self, parent: Ino, name: &str) -> (Ino, Handle) {
        let (entry, handle) = self.fs.create(&USER, parent, name.as_bytes(), 0o644, 0, libc::O_RDWR).unwrap();
        (entry.attr.ino, handle)
    }

    /// Makes a file with this content.
    pub fn write_new(&self, parent: Ino, name: &str, bytes: &[u8]) -> Ino {
        let (ino, handle) = self.create(parent, name);
        for (at, part) in bytes.chunks(MIB as usize).enumerate() {
            self.write(ino, handle, at as u64 * MIB, part);
        }
        self.fs.release(ino, handle);
        ino
    }

    pub fn write(&self, ino: Ino, handle: Handle, at: u64, bytes: &[u8]) {
        assert_eq!(self.fs.write(ino, handle, at, bytes, false).unwrap(), bytes.len());
    }

    pub fn find(&self, name: &str) -> Ino {
        self.fs.lookup(Ino::ROOT, name.as_bytes()).unwrap().attr.ino
    }

    /// The names in the root, as it lists them.
    pub fn list(&self) -> Vec<String> {
        let (mut names, mut cookie) = (Vec::new(), 0);
        loop {
            let page = self.fs.list(Ino::ROOT, cookie, true).unwrap();
            let Some(last) = page.last() else { return names };
            cookie = last.cookie;
            let files = page.into_iter().filter(|entry| entry.attr.is_some());
            names.extend(files.map(|entry| String::from_utf8(entry.name.to_vec()).unwrap()));
        }
    }

    pub fn open(&self, name: &str) -> (Ino, Handle) {
        let ino = self.find(name);
        (ino, self.fs.open(&USER, ino, libc::O_RDWR).unwrap())
    }
}

/// Requests, in the order of their ends.
pub struct Requests(Vec<LoggedRequest>);

impl Requests {
    fn of(&self, kind: RequestKind, prefix: &str) -> impl Iterator<Item = &LoggedRequest> {
        self.0.iter().filter(move |request| request.kind == kind && request.key.starts_with(prefix))
    }

    pub fn all(&self) -> usize {
        self.0.len()
    }

    pub fn gets(&self, prefix: &str) -> usize {
        self.of(RequestKind::Get, prefix).count()
    }

    pub fn puts(&self, prefix: &str) -> usize {
        self.of(RequestKind::Put, prefix).count()
    }

    pub fn bytes_up(&self, prefix: &str) -> u64 {
        self.of(RequestKind::Put, prefix).map(|request| request.amount).sum()
    }

    pub fn bytes_down(&self, prefix: &str) -> u64 {
        self.of(RequestKind::Get, prefix).map(|request| request.amount).sum()
    }

    /// For messages of tests that fail.
    pub fn describe(&self) -> String {
        let lines = self
            .0
            .iter()
            .map(|request| format!("{} {} {}", request.kind.name(), request.key, request.amount));
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// Bytes that do not compress.
pub fn noise(seed: u64, len: u64) -> Vec<u8> {
    let mut bytes = vec![0; len as usize];
    SeededRandom::new(seed).fill(&mut bytes);
    bytes
}
