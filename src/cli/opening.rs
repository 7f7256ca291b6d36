//! From a bucket's name to an unlocked volume: what `mount`, `fsck` and `gc` begin with.
//!
//! Order matters: the header is fetched and compared with what this machine remembers before anybody
//! is asked for a passphrase, and nothing is derived before parameters were checked.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::OnceCell;

use super::bucket_args::S3Args;
use super::exit::{Exit, refuse};
use super::report::describe;
use super::unlock::{Challenge, RawCredential};
use super::unlocking::unlock_header;
use super::witness::KeyringWitness;
use super::{encryption, paths};
use crate::base::{Clock, MachineId, OsRandom, Random, SystemClock};
use crate::keyring::local::Durability;
use crate::keyring::{
    KeyringError, LocalKeyring, LocalRecord, LocalVolume, MAX_HEADER_LEN, Pin, UnlockedVolume, VolumeHeader,
};
use crate::object::{
    Bucket, BucketError, ETag, Encryption, ErrorKind, Hedge, Link, Location, Meter, Reached, Retry,
    RetryPolicy, S3Bucket, ServerEncryption, get_at_most,
};
use crate::vault::Vault;
use crate::volume::{Environment, Volume, VolumeOptions};

/// The key of the volume header under the volume's prefix.
pub const HEADER_KEY: &str = "volume";
/// How long a command tries before it says that a bucket cannot be reached.
const OPENING_PATIENCE: Duration = Duration::from_secs(20);
/// No GET is asked for again that is answered within this time.
const NEVER_LATE: Duration = Duration::from_millis(200);
/// Memory of fsck and gc for caches, in bytes.
const MAINTENANCE_MEMORY: usize = 128 << 20;
/// The longest host name that is shown in conflicts, in bytes.
const MAX_HOST_LEN: usize = 64;

/// A bucket, reached or not. Clones reach the same, and count together.
#[derive(Clone)]
pub struct Store {
    pub location: Location,
    /// How this machine remembers the bucket (see [`place_of`]).
    pub place: String,
    pub meter: Meter,
    /// The bucket itself, where it is on an S3 server.
    pub s3: Option<Arc<S3Bucket>>,
    /// What the server is asked for; nothing before a volume is opened.
    pub encryption: Encryption,
    /// What the bucket's policy demands, once somebody has looked.
    pub(super) demanded: OnceCell<Option<ServerEncryption>>,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    /// How it is reached: KMS shares region, profile and the rules for the line.
    pub s3_args: S3Args,
}

/// A volume header and the version of the object that it was read from.
pub struct FoundHeader {
    pub header: VolumeHeader,
    pub etag: ETag,
}

/// A volume whose key is at hand.
pub struct Opened {
    pub store: Store,
    pub keyring: LocalKeyring,
    pub unlocked: UnlockedVolume,
    /// The version of the `volume` object that was unlocked: what a replacement is conditional on.
    pub etag: ETag,
    pub local: LocalVolume,
    /// Shared by all who seal or open for this process.
    pub vault: Vault,
    /// Somebody has chosen what this process asks of the server ([`Self::write_as`]).
    pub(super) has_chosen: bool,
    record: LocalRecord,
}

impl Store {
    /// Prepares to talk to the bucket at `location`.
    ///
    /// # Errors
    /// `NoVolume` when a folder does not exist; what the S3 configuration lacks.
    pub async fn open(location: &Location, s3: &S3Args) -> Result<Self> {
        let reached = crate::object::open(location, &s3.options()).await;
        let reached = reached.map_err(|error| missing(error, location))?;
        Ok(Self::around(reached, location, s3))
    }

