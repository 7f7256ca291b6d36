//! A machine with a local keyring of its own that opens a volume the way a mount does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hushfs::base::random::SeededRandom;
use hushfs::base::{MachineId, Random, SystemClock};
use hushfs::crypto::SecretBytes;
use hushfs::fs::{AccessTimes, Content, Filesystem, FsOptions};
use hushfs::keyring::{
    Credential, Durability, KeyringError, LocalError, LocalKeyring, LocalRecord, Pin, UnlockedVolume,
    VolumeHeader,
};
use hushfs::object::{Bucket, BucketError, MemoryBucket};
use hushfs::vault::Vault;
use hushfs::volume::{Environment, Volume, VolumeError, VolumeOptions};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::sample::KEY_FILE;
use crate::witness::MemoryWitness;

/// Under which name the machine remembers the bucket.
const PLACE: &str = "memory:";
const DIRTY_LIMIT: u64 = 1 << 20;

/// Why a volume was not opened.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("bucket: {0}")]
    Bucket(#[from] BucketError),
    #[error("header: {0}")]
    Header(#[from] KeyringError),
    #[error("local keyring: {0}")]
    Local(#[from] LocalError),
    #[error("volume: {0}")]
    Volume(#[from] VolumeError),
}

/// A machine. It keeps what it has seen until it is dropped.
pub struct Machine {
    runtime: Runtime,
    keyring: LocalKeyring,
    witness: Arc<MemoryWitness>,
    random: Arc<SeededRandom>,
    _folder: TempDir,
}

/// An opened volume; closes itself.
pub struct Opened {
    pub fs: Arc<Filesystem>,
    pub volume: Arc<Volume>,
}

impl Machine {
    /// A machine that never saw any volume.
    pub fn new() -> Self {
        static SEED: AtomicU64 = AtomicU64::new(1);
        let folder = tempfile::tempdir().unwrap();
        Self {
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap(),
            keyring: LocalKeyring::open(&folder.path().join("keyring")).unwrap(),
            witness: Arc::default(),
            random: Arc::new(SeededRandom::new(SEED.fetch_add(1, Ordering::Relaxed))),
            _folder: folder,
        }
    }

    pub fn random(&self) -> &dyn Random {
        &*self.random
    }

    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// What the volume layer needs.
    pub fn environment(&self, bucket: &MemoryBucket, unlocked: &UnlockedVolume) -> Environment {
        let random: Arc<dyn Random> = Arc::clone(&self.random) as Arc<dyn Random>;
        Environment {
            bucket: Arc::new(bucket.clone()),
            vault: Vault::of(unlocked),
            clock: Arc::new(SystemClock),
            random,
            runtime: self.runtime.handle().clone(),
            witness: Arc::clone(&self.witness) as _,
            machine: self.machine_id(),
            host: "test".into(),
        }
    }

    fn machine_id(&self) -> MachineId {
        self.keyring.machine(self.random()).unwrap()
    }

    /// Opens the header with the sample's key file.
    pub fn unlock(&self, bucket: &MemoryBucket) -> Result<UnlockedVolume, Refusal> {
        self.unlock_with(bucket, &Credential::KeyFile(SecretBytes::new(KEY_FILE.to_vec())))
    }

    /// Fetches the header, compares it with what this machine remembers, and opens a slot.
    pub fn unlock_with(
        &self,
        bucket: &MemoryBucket,
        credential: &Credential,
    ) -> Result<UnlockedVolume, Refusal> {
        let fetched = self.runtime.block_on(bucket.get("volume", None))?;
        let header = VolumeHeader::decode(&fetched.bytes)?;
        self.keyring.check_header(PLACE, &header)?;
        let unlocked = header.unlock(credential)?;
        self.keyring.check_identity(PLACE, &unlocked)?;
        self.remember(&unlocked)?;
        Ok(unlocked)
    }

    fn remember(&self, unlocked: &UnlockedVolume) -> Result<(), Refusal> {
        let local = self.keyring.volume(unlocked)?;
        let known = local.load()?;
        if known.as_ref().is_some_and(|record| record.generation == unlocked.generation()) {
            return Ok(());
        }
        let record = LocalRecord {
            machine: self.machine_id(),
            generation: unlocked.generation(),
            witness: hushfs::keyring::Witness::default(),
            places: vec![PLACE.into()],
        };
        self.keyring.pin(PLACE, Pin::of(unlocked))?;
        local.store(&record, self.random(), Durability::Eventually)?;
        Ok(())
    }

    /// Opens the volume for writing. It commits only when it is told to.
    pub fn open(&self, bucket: &MemoryBucket) -> Result<Opened, Refusal> {
        self.open_unlocked(bucket, &self.unlock(bucket)?, false)
    }

    /// Opens the volume for looking.
    pub fn open_read_only(&self, bucket: &MemoryBucket) -> Result<Opened, Refusal> {
        self.open_unlocked(bucket, &self.unlock(bucket)?, true)
    }

    pub fn open_unlocked(
        &self,
        bucket: &MemoryBucket,
        unlocked: &UnlockedVolume,
        read_only: bool,
    ) -> Result<Opened, Refusal> {
        let options = Self::options(unlocked, read_only);
        self.open_in(self.environment(bucket, unlocked), options)
    }

    /// A volume that commits when it is told to.
    pub fn options(unlocked: &UnlockedVolume, read_only: bool) -> VolumeOptions {
        VolumeOptions {
            read_only,
            commit_interval: Duration::from_secs(3600),
            cache_dir: None,
            cache_size: 0,
            memory: 32 << 20,
            chunk_size: unlocked.settings().chunk_size,
            label: unlocked.settings().label.clone(),
        }
    }

    /// Opens the volume of an environment.
    pub fn open_in(&self, env: Environment, options: VolumeOptions) -> Result<Opened, Refusal> {
        let volume = self.runtime.block_on(Volume::open(env, options))?;
        let content = Content::new(volume.clone(), DIRTY_LIMIT);
        let fs_options = FsOptions { access_times: AccessTimes::Never, ..FsOptions::default() };
        let fs = Filesystem::new(volume.clone(), content, fs_options).unwrap();
        Ok(Opened { fs, volume })
    }
}

impl Opened {
    /// Unmounts properly.
    pub fn close(&self) -> Result<(), VolumeError> {
        self.fs.shutdown();
        self.volume.runtime().block_on(self.volume.close())
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.fs.shutdown();
        // Looking leaves nothing to commit; a writer that is dropped has died.
        if self.volume.is_read_only() {
            self.volume.runtime().block_on(self.volume.close()).unwrap();
        }
    }
}
