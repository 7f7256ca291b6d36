//! What goes over the socket. The status is also what `status --json` prints: fields are added, never
//! renamed, and one that is missing has its default: mounts outlive an upgrade of the program.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::keys::{KeysReply, KeysRequest};
use crate::cli::exit::Exit;
use crate::object::LinkStatus;
use crate::volume::GcReport;

/// An order to a mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub enum Request {
    /// One [`Reply::Status`].
    Status,
    /// Progress, then the outcome once everything accepted so far is in the bucket.
    Sync { timeout_secs: u64 },
    /// Progress, then the outcome; after a success nothing is mounted any more. `force` gives up on
    /// what cannot be stored.
    Unmount { force: bool, timeout_secs: u64 },
    /// Steps, then what was collected.
    Gc { dry_run: bool, grace_secs: Option<u64> },
    /// Progress, then the outcome once the quota is in the bucket; what is not named stays. 0: no limit.
    SetQuota { bytes: Option<u64>, inodes: Option<u64> },
    /// Progress, then the outcome once a mount that only looked writes.
    BeginWriting,
    /// The outcome once the process goes by the access times that these mount options name.
    Remount { options: String },
    /// What has to do with epochs of keys.
    Keys(KeysRequest),
}

/// An answer of a mount.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub enum Reply {
    Status(Box<MountStatus>),
    Progress(Waiting),
    /// Steps done and steps in all, of whatever is being done.
    Steps {
        done: u64,
        total: u64,
    },
    Collected(Collected),
    Keys(KeysReply),
    Finished(Outcome),
}

/// How an order ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outcome {
    pub exit: Exit,
    /// What happened, for people; empty when all went well.
    pub message: String,
}

/// What a garbage collection did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collected {
    /// Deleted objects and their bytes.
    pub objects: u64,
    pub bytes: u64,
    /// Objects that a later run deletes, when nobody can be reading them any more.
    pub condemned: u64,
    /// Objects that stay because the volume needs them.
    pub kept_objects: u64,
    pub kept_bytes: u64,
    /// Bytes moved out of mostly dead segments.
    pub rewritten_bytes: u64,
    /// Objects that are not hushfs's; never touched.
    pub foreign: u64,
}

impl From<GcReport> for Collected {
    fn from(report: GcReport) -> Self {
        Self {
            objects: report.objects,
            bytes: report.bytes,
            condemned: report.condemned,
            kept_objects: report.kept_objects,
            kept_bytes: report.kept_bytes,
            rewritten_bytes: report.rewritten_bytes,
            foreign: report.foreign,
        }
    }
}

/// What is not in the bucket yet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Contents of files.
    pub bytes: u64,
    /// Files whose contents are among these bytes and not yet on their way.
    pub files: u64,
    /// Changes of names, attributes and contents that no commit holds yet.
    pub changes: u64,
    /// Why it does not get on, when the last attempt failed.
    pub problem: Option<String>,
}

impl Waiting {
    /// True when everything is in the bucket.
    pub fn is_nothing(&self) -> bool {
        self.bytes == 0 && self.files == 0 && self.changes == 0
    }
}

/// Everything a mount tells about itself.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MountStatus {
    /// Where it was mounted first.
    pub mountpoint: PathBuf,
    /// Where it is shown now, the newest place first, as far as its process can see; `None` when that is not known.
    pub places: Option<Vec<PathBuf>>,
    /// The kernel's number of the filesystem, `major:minor`: the same in every place where it is shown.
    pub device: String,
    pub bucket: String,
    pub volume: String,
    pub fingerprint: String,
    pub label: String,
    pub pid: u32,
    pub read_only: bool,
    pub single_writer: bool,
    /// How the bucket's server is being talked to.
    pub link: LinkStatus,
    /// `ok`, or `failing` while the bucket does not take what is waiting, or its log cannot be followed.
    pub health: String,
    pub waiting: Waiting,
    pub space: SpaceStatus,
    pub encryption: EncryptionStatus,
    pub cache: CacheStatus,
    pub requests: RequestCounts,
    pub log: LogStatus,
    /// Names under which conflicting versions were kept.
    pub conflicts: Vec<String>,
}

/// The server's encryption at rest, beside hushfs's own.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct EncryptionStatus {
    /// What this mount asks for with every write, as `--sse` has it.
    pub asked: String,
    /// What older objects may have beside that.
    pub also_read: Vec<String>,
    /// What the server answered to this mount's writes.
    pub server_says: Vec<ServerWords>,
    /// The bucket's default, or why it is not known; only where nothing is asked, and not for a folder.
    pub bucket_default: Option<String>,
}

/// One answer of the server, and how often it came.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerWords {
    pub words: String,
    pub answers: u64,
}

/// What the volume holds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SpaceStatus {
    pub inodes: u64,
    /// Bytes that files occupy (before compression).
    pub bytes: u64,
    /// What it may hold; 0: no limit.
    pub quota_bytes: u64,
    pub quota_inodes: u64,
}

/// The caches of this mount, in bytes and lookups.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CacheStatus {
    pub memory_bytes: u64,
    pub disk_bytes: u64,
    pub disk_limit: u64,
    pub spooled_bytes: u64,
    pub hits_memory: u64,
    pub hits_disk: u64,
    pub misses: u64,
}

/// Requests to the bucket since the mount began.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RequestCounts {
    pub total: u64,
    pub gets: u64,
    pub puts: u64,
    pub heads: u64,
    pub lists: u64,
    pub deletes: u64,
    pub bytes_up: u64,
    pub bytes_down: u64,
    pub errors: u64,
    /// Refused because there were too many, and those of them that the key service (KMS) refused.
    pub throttled: u64,
    pub throttled_by_kms: u64,
    pub retries: u64,
}

/// The commit log as this mount sees it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LogStatus {
    pub last_commit: u64,
    pub checkpoint: u64,
    pub tail_entries: u64,
    pub tail_bytes: u64,
    pub seconds_since_commit: u64,
}