    /// As [`Self::open`], but makes the folder of a folder bucket.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_or_create(location: &Location, s3: &S3Args) -> Result<Self> {
        let reached = crate::object::open_or_create(location, &s3.options()).await;
        let reached = reached.map_err(|error| missing(error, location))?;
        Ok(Self::around(reached, location, s3))
    }

    fn around(reached: Reached, location: &Location, s3: &S3Args) -> Self {
        Self {
            location: location.clone(),
            place: place_of(location, s3),
            meter: Meter::new(reached.bucket),
            encryption: reached.s3.as_ref().map(|s3| s3.encryption().clone()).unwrap_or_default(),
            s3: reached.s3,
            demanded: OnceCell::new(),
            clock: Arc::new(SystemClock),
            random: Arc::new(OsRandom),
            s3_args: s3.clone(),
        }
    }

    /// How the server is being talked to; nothing is for a folder.
    pub fn link(&self) -> Link {
        self.s3.as_ref().map(|s3| s3.link().clone()).unwrap_or_default()
    }

    /// The bucket for the first requests of a command: it gives up while the user still looks.
    pub fn impatient(&self) -> Arc<dyn Bucket> {
        let policy = RetryPolicy { give_up_after: OPENING_PATIENCE, ..RetryPolicy::default() };
        self.retrying(Arc::new(self.meter.clone()), policy)
    }

    /// The bucket for the work itself.
    pub fn patient(&self) -> Arc<dyn Bucket> {
        let hedge = Hedge::new(Arc::new(self.meter.clone()), Arc::clone(&self.clock), NEVER_LATE);
        self.retrying(Arc::new(hedge), RetryPolicy::default())
    }

    fn retrying(&self, bucket: Arc<dyn Bucket>, policy: RetryPolicy) -> Arc<dyn Bucket> {
        let retry = Retry::new(bucket, policy, Arc::clone(&self.clock), Arc::clone(&self.random));
        Arc::new(retry.counting(self.meter.retries()))
    }

    /// Fetches and decodes the volume header.
    ///
    /// # Errors
    /// `NoVolume` for a bucket that is empty or foreign; what is wrong with the header.
    pub async fn header(&self) -> Result<FoundHeader> {
        let bucket = self.impatient();
        let fetched = match get_at_most(bucket.as_ref(), HEADER_KEY, MAX_HEADER_LEN as u64).await {
            Ok(fetched) => fetched,
            Err(error) if error.kind == ErrorKind::NotFound => {
                let why = self.no_volume(bucket.as_ref()).await?;
                return Err(self.unless_known(why));
            }
            Err(error) => return Err(error).with_context(|| format!("opening {}", self.location)),
        };
        let decoded = VolumeHeader::decode(&fetched.bytes);
        let is_foreign = matches!(decoded, Err(KeyringError::Foreign));
        match decoded.with_context(|| format!("object {HEADER_KEY:?} of {}", self.location)) {
            Ok(header) => Ok(FoundHeader { header, etag: fetched.etag }),
            Err(error) if is_foreign => Err(self.unless_known(error)),
            Err(error) => Err(error),
        }
    }

    /// `why` there is no volume; on a machine that has seen one here, that somebody took it away.
    fn unless_known(&self, why: anyhow::Error) -> anyhow::Error {
        let pinned = open_keyring().and_then(|keyring| Ok(keyring.pinned(&self.place)?));
        let pin = match pinned {
            Ok(None) => return why,
            Ok(Some(pin)) => pin,
            Err(error) => return error,
        };
        let message = format!(
            "this machine knows volume {} in {}, and it is not there any more: {}. Either its object {HEADER_KEY:?} \
             was removed or overwritten, or something else answers in its place (a folder whose disk is not \
             mounted, another server). Restore the object from an older version or a copy; nothing opens the volume \
             without it",
            pin.volume,
            self.place,
            describe(&why)
        );
        refuse(Exit::Tampered, message)
    }

    /// Why there is no volume here, and what to do.
    async fn no_volume(&self, bucket: &dyn Bucket) -> Result<anyhow::Error> {
        let found =
            bucket.list("", None, 1).await.with_context(|| format!("looking into {}", self.location))?;
        let location = &self.location;
        let message = match found.objects.first() {
            None => {
                format!("there is no volume in {location}, it is empty; make one: hushfs init {location}")
            }
            Some(object) => format!(
                "there is no volume in {location}, but other objects are ({:?} for one); check the prefix, or \
                 if this was a volume, restore its object {HEADER_KEY:?}",
                object.key
            ),
        };
        Ok(refuse(Exit::NoVolume, message))
    }
}

