//! Garbage collection: deletes what nothing needs, by marking.
//!
//! Order, each step safe to stop after: list the bucket → fold everything into a checkpoint (so that all
//! that was listed and is needed hangs on one immutable root) → move the live chunks out of mostly dead
//! segments and the live nodes out of mostly dead packs → mark from the root → commit what will go
//! (segment records, the log boundary) → delete.
//!
//! Invariants:
//! - M5: an object is deleted only if it was listed before the root was made, the root does not reach it,
//!   and it is not in flight here. Another machine may hold references that this root does not have (a
//!   state it has not left yet, a batch it has not committed), so while another session may be alive
//!   objects are condemned first and deleted by a later run, after the grace period. A mount that has not committed
//!   yet has no session, and one that sleeps in the middle of a commit wakes up with it: a segment that no commit has named
//!   is condemned whoever is known, for as long as a session is taken to be alive.
//!   Without a grace period the deletion follows a commit that stands directly on the state that was marked: when
//!   that commit meets entries of others (which a listing may have left out), nothing is deleted.
//! - M3: the log boundary is committed before any entry is deleted, and the newest entries never go.
//! - Metadata never names a deleted segment: its record goes in a commit before the object does.

mod condemn;
mod inventory;
mod log_tail;
mod mark;
mod rewrite;

use std::sync::Arc;
use std::time::Duration;

use crate::volume::{Volume, VolumeError};

pub(super) use condemn::SINCE_EVER;
use condemn::Verdicts;
pub(super) use inventory::Inventory;
pub(super) use mark::{Frames, each_chunk};

/// How long objects stay condemned while another session may need them.
const DEFAULT_GRACE: Duration = Duration::from_secs(24 * 3600);

/// The shortest while anybody else may be writing. Far longer than writers go without looking at the log (`follow.rs`).
const LEAST_SHARED_GRACE: Duration = Duration::from_secs(3600);

/// How often a collection begins again because somebody else committed meanwhile.
const MOST_ATTEMPTS: u32 = 3;

/// What to do.
#[derive(Debug, Clone, Copy, Default)]
pub struct GcRequest {
    /// Say what would go, change nothing.
    pub dry_run: bool,
    /// How long to keep what became unreachable. None: not at all when no other machine has a session, 24 hours while
    /// one that does can be alive, else an hour. Never less than that hour while one has a session.
    pub grace: Option<Duration>,
    /// Another process on this machine has the volume mounted.
    pub mounted_here: bool,
}

/// What happened, or would.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct GcReport {
    /// Deleted objects and their bytes in the bucket.
    pub objects: u64,
    pub bytes: u64,
    /// Objects that wait for their grace period to end.
    pub condemned: u64,
    /// Objects that stay because the volume needs them.
    pub kept_objects: u64,
    pub kept_bytes: u64,
    /// Plain bytes moved out of mostly dead segments.
    pub rewritten_bytes: u64,
    /// Objects under the prefix that are not the volume's; never touched.
    pub foreign: u64,
}

/// Progress of a long run: steps done and steps in all, of whatever is being done.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) + Send + Sync);

/// Runs one collection on a mounted (or just opened) volume. Blocks; not to be called on a runtime worker.
///
/// # Errors
/// Whatever the bucket or the metadata raise; nothing is half done that the next run would not finish. `Corrupt` when
/// others committed during every attempt although none of them could be alive.
pub fn gc(volume: &Arc<Volume>, request: GcRequest, progress: Progress<'_>) -> Result<GcReport, VolumeError> {
    for _ in 0..MOST_ATTEMPTS {
        if let Some(report) = collect(volume, request, progress)? {
            return Ok(report);
        }
        log::warn!(
            "another machine committed while garbage was collected: nothing was deleted, beginning again"
        );
    }
    Err(VolumeError::Corrupt(format!(
        "others committed during each of {MOST_ATTEMPTS} collections, so nothing was deleted; run gc again, or give \
         a grace period"
    )))
}

/// One attempt. `None`: it was to delete at once, because nobody else could be using the volume, and somebody was.
fn collect(
    volume: &Arc<Volume>,
    request: GcRequest,
    progress: Progress<'_>,
) -> Result<Option<GcReport>, VolumeError> {
    let known = if request.dry_run { volume.taken_over() } else { volume.look_for_others()? };
    let grace = grace(volume, request)?;
    let inventory = Inventory::list(volume)?;
    let mut rewritten = 0;
    if !request.dry_run {
        volume.sync()?;
        rewritten = rewrite::vacate(volume, &inventory, progress)?;
        volume.checkpoint_now(&mark::sparse_packs(volume, &inventory)?)?;
    }
    let snapshot = volume.snapshot();
    let live = mark::mark(&snapshot, progress)?;
    let verdicts = Verdicts::judge(volume, &snapshot, &inventory, &live, grace)?;
    let mut report = verdicts.report();
    report.rewritten_bytes = rewritten;
    // A checkpoint would fold all that is committed.
    let folded = if request.dry_run { volume.seq() } else { volume.checkpoint_seq() };
    let log = log_tail::boundary(volume, &snapshot, grace, folded)?;
    if request.dry_run {
        report += log.would_delete(&inventory);
    } else {
        verdicts.commit(volume, &log)?;
        if grace.is_zero() && volume.taken_over() != known {
            return Ok(None);
        }
        report += log_tail::delete(volume, &log, &inventory)?;
        verdicts.delete(volume, progress)?;
    }
    Ok(Some(report))
}

/// The grace period that applies: zero only when nobody else can be using the volume, whatever was asked for. A writer
/// that has not looked for a while would commit into the gap where entries were deleted and be told that it did, and
/// what it has uploaded and not committed yet would be gone. A session that nobody has closed is not taken for dead by
/// the clock: what goes because of it was marked an hour before, and a live one has looked since.
fn grace(volume: &Volume, request: GcRequest) -> Result<Duration, VolumeError> {
    let others = volume.other_writers()?.iter().any(|writer| request.mounted_here || !writer.here);
    let shared = others || request.mounted_here;
    let least = match shared || volume.has_foreign_sessions()? {
        true => LEAST_SHARED_GRACE,
        false => Duration::ZERO,
    };
    Ok(match request.grace {
        Some(grace) if grace < least => {
            log::warn!("others may be writing to the volume: what they may need stays for an hour, not less");
            least
        }
        Some(grace) => grace,
        None if shared => DEFAULT_GRACE,
        None => least,
    })
}

impl std::ops::AddAssign<log_tail::Deleted> for GcReport {
    fn add_assign(&mut self, deleted: log_tail::Deleted) {
        self.objects += deleted.objects;
        self.bytes += deleted.bytes;
        self.kept_objects = self.kept_objects.saturating_sub(deleted.objects);
        self.kept_bytes = self.kept_bytes.saturating_sub(deleted.bytes);
    }
}
