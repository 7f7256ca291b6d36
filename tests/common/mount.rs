//! A volume in memory, mounted for one test. It is unmounted when the test ends, even by a panic.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hushfs::base::{Epoch, MachineId, OsRandom, SystemClock, VolumeId};
use hushfs::fs::{Content, Filesystem};
use hushfs::fuse::{self, MountConfig, Mounted};
use hushfs::object::MemoryBucket;
use hushfs::vault::Vault;
use hushfs::volume::{Environment, Volume, VolumeOptions, Witness, WitnessStore};
use parking_lot::Mutex;
use tempfile::TempDir;

const CHUNK: u32 = 65536;
const DIRTY_LIMIT: u64 = 16 << 20;

/// A witness that lives as long as the test.
#[derive(Default)]
struct Keyring(Mutex<Option<Witness>>);

impl WitnessStore for Keyring {
    fn load(&self) -> io::Result<Option<Witness>> {
        Ok(*self.0.lock())
    }

    fn save(&self, witness: Witness) -> io::Result<()> {
        *self.0.lock() = Some(witness);
        Ok(())
    }

    fn saw_header(&self, _generation: u64) -> io::Result<()> {
        Ok(())
    }
}

/// A mounted volume.
pub struct TestMount {
    runtime: tokio::runtime::Runtime,
    env: Environment,
    folder: TempDir,
    options: String,
    live: Option<(Mounted, Arc<Volume>)>,
}

impl TestMount {
    /// A new, empty volume with default settings.
    pub fn new() -> Self {
        Self::with_options("")
    }

    /// A new volume, mounted with `-o options`.
    pub fn with_options(options: &str) -> Self {
        assert!(Path::new("/dev/fuse").exists(), "this test needs /dev/fuse");
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let vault = Vault::from_epoch_keys(VolumeId([7; 16]), Epoch(1), &[(Epoch(1), [3; 32])]).unwrap();
        let env = Environment {
            bucket: Arc::new(MemoryBucket::new()),
            vault,
            clock: Arc::new(SystemClock),
            random: Arc::new(OsRandom),
            runtime: runtime.handle().clone(),
            witness: Arc::new(Keyring::default()),
            machine: MachineId([1; 16]),
            host: "test".to_owned(),
        };
        let owner = rustix::process::getuid().as_raw();
        let group = rustix::process::getgid().as_raw();
        runtime.block_on(Volume::create(&env, CHUNK, owner, group)).unwrap();
        let folder = tempfile::Builder::new().prefix("hushfs-test-").tempdir().unwrap();
        let mut mount = Self { runtime, env, folder, options: options.to_owned(), live: None };
        mount.start();
        mount
    }

    /// The root of the mount.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// A path in the mount.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root().join(name)
    }

    /// The mounted volume.
    pub fn volume(&self) -> &Arc<Volume> {
        &self.live.as_ref().unwrap().1
    }

    /// Unmounts, closes the volume and mounts it again: what is there now came out of the bucket.
    pub fn remount(&mut self) {
        self.stop();
        self.start();
    }

    /// The same with other mount options.
    pub fn remount_with(&mut self, options: &str) {
        self.stop();
        self.options = options.to_owned();
        self.start();
    }

    /// Another machine opens the same volume.
    pub fn other_machine(&self) -> Arc<Volume> {
        let env = Environment {
            witness: Arc::new(Keyring::default()),
            machine: MachineId([2; 16]),
            host: "other".to_owned(),
            ..self.env.clone()
        };
        self.runtime.block_on(Volume::open(env, self.volume_options(false))).unwrap()
    }

    fn volume_options(&self, read_only: bool) -> VolumeOptions {
        VolumeOptions {
            read_only,
            commit_interval: Duration::from_secs(5),
            cache_dir: None,
            cache_size: 0,
            memory: 64 << 20,
            chunk_size: CHUNK,
            label: String::new(),
        }
    }

    fn start(&mut self) {
        let mut config = MountConfig::new("memory");
        config.apply(&self.options).unwrap();
        let volume = self
            .runtime
            .block_on(Volume::open(self.env.clone(), self.volume_options(config.read_only)))
            .unwrap();
        let content = Content::new(volume.clone(), DIRTY_LIMIT);
        let fs = Filesystem::new(volume.clone(), content, config.fs_options()).unwrap();
        let mounted = fuse::mount(fs, self.folder.path(), &config).unwrap();
        self.live = Some((mounted, volume));
    }

    fn stop(&mut self) {
        let (mounted, volume) = self.live.take().unwrap();
        mounted.unmount(false).expect("a test left something open");
        mounted.wait().unwrap();
        self.runtime.block_on(volume.close()).unwrap();
    }
}

impl Drop for TestMount {
    fn drop(&mut self) {
        let Some((mounted, volume)) = self.live.take() else { return };
        // Lazily: a failed test may have left files open.
        let unmounted = mounted.unmount(true);
        if std::thread::panicking() {
            return;
        }
        unmounted.unwrap();
        mounted.wait().unwrap();
        self.runtime.block_on(volume.close()).unwrap();
        let left = fuse::is_mounted(self.folder.path()).unwrap();
        assert_eq!(left, None, "the test leaked its mount");
    }
}
