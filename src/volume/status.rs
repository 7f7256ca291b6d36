//! What `hushfs status` tells about a volume.

use super::error::VolumeError;
use super::mounted::Volume;
use crate::base::with_causes;
use crate::meta::read;
use crate::meta::record::Superblock;

/// A mounted volume in numbers.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct VolumeStatus {
    /// Newest log entry known here, and the newest checkpoint.
    pub seq: u64,
    pub checkpoint: u64,
    /// Operations that are not in the log yet.
    pub pending_ops: u64,
    /// Entries since the checkpoint, and about what they take in memory.
    pub tail_entries: u64,
    pub tail_bytes: u64,
    /// Bytes written that are not operations yet, and bytes of chunks on their way to the bucket.
    pub dirty_bytes: u64,
    pub waiting_bytes: u64,
    pub inodes: u64,
    pub allocated: u64,
    /// 0 = no limit.
    pub quota_bytes: u64,
    pub quota_inodes: u64,
    /// The last conflicts of this mount, oldest first.
    pub conflicts: Vec<String>,
    /// Why commits fail, or why the log cannot be followed, at the moment.
    pub failing: Option<String>,
    /// Since the last commit of anybody that this machine knows of.
    pub seconds_since_commit: u64,
}

impl Volume {
    /// All numbers at this moment. May fetch the superblock; zeros stand for what cannot be read.
    pub fn status(&self) -> VolumeStatus {
        let superblock =
            self.read::<_, VolumeError>(|view| Ok(read::superblock(view)?)).unwrap_or_else(|error| {
                log::warn!("the superblock cannot be read: {}", with_causes(&error));
                Superblock::default()
            });
        let (dirty_bytes, waiting_bytes) = (self.dirty_bytes(), self.data.backlog());
        let now = self.env.clock.boot();
        let state = self.state.read();
        let committed = &state.committed;
        let in_flight = state.in_flight.iter().flat_map(|batch| batch.transactions.iter());
        let unfollowed = || state.unfollowed.as_ref().map(|trouble| trouble.why.clone());
        VolumeStatus {
            seq: committed.seq.0,
            checkpoint: committed.checkpoint.seq.0,
            pending_ops: (state.pending.ops + in_flight.map(Vec::len).sum::<usize>()) as u64,
            tail_entries: committed.seq.0 - committed.checkpoint.seq.0,
            tail_bytes: committed.tail_bytes() as u64,
            dirty_bytes,
            waiting_bytes,
            inodes: superblock.inodes,
            allocated: superblock.allocated,
            quota_bytes: superblock.quota_bytes,
            quota_inodes: superblock.quota_inodes,
            conflicts: state.conflicts.clone(),
            failing: state.failing.as_ref().map(|(error, _)| with_causes(error)).or_else(unfollowed),
            seconds_since_commit: now.saturating_sub(state.last_commit).as_secs(),
        }
    }
}
