//! The stage: one bucket, several machines, a clock that moves when told to, and a few file operations.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::base::clock::ManualClock;
use crate::base::random::SeededRandom;
use crate::base::{Clock, Epoch, Ino, MachineId, ObjectId, VolumeId};
use crate::crypto::SecretBytes;
use crate::data::Want;
use crate::keyring::{
    Credential, HEADER_KEY, NewSlot, NewSlotKey, NewVolume, OldData, UnlockedVolume, VolumeHeader,
};
use crate::meta::apply::ApplyError;
use crate::meta::op::{LastLink, Op};
use crate::meta::read;
use crate::meta::record::{ChunkRef, FileKind, MAX_INLINE};
use crate::meta::view::View;
use crate::object::{Bucket, Faulty, MemoryBucket, Meter};
use crate::vault::Vault;
use crate::volume::open::Drive;
use crate::volume::{Environment, Volume, VolumeError, VolumeOptions, Witness, WitnessStore};

pub const CHUNK: usize = 65536;

/// A witness in memory.
#[derive(Default)]
pub struct Keyring {
    pub witness: Mutex<Option<Witness>>,
    /// The newest header accepted.
    pub generation: Mutex<u64>,
}

impl WitnessStore for Keyring {
    fn load(&self) -> Result<Option<Witness>, std::io::Error> {
        Ok(*self.witness.lock())
    }

    fn save(&self, witness: Witness) -> Result<(), std::io::Error> {
        *self.witness.lock() = Some(witness);
        Ok(())
    }

    fn saw_header(&self, generation: u64) -> Result<(), std::io::Error> {
        *self.generation.lock() = generation;
        Ok(())
    }
}

/// What opens a volume with a header.
fn key_file() -> SecretBytes {
    SecretBytes::new(vec![0x5a; 64])
}

/// The bucket and what all machines share.
pub struct World {
    pub runtime: tokio::runtime::Runtime,
    pub memory: MemoryBucket,
    pub clock: ManualClock,
    pub vault: Vault,
}

/// One machine: its own view of the bucket, its own keyring (in `env`).
pub struct Machine {
    pub env: Environment,
    pub faulty: Faulty,
    pub meter: Meter,
}

impl World {
    /// A new volume.
    pub fn new() -> Self {
        let world = Self::empty();
        let env = world.machine(0).env;
        world.runtime.block_on(Volume::create(&env, CHUNK as u32, 1000, 1000)).unwrap();
        world
    }

    /// A new volume with a header that can be rotated: each machine unlocks it for itself.
    pub fn with_header() -> Self {
        let world = Self::empty();
        let random = SeededRandom::new(77);
        let file = key_file();
        let slots = [NewSlot::new(NewSlotKey::KeyFile(&file), &random)];
        let created = crate::keyring::create(&NewVolume::default(), slots, &random, &world.clock)
            .unwrap_or_else(|e| panic!("{e}"));
        world.memory.overwrite_raw(HEADER_KEY, created.bytes);
        let env = world.machine(0).env;
        world.runtime.block_on(Volume::create(&env, CHUNK as u32, 1000, 1000)).unwrap();
        world
    }

    /// The volume as its header is now, if it has one.
    pub fn unlocked(&self) -> Option<UnlockedVolume> {
        let header = self.memory.objects().get(HEADER_KEY).cloned()?;
        let header = VolumeHeader::decode(&header).unwrap_or_else(|error| panic!("{error}"));
        let key = Credential::KeyFile(key_file());
        Some(header.unlock(&key).unwrap_or_else(|error| panic!("{error}")))
    }

    /// Replaces the header, the first half of a rotation.
    pub fn replace_header(&self, next: impl FnOnce(&UnlockedVolume) -> Vec<u8>) {
        let unlocked = self.unlocked().expect("a volume with a header");
        self.memory.overwrite_raw(HEADER_KEY, next(&unlocked));
    }

    /// Replaces the header by one with a new epoch.
    pub fn add_epoch(&self) {
        self.replace_header(|unlocked| {
            unlocked
                .with_new_epoch(OldData::Stays, &SeededRandom::new(self.clock.boot().as_nanos() as u64))
                .unwrap_or_else(|e| panic!("{e}"))
                .bytes
        });
    }

    /// The epochs that the objects under `prefix` are sealed under.
    pub fn epochs(&self, prefix: &str) -> BTreeSet<u32> {
        let objects = self.memory.objects();
        let sealed = objects.iter().filter(|(key, _)| key.starts_with(prefix));
        sealed.map(|(_, bytes)| u32::from_le_bytes(bytes[16..20].try_into().unwrap())).collect()
    }

