//! Re-encryption: everything that is sealed under an older epoch moves to the newest one.
//!
//! Order, each step safe to stop after and found done by the next run: the newest epoch stands in the log, so that
//! nothing new refers to an older one → live chunks move out of old segments ([`segments`]) → nodes move out of old
//! packs ([`packs`]) → gc deletes what nothing needs any more, log entries before the checkpoint among it, by its
//! own rules → what is left under old epochs is counted ([`leftovers`]). Only when that is nothing may the old keys
//! be dropped, which is the caller's to do: the volume does not have the right to write headers.
//!
//! There is no record of how far a run came: what is left to do is what still names an old epoch.
//!
//! Invariants:
//! - Readers never see a gap: a reference changes in a commit that comes after the upload of its new frame (M1), and
//!   the old object stays until gc's rules let it go (M5).
//! - Memory is bounded by the number of segments and packs, as gc's is, and a window of frames (M7).
//!
//! Failure: an error leaves what was committed. A chunk that nobody can read any more is counted and left where it is,
//! and so is its epoch: fsck tells which file it belongs to.

mod amount;
mod leftovers;
mod packs;
mod plan;
mod segments;
mod throttle;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;

use super::error::VolumeError;
use super::gc::{GcReport, GcRequest, gc};
use super::mounted::Volume;
use super::relocate::Frame;
use crate::base::Epoch;
use crate::meta::read;

pub use amount::{Amount, Watcher};
pub use leftovers::Leftovers;
pub use plan::Plan;
use throttle::Throttle;

/// What to do.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReencryptRequest {
    /// At most so many bytes of chunks and packs are moved in a second; each is read once and written once.
    pub limit_rate: Option<u64>,
    /// How gc treats what became unreachable.
    pub gc: GcRequest,
}

/// What became of it.
#[derive(Debug, Clone, Default)]
pub struct ReencryptReport {
    /// The epoch that everything was moved to.
    pub epoch: Epoch,
    pub moved: Amount,
    /// What gc deleted, and what it keeps for others.
    pub gc: GcReport,
    /// Objects that are still there under older epochs.
    pub left: Leftovers,
    /// Chunks that cannot be read, and so could not be moved.
    pub unreadable: u64,
    /// The watcher ended the run before everything was moved.
    pub stopped: bool,
    /// Hosts whose sessions are open and may still read what is left.
    pub others: Vec<String>,
}

/// A run under way.
struct Run<'a> {
    volume: &'a Arc<Volume>,
    epoch: Epoch,
    watcher: &'a dyn Watcher,
    throttle: Mutex<Throttle>,
    all: Amount,
    moved: Mutex<Amount>,
    unreadable: Mutex<HashSet<Frame>>,
}

/// The watcher, or the end of the mount, ended the run.
struct Stopped;

/// Why a step ended early.
enum Ended {
    Stopped,
    Failed(VolumeError),
}

impl From<Stopped> for Ended {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

impl From<VolumeError> for Ended {
    fn from(error: VolumeError) -> Self {
        Self::Failed(error)
    }
}

/// Moves everything to the volume's present epoch, and has gc delete what is left behind. Blocks; not to be called
/// on a runtime worker.
///
/// # Errors
/// What the bucket or the metadata raise; what was committed stays, and another run goes on from there.
pub fn reencrypt(
    volume: &Arc<Volume>,
    request: ReencryptRequest,
    watcher: &dyn Watcher,
) -> Result<ReencryptReport, VolumeError> {
    let epoch = volume.announce_keys()?.now;
    let throttle = Throttle::new(request.limit_rate, Arc::clone(volume.clock()));
    let run = Run {
        volume,
        epoch,
        watcher,
        throttle: Mutex::new(throttle),
        all: plan::plan(volume, epoch)?.to_move,
        moved: Mutex::default(),
        unreadable: Mutex::default(),
    };
    let stopped = match segments::move_all(&run).and_then(|()| packs::move_all(&run)) {
        Ok(()) => false,
        Err(Ended::Stopped) => true,
        Err(Ended::Failed(error)) => return Err(error),
    };
    volume.sync()?;
    let mut report = run.report(stopped);
    if !stopped {
        report.gc = gc(volume, request.gc, &|_, _| {})?;
        report.left = leftovers::count(volume, epoch)?;
        report.others = others(volume)?;
    }
    Ok(report)
}

impl Run<'_> {
    /// Something was moved: shows it, and waits as long as the limit of the rate demands.
    fn advance(&self, step: Amount) -> Result<(), Stopped> {
        let moved = {
            let mut moved = self.moved.lock();
            *moved += step;
            *moved
        };
        self.go_on(&moved)?;
        let wait = self.throttle.lock().spend(step.bytes);
        if wait.is_zero() || self.watcher.pause(wait).is_continue() { Ok(()) } else { Err(Stopped) }
    }

    fn go_on(&self, moved: &Amount) -> Result<(), Stopped> {
        let closed = self.volume.closed.load(Ordering::Acquire);
        if !closed && self.watcher.progress(moved, &self.all).is_continue() { Ok(()) } else { Err(Stopped) }
    }

    fn report(self, stopped: bool) -> ReencryptReport {
        ReencryptReport {
            epoch: self.epoch,
            moved: self.moved.into_inner(),
            unreadable: self.unreadable.into_inner().len() as u64,
            stopped,
            ..ReencryptReport::default()
        }
    }
}

/// What a re-encryption to `epoch` would have to do. Changes nothing.
///
/// # Errors
/// Those of reading the metadata.
pub fn plan_reencryption(volume: &Arc<Volume>, epoch: Epoch) -> Result<Plan, VolumeError> {
    plan::plan(volume, epoch)
}

fn others(volume: &Volume) -> Result<Vec<String>, VolumeError> {
    let sessions = volume.read(|view| Ok::<_, VolumeError>(read::sessions(view)?))?;
    let others = sessions.into_iter().filter(|(slot, _)| *slot != volume.slot());
    Ok(others.map(|(_, session)| session.host).collect())
}