/// Opens the volume at `location` with the credential that `ask` brings once the volume was found.
///
/// # Errors
/// Everything that can be wrong with a bucket, a header, a key or this machine's memory of them.
pub async fn open_volume(
    location: &Location,
    s3: &S3Args,
    ask: impl FnMut(&Challenge) -> Result<RawCredential>,
) -> Result<Opened> {
    let store = Store::open(location, s3).await?;
    let found = store.header().await?;
    unlock_header(store, found, ask).await
}

impl Opened {
    /// Writes down which volume is at this place, and prepares its local record.
    ///
    /// # Errors
    /// When the local keyring refuses, for an older header among other things.
    pub fn remember(
        store: Store,
        keyring: LocalKeyring,
        unlocked: UnlockedVolume,
        etag: ETag,
    ) -> Result<Self> {
        let random = store.random.as_ref();
        let local = keyring.volume(&unlocked)?;
        let machine = keyring.machine(random)?;
        // Whether the header is older than one seen before was asked already (unlocking.rs).
        let old = local.reload()?;
        let mut record = old.clone().unwrap_or_else(|| LocalRecord {
            machine,
            generation: 0,
            witness: crate::keyring::Witness::default(),
            places: Vec::new(),
        });
        record.generation = record.generation.max(unlocked.generation());
        if !record.places.contains(&store.place) {
            record.places.push(store.place.clone());
            // The oldest place is forgotten first; its pin stays.
            let excess = record.places.len().saturating_sub(MAX_PLACES);
            record.places.drain(..excess);
        }
        // In this order: a pin without a record means that the record was lost.
        if old.as_ref() != Some(&record) {
            local.store(&record, random, Durability::Now)?;
        }
        let pin = Pin { generation: record.generation, ..Pin::of(&unlocked) };
        if keyring.pinned(&store.place)? != Some(pin) {
            keyring.pin(&store.place, pin)?;
        }
        let vault = Vault::of(&unlocked);
        encryption::settle(&store.encryption, &unlocked.settings().encryption, None, &vault)
            .with_context(|| format!("opening {}", store.location))?;
        Ok(Self { store, keyring, unlocked, etag, local, vault, has_chosen: false, record })
    }

    /// Writes down that the header was replaced by this one's successor of `generation`: an older one is
    /// refused from now on.
    ///
    /// # Errors
    /// When the local keyring cannot be written; the bucket has the new header all the same.
    pub fn note_generation(&mut self, generation: u64) -> Result<()> {
        // A mount may have moved the witness on in the meantime.
        if let Some(stored) = self.local.reload()? {
            self.record = stored;
        }
        self.record.generation = self.record.generation.max(generation);
        let random = self.store.random.as_ref();
        let pin = Pin { generation: self.record.generation, ..Pin::of(&self.unlocked) };
        let stored = self.local.store(&self.record, random, Durability::Now);
        let stored = stored.and_then(|()| self.keyring.pin(&self.store.place, pin));
        stored.context("the change is in the bucket, but this machine could not write down that it saw it")
    }

    /// Writes down that the volume has the volume key of `next` from now on, everywhere this machine knows it, and
    /// keeps what it has seen of the log.
    ///
    /// # Errors
    /// When the local keyring cannot be written; the bucket has the new header all the same.
    pub fn adopt_volume_key(&self, next: &UnlockedVolume) -> Result<()> {
        let mut record = self.local.reload()?.unwrap_or_else(|| self.record.clone());
        record.generation = record.generation.max(next.generation());
        let write = || {
            self.keyring.volume(next)?.store(&record, self.store.random.as_ref(), Durability::Now)?;
            record.places.iter().try_for_each(|place| self.keyring.pin(place, Pin::of(next)))?;
            Ok::<_, anyhow::Error>(())
        };
        write().with_context(|| {
            format!(
                "the new volume key is in the bucket, but this machine could not write that down; open the volume \
                 with --fingerprint {}",
                next.fingerprint()
            )
        })
    }

