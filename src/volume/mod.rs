//! The state machine: layers of state, transactions, commit, rebase, checkpoint, recovery, gc, fsck.
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use crate::base::{Clock, Ino, MachineId, Random, Seq, Timestamp};
use crate::data::{DataError, DataStore};
use crate::meta::apply::ApplyError;
use crate::meta::op::Op;
use crate::meta::overlay::Txn;
use crate::meta::tree::PackRef;
use crate::meta::view::{ReadError, View, Visit};
use crate::object::{Bucket, BucketError};
use crate::vault::{Vault, VaultError};

/// Highest log position this machine saw, and that entry's hash (M6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Witness { pub seq: Seq, pub hash: [u8; 32] }
/// Where the witness is kept (the local keyring; the cli adapts it).
pub trait WitnessStore: Send + Sync {
    fn load(&self) -> Result<Option<Witness>, std::io::Error>;
    fn save(&self, witness: Witness) -> Result<(), std::io::Error>;
}

/// Everything a volume is given from outside.
pub struct Environment { pub bucket: Arc<dyn Bucket>, pub vault: Vault, pub clock: Arc<dyn Clock>, pub random: Arc<dyn Random>,
    pub runtime: tokio::runtime::Handle, pub witness: Arc<dyn WitnessStore>, pub machine: MachineId, /// ≤ 64 bytes, shown in conflicts
    pub host: String }

#[derive(Debug, Clone)]
pub struct VolumeOptions { pub read_only: bool, pub commit_interval: Duration, /// Folder of this volume's cache and spool.
    pub cache_dir: Option<PathBuf>, pub cache_size: u64, pub memory: usize, pub chunk_size: u32, pub label: String }

#[derive(Debug, thiserror::Error)]
pub enum VolumeError {
    #[error(transparent)] Bucket(#[from] BucketError),
    #[error(transparent)] Data(#[from] DataError),
    #[error(transparent)] Apply(#[from] ApplyError),
    #[error("object {key}: {source}")] Tampered { key: String, #[source] source: VaultError },
    /// The bucket shows less than this machine saw before (M6), a broken chain, or a fork.
    #[error("{0}")] RolledBack(String),
    #[error("{0}")] Corrupt(String),
    #[error("{0}")] HalfInitialised(String),
    #[error("the volume is mounted read-only")] ReadOnly,
    #[error("local state: {0}")] Local(#[from] std::io::Error),
}

/// An error that may say "fetch this pack and call me again".
pub trait NeedsPack { fn needs_pack(&self) -> Option<PackRef>; }

/// A transaction: reads see its own ops; ops are recorded for the log.
pub struct OpTxn<'a> { pub(crate) txn: Txn<'a>, pub(crate) ops: Vec<Op>, pub(crate) slot: u32 }
impl OpTxn<'_> {
    /// Applies `op` (quota enforced) and remembers it for the commit.
    pub fn apply(&mut self, _op: Op) -> Result<(), ApplyError> { todo!() }
}
impl View for OpTxn<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<bytes::Bytes>, ReadError> { self.txn.get(key) }
    fn scan(&self, start: &[u8], end: &[u8], visit: &mut Visit<'_>) -> Result<(), ReadError> { self.txn.scan(start, end, visit) }
}

/// Allows one system call to change things; while any exists no commit can be cut. Never held while waiting for a commit or for room.
pub struct Permit<'a> { _p: std::marker::PhantomData<&'a ()> }

/// Who holds written data that is not an op yet (fs/).
pub trait DirtySource: Send + Sync {
    /// Called at the cut with the gate held exclusively: turn everything dirty into Write ops now (memory only, no waiting for I/O except metadata).
    /// When it returns, pending ops are exactly the acknowledged operations (M2).
    fn drain(&self, volume: &Volume, permit: &Permit<'_>) -> Result<(), VolumeError>;
    fn dirty_bytes(&self) -> u64;
}

/// What a foreign commit (or a rebase) changed: raw meta keys, for precise invalidation of kernel caches.
pub trait Observer: Send + Sync { fn changed(&self, keys: &[Vec<u8>]); }

#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct VolumeStatus { pub seq: u64, pub checkpoint: u64, pub pending_ops: u64, pub tail_entries: u64, pub tail_bytes: u64, pub dirty_bytes: u64,
    pub waiting_bytes: u64, pub inodes: u64, pub allocated: u64, pub quota_bytes: u64, pub quota_inodes: u64, pub conflicts: Vec<String>, pub failing: Option<String>, pub seconds_since_commit: u64 }