    /// A bucket without a log.
    pub fn empty() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let vault = Vault::from_epoch_keys(VolumeId([7; 16]), Epoch(1), &[(Epoch(1), [3; 32])]).unwrap();
        Self { runtime, memory: MemoryBucket::new(), clock: ManualClock::default(), vault }
    }

    /// A machine that never saw the volume.
    pub fn machine(&self, number: u8) -> Machine {
        let vault = self.unlocked().map_or_else(|| self.vault.clone(), |unlocked| Vault::of(&unlocked));
        self.machine_with(vault, number)
    }

    /// A machine that has unlocked the volume with another credential.
    pub fn machine_of(&self, unlocked: &UnlockedVolume, number: u8) -> Machine {
        self.machine_with(Vault::of(unlocked), number)
    }

    fn machine_with(&self, vault: Vault, number: u8) -> Machine {
        let meter = Meter::new(Arc::new(self.memory.clone()));
        let faulty = Faulty::new(Arc::new(meter.clone()));
        let env = Environment {
            bucket: Arc::new(faulty.clone()) as Arc<dyn Bucket>,
            vault,
            clock: Arc::new(self.clock.clone()),
            random: Arc::new(SeededRandom::new(u64::from(number) << 32)),
            runtime: self.runtime.handle().clone(),
            witness: Arc::new(Keyring::default()),
            machine: MachineId([number; 16]),
            host: format!("host{number}"),
        };
        Machine { env, faulty, meter }
    }

    /// Keys in the bucket that start with `prefix`.
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        self.memory.objects().into_keys().filter(|key| key.starts_with(prefix)).collect()
    }

    pub fn sleep(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// All records as a machine that knows nothing reads them from the bucket.
    pub fn records(&self) -> Records {
        records(&self.machine(200).open_read_only().unwrap())
    }

    /// All files as such a machine sees them.
    pub fn files(&self) -> Files {
        files(&self.machine(200).open_read_only().unwrap())
    }
}

pub fn options() -> VolumeOptions {
    VolumeOptions {
        read_only: false,
        commit_interval: Duration::from_secs(5),
        cache_dir: None,
        cache_size: 0,
        memory: 32 << 20,
        chunk_size: CHUNK as u32,
        label: String::new(),
    }
}

impl Machine {
    pub fn open(&self) -> Result<Arc<Volume>, VolumeError> {
        Volume::open_blocking(self.env.clone(), options(), Drive::ByHand)
    }

    pub fn open_read_only(&self) -> Result<Arc<Volume>, VolumeError> {
        let options = VolumeOptions { read_only: true, ..options() };
        Volume::open_blocking(self.env.clone(), options, Drive::ByHand)
    }

    /// The requests of `f`, as `put log/…`.
    pub fn requests_of<T>(&self, f: impl FnOnce() -> T) -> (T, Vec<String>) {
        self.meter.start_log();
        let value = f();
        let requests = self.meter.take_log();
        let short = |key: &str| key.split('/').next().unwrap_or_default().to_owned();
        (
            value,
            requests
                .iter()
                .map(|request| format!("{} {}", request.kind.name(), short(&request.key)))
                .collect(),
        )
    }
}

pub type Records = BTreeMap<Vec<u8>, Bytes>;
/// Path → content; directories end in `/` and have none.
pub type Files = BTreeMap<String, Vec<u8>>;

/// All records of the current state.
pub fn records(volume: &Volume) -> Records {
    let mut all = Records::new();
    volume
        .snapshot()
        .scan(&[], &[0xff; 32], &mut |key, value| {
            all.insert(key.to_vec(), value.clone());
            ControlFlow::Continue(())
        })
        .unwrap();
    all
}

/// All files of the current state with their content.
pub fn files(volume: &Volume) -> Files {
    let mut found = Files::new();
    walk(volume, Ino::ROOT, String::new(), &mut found);
    found
}

fn walk(volume: &Volume, directory: Ino, path: String, found: &mut Files) {
    let mut entries = Vec::new();
    read::list(&volume.snapshot(), directory, 0, &mut |entry| {
        entries.push(entry);
        ControlFlow::Continue(())
    })
    .unwrap();
    for entry in entries {
        let path = format!("{path}{}", String::from_utf8_lossy(&entry.name));
        match entry.dentry.kind {
            FileKind::Directory => {
                found.insert(format!("{path}/"), Vec::new());
                walk(volume, entry.dentry.ino, format!("{path}/"), found);
            }
            _ => {
                found.insert(path, content(volume, entry.dentry.ino));
            }
        }
    }
}

/// Content of a file.
pub fn content(volume: &Volume, ino: Ino) -> Vec<u8> {
    let view = volume.snapshot();
    let inode = read::inode(&view, ino).unwrap().unwrap();
    let mut bytes = vec![0; inode.size as usize];
    for (index, chunk) in read::chunks(&view, ino, 0..u64::MAX).unwrap() {
        let plain = match chunk {
            ChunkRef::Inline(bytes) => bytes,
            ChunkRef::Segment { segment, number, len } => {
                let record = read::segment(&view, segment).unwrap().map(Arc::new);
                let want = Want { segment, number, record };
                let read = volume.runtime().block_on(volume.data().read(&[want])).unwrap();
                read[0].slice(..len as usize)
            }
        };
        let at = index as usize * CHUNK;
        bytes[at..at + plain.len()].copy_from_slice(&plain);
    }
    bytes
}

