//! What a volume is given from outside: the bucket, the keys, time, chance, and the user's settings.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::witness::WitnessStore;
use crate::base::{Clock, MachineId, Random};
use crate::data::DataConfig;
use crate::object::Bucket;
use crate::vault::Vault;

/// Everything a volume is given from outside.
#[derive(Clone)]
pub struct Environment {
    pub bucket: Arc<dyn Bucket>,
    pub vault: Vault,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    /// Multi-threaded: plain threads block on it.
    pub runtime: tokio::runtime::Handle,
    pub witness: Arc<dyn WitnessStore>,
    pub machine: MachineId,
    /// Shown in the names of conflict copies; at most 64 bytes count.
    pub host: String,
}

/// The user's settings of one mount.
#[derive(Debug, Clone)]
pub struct VolumeOptions {
    pub read_only: bool,
    /// Longest time between an operation and its commit.
    pub commit_interval: Duration,
    /// Folder of this volume's cache and spool.
    pub cache_dir: Option<PathBuf>,
    /// Bytes of the disk cache; as many again for the spool.
    pub cache_size: u64,
    /// Bytes of memory for caches and waiting data.
    pub memory: usize,
    /// Bytes of a chunk, as the volume's settings say.
    pub chunk_size: u32,
    pub label: String,
}

/// Plain bytes after which a segment is full.
const SEGMENT: usize = 8 << 20;

/// How long writers wait for a busy bucket before what waits goes to the local disk.
const SPOOL_AFTER: Duration = Duration::from_millis(250);

impl VolumeOptions {
    /// How the data layer shares the memory: a quarter for opened chunks, a quarter for waiting segments; the
    /// rest is for the metadata, which takes [`VolumeOptions::node_memory`] and [`VolumeOptions::pack_memory`].
    pub(super) fn data_config(&self) -> DataConfig {
        DataConfig {
            segment_bytes: SEGMENT,
            chunk_cache: self.memory / 4,
            disk_cache: self.cache_dir.as_ref().map(|folder| (folder.join("cache"), self.cache_size)),
            parallel_uploads: 4,
            upload_memory: (self.memory / 4).max(2 * SEGMENT),
            spool: self.cache_dir.as_ref().map(|folder| (folder.join("spool"), self.cache_size)),
            spool_after: SPOOL_AFTER,
        }
    }

    /// Bytes of decoded tree nodes in memory.
    pub(super) fn node_memory(&self) -> usize {
        (self.memory / 8).max(4 << 20)
    }

    /// Bytes of sealed tree packs in memory.
    pub(super) fn pack_memory(&self) -> usize {
        (self.memory / 16).max(4 << 20)
    }
}