pub struct Volume { }
impl Volume {
    /// Writes the first log entry of a new volume (the `volume` object is already there). Create-only.
    pub async fn create(_env: &Environment, _chunk_size: u32, _uid: u32, _gid: u32) -> Result<(), VolumeError> { todo!() }
    /// Finds the tail, checks it against the witness, replays since the checkpoint, opens a session, starts the committer.
    pub async fn open(_env: Environment, _options: VolumeOptions) -> Result<Arc<Volume>, VolumeError> { todo!() }
    /// Commits everything, checkpoints if worth it, closes the session, stops the threads. On error the volume stays usable and the call can be repeated.
    pub async fn close(&self) -> Result<(), VolumeError> { todo!() }

    pub fn chunk_size(&self) -> u32 { todo!() }
    pub fn now(&self) -> Timestamp { todo!() }
    /// This session's slot: owner of its orphans.
    pub fn slot(&self) -> u32 { todo!() }
    /// A number no other inode of the volume ever had.
    pub fn next_ino(&self) -> Ino { todo!() }
    pub fn data(&self) -> &DataStore { todo!() }
    pub fn runtime(&self) -> &tokio::runtime::Handle { todo!() }
    pub fn clock(&self) -> &Arc<dyn Clock> { todo!() }
    pub fn is_read_only(&self) -> bool { todo!() }

    /// Runs `f` on the current state. When `f` needs a pack it is fetched (blocking this thread, no lock held) and `f` runs again from the start:
    /// it must have no side effects until it succeeds.
    pub fn read<T, E: NeedsPack + From<VolumeError>>(&self, _f: impl FnMut(&dyn View) -> Result<T, E>) -> Result<T, E> { todo!() }
    /// Waits while too much is pending (back-pressure), then opens the gate for one system call. EROFS-like error when read-only.
    /// Call without locks held; never twice in one thread.
    pub fn enter(&self) -> Result<Permit<'_>, VolumeError> { todo!() }
    /// Runs `f` against the current state under the state lock; its ops become visible and pending all together or not at all. Same repeat rule as `read`.
    pub fn transact<T, E: NeedsPack + From<VolumeError>>(&self, _permit: &Permit<'_>, _f: impl FnMut(&mut OpTxn<'_>) -> Result<T, E>) -> Result<T, E> { todo!() }
    /// Everything acknowledged before this call is in the bucket when it returns (fsync, sync). Group commit: callers share one.
    pub fn sync(&self) -> Result<(), VolumeError> { todo!() }
    pub fn set_dirty_source(&self, _source: Arc<dyn DirtySource>) { todo!() }
    pub fn set_observer(&self, _observer: Arc<dyn Observer>) { todo!() }
    pub fn status(&self) -> VolumeStatus { todo!() }
}

#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct FsckReport { pub entries: u64, pub packs: u64, pub nodes: u64, pub inodes: u64, pub segments: u64, pub chunks: u64, pub bytes: u64, pub stray_objects: u64, pub problems: Vec<String> }
/// Verifies every object reachable; with `data` opens every chunk too. `progress(done, total)`.
pub async fn fsck(_env: &Environment, _data: bool, _progress: &(dyn Fn(u64, u64) + Send + Sync)) -> Result<FsckReport, VolumeError> { todo!() }

#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct GcReport { pub objects: u64, pub bytes: u64, pub condemned: u64, pub kept_objects: u64, pub kept_bytes: u64, pub rewritten_bytes: u64 }
/// `grace`: None = at once if no other session is known to be alive, else 24 hours.
pub async fn gc(_env: &Environment, _dry_run: bool, _grace: Option<Duration>, _own_machine_mounted: bool, _progress: &(dyn Fn(u64, u64) + Send + Sync)) -> Result<GcReport, VolumeError> { todo!() }