/// Applies one op as a system call would.
pub fn apply(volume: &Volume, op: Op) -> Result<(), ApplyError> {
    let permit = volume.enter().unwrap();
    let outcome = volume.transact::<_, VolumeError>(&permit, |txn| match txn.apply(op.clone()) {
        Err(ApplyError::Read(error)) => Err(error.into()),
        outcome => Ok(outcome),
    });
    outcome.unwrap()
}

pub fn create(volume: &Volume, parent: Ino, name: &str) -> Result<Ino, ApplyError> {
    make(volume, parent, name, FileKind::Regular)
}

pub fn mkdir(volume: &Volume, parent: Ino, name: &str) -> Result<Ino, ApplyError> {
    make(volume, parent, name, FileKind::Directory)
}

fn make(volume: &Volume, parent: Ino, name: &str, kind: FileKind) -> Result<Ino, ApplyError> {
    let ino = volume.next_ino();
    let op = Op::Create {
        parent,
        name: Bytes::copy_from_slice(name.as_bytes()),
        ino,
        kind,
        perm: 0o644,
        uid: 1000,
        gid: 1000,
        rdev: 0,
        target: Bytes::new(),
        xattrs: Vec::new(),
        time: volume.now(),
    };
    apply(volume, op).map(|()| ino)
}

/// Replaces the whole content.
pub fn write(volume: &Volume, ino: Ino, bytes: &[u8]) -> Result<(), ApplyError> {
    let view = volume.snapshot();
    let version = read::inode(&view, ino).unwrap().ok_or(ApplyError::NoInode(ino))?.version;
    drop(view);
    let chunks = (0..).zip(bytes.chunks(CHUNK)).map(|(index, chunk)| {
        let plain = Bytes::copy_from_slice(chunk);
        let chunk =
            if plain.len() <= MAX_INLINE { ChunkRef::Inline(plain) } else { volume.data().place(plain) };
        (index, Some(chunk))
    });
    let op = Op::Write {
        ino,
        version,
        size: bytes.len() as u64,
        chunks: chunks.collect(),
        perm: None,
        mtime: Some(volume.now()),
        ctime: volume.now(),
    };
    apply(volume, op)
}

/// Where the first chunk of the file is.
pub fn segment_of(volume: &Volume, ino: Ino) -> ObjectId {
    let chunk = volume.read(|view| Ok::<_, VolumeError>(read::chunk(view, ino, 0)?)).unwrap();
    let Some(ChunkRef::Segment { segment, .. }) = chunk else { panic!("it is inline: {chunk:?}") };
    segment
}

/// Writes one chunk of a file that has others.
pub fn write_chunk(volume: &Volume, ino: Ino, index: u64, bytes: &[u8]) {
    let inode = read::inode(&volume.snapshot(), ino).unwrap().unwrap();
    let chunk = volume.data().place(Bytes::copy_from_slice(bytes));
    let op = Op::Write {
        ino,
        version: inode.version,
        size: inode.size,
        chunks: vec![(index, Some(chunk))],
        perm: None,
        mtime: Some(volume.now()),
        ctime: volume.now(),
    };
    apply(volume, op).unwrap();
}

/// Creates a file at the root and writes it.
pub fn put(volume: &Volume, name: &str, bytes: &[u8]) -> Ino {
    let ino = create(volume, Ino::ROOT, name).unwrap();
    write(volume, ino, bytes).unwrap();
    ino
}

pub fn lookup(volume: &Volume, parent: Ino, name: &str) -> Option<Ino> {
    read::lookup(&volume.snapshot(), parent, name.as_bytes()).unwrap().map(|dentry| dentry.ino)
}

pub fn unlink(volume: &Volume, parent: Ino, name: &str) -> Result<(), ApplyError> {
    let ino = lookup(volume, parent, name).ok_or(ApplyError::NoEntry)?;
    let name = Bytes::copy_from_slice(name.as_bytes());
    apply(volume, Op::Unlink { parent, name, ino, last: LastLink::Reap, time: volume.now() })
}

pub fn rmdir(volume: &Volume, parent: Ino, name: &str) -> Result<(), ApplyError> {
    let ino = lookup(volume, parent, name).ok_or(ApplyError::NoEntry)?;
    let name = Bytes::copy_from_slice(name.as_bytes());
    apply(volume, Op::Rmdir { parent, name, ino, time: volume.now() })
}

pub fn rename(volume: &Volume, from: (Ino, &str), to: (Ino, &str)) -> Result<(), ApplyError> {
    let ino = lookup(volume, from.0, from.1).ok_or(ApplyError::NoEntry)?;
    let op = Op::Rename {
        from: from.0,
        name: Bytes::copy_from_slice(from.1.as_bytes()),
        ino,
        to: to.0,
        new_name: Bytes::copy_from_slice(to.1.as_bytes()),
        replaced: lookup(volume, to.0, to.1),
        exchange: false,
        last: LastLink::Reap,
        time: volume.now(),
    };
    apply(volume, op)
}

/// Bytes that no compression makes small.
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    use crate::base::Random;
    let mut bytes = vec![0; len];
    SeededRandom::new(seed).fill(&mut bytes);
    bytes
}