    /// The same volume once more, for somebody who lives longer.
    pub(super) fn twin(&self) -> Self {
        Self {
            store: self.store.clone(),
            keyring: self.keyring.clone(),
            unlocked: self.unlocked.twin(),
            etag: self.etag.clone(),
            local: self.local.clone(),
            vault: self.vault.clone(),
            has_chosen: self.has_chosen,
            record: self.record.clone(),
        }
    }

    /// What the volume layer needs to read, or to make a volume, over `retrying`.
    pub fn reading(&self, retrying: Arc<dyn Bucket>) -> Environment {
        self.environment(self.following(retrying))
    }

    /// What the volume layer needs, with `bucket` for its requests: one that follows the volume's settings.
    pub fn environment(&self, bucket: Arc<dyn Bucket>) -> Environment {
        let random = Arc::clone(&self.store.random);
        let witness = KeyringWitness::new(self.local.clone(), self.record.clone(), Arc::clone(&random));
        Environment {
            bucket,
            vault: self.vault.clone(),
            clock: Arc::clone(&self.store.clock),
            random,
            runtime: tokio::runtime::Handle::current(),
            witness: Arc::new(witness),
            machine: self.machine(),
            host: host_name(),
        }
    }

    /// Refuses a bucket that shows less of the log than this machine has seen, or another one (M6). For commands that
    /// replace the volume header and look at nothing else: a header that is written into a bucket that was rolled back
    /// would be missed in the newer one, as soon as that is put back.
    ///
    /// # Errors
    /// `RolledBack`; as opening the volume.
    pub async fn check_log(&self) -> Result<()> {
        let volume = Volume::open(self.reading(self.store.impatient()), self.volume_options(true)).await?;
        Ok(volume.close().await?)
    }

    /// For maintenance: no cache on disk, little memory.
    pub fn volume_options(&self, read_only: bool) -> VolumeOptions {
        let settings = self.unlocked.settings();
        VolumeOptions {
            read_only,
            commit_interval: Duration::from_secs(5),
            cache_dir: None,
            cache_size: 0,
            memory: MAINTENANCE_MEMORY,
            chunk_size: settings.chunk_size,
            label: settings.label.clone(),
        }
    }

    /// This machine's id.
    pub fn machine(&self) -> MachineId {
        self.record.machine
    }
}

/// Places kept in the local record (its own limit is higher).
const MAX_PLACES: usize = 32;

/// How this machine remembers the bucket at `location`: its URL, and the server where it is not AWS.
pub fn place_of(location: &Location, s3: &S3Args) -> String {
    match (location, s3.endpoint()) {
        (Location::S3 { .. }, Some(endpoint)) => format!("{location} at {endpoint}"),
        (Location::S3 { .. }, None) | (Location::Folder(_), _) => location.to_string(),
    }
}

/// Opens the local keyring in its usual place.
///
/// # Errors
/// When the folder is not private or cannot be made.
pub fn open_keyring() -> Result<LocalKeyring> {
    let folder = paths::data_root()?;
    paths::private_folder(&folder).with_context(|| format!("the folder {}", folder.display()))?;
    Ok(LocalKeyring::open(&folder.join("keyring"))?)
}

/// This machine's name as others see it in conflicts: at most 64 bytes.
pub fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let end = name.floor_char_boundary(MAX_HOST_LEN);
    name[..end].to_owned()
}

fn missing(error: BucketError, location: &Location) -> anyhow::Error {
    if error.kind == ErrorKind::NotFound {
        let message = format!("there is no bucket {location}: {}; make it first", error.source);
        return refuse(Exit::NoVolume, message);
    }
    anyhow::Error::new(error).context(format!("opening {location}"))
}
