//! Verification of a whole volume: every object reachable, every record, how they fit together.
//!
//! Reads the bucket only (the volume must be opened read-only and without a disk cache) and changes
//! nothing. What is wrong becomes a line of the report; only trouble that ends the reading itself (the
//! bucket away, the state unreadable) is an error. Memory grows with the number of inodes (some 50 bytes
//! each) and segments.

mod data;
mod listed;
mod log;
mod namespace;
mod packs;
mod records;

use std::sync::Arc;

use super::gc::{Inventory, Progress};
use super::snapshot::Snapshot;
use super::{Volume, VolumeError};
use crate::meta::read;
use crate::meta::tree::walk;

/// Problems kept with their words; more are only counted.
const MAX_PROBLEMS: usize = 1000;

/// How often a check that found something begins again because somebody else committed meanwhile.
const MOST_ATTEMPTS: u32 = 3;

/// What was looked at and what is wrong.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct FsckReport {
    pub entries: u64,
    pub packs: u64,
    pub nodes: u64,
    pub inodes: u64,
    pub dentries: u64,
    pub segments: u64,
    pub chunks: u64,
    /// Frames opened, with `data`.
    pub frames: u64,
    /// Bytes of the objects that belong to the volume.
    pub bytes: u64,
    /// Objects of the format that nothing reaches: what gc would delete.
    pub stray_objects: u64,
    /// Objects that are not of the format.
    pub foreign_objects: u64,
    /// What is wrong, one line each; the first 1,000.
    pub problems: Vec<String>,
    /// How many problems there are in all.
    pub problem_count: u64,
}

impl FsckReport {
    fn problem(&mut self, what: String) {
        self.problem_count += 1;
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(what);
        }
    }
}

/// Verifies a volume; with `data` every live segment and every pack of the tree is fetched and opened from end
/// to end, too. Blocks; not to be called on a runtime worker.
///
/// Who only reads has no session, so gc elsewhere waits for nothing that is checked here: what was found missing while
/// others committed is looked for again, in the newer state.
///
/// # Errors
/// When the bucket cannot be read or a tree node does not open: nothing below it can be judged then.
pub fn fsck(volume: &Arc<Volume>, data: bool, progress: Progress<'_>) -> Result<FsckReport, VolumeError> {
    let mut attempt = 1;
    loop {
        let checked = check(volume, data, progress);
        let is_sound = checked.as_ref().is_ok_and(|report| report.problem_count == 0);
        if is_sound || attempt == MOST_ATTEMPTS || !others_went_on(volume) {
            return checked;
        }
        ::log::info!("the volume changed while it was checked, and something was missing: checking it again");
        attempt += 1;
    }
}

/// Whether others committed; then the state is read anew, from the newest checkpoint. A follower keeps its old one,
/// whose packs gc has deleted.
fn others_went_on(volume: &Volume) -> bool {
    if !volume.is_read_only() {
        return false;
    }
    match volume.recovery().open() {
        Ok(committed) => {
            let mut state = volume.state.write();
            let newer = committed.seq > state.committed.seq;
            if newer {
                state.committed = committed;
                state.generation += 1;
            }
            newer
        }
        Err(error) => {
            ::log::warn!("looking for what others have committed: {error}");
            false
        }
    }
}

fn check(volume: &Arc<Volume>, data: bool, progress: Progress<'_>) -> Result<FsckReport, VolumeError> {
    let mut report = FsckReport::default();
    let newest = volume.state.read().committed.seq;
    let inventory = Inventory::list(volume)?;
    report.bytes = inventory.own().map(|object| object.len).sum();
    report.foreign_objects = inventory.foreign;
    let snapshot = volume.snapshot();
    let boundary = read::superblock(&snapshot)?.gc_boundary;
    log::check(volume, &inventory, boundary, newest, &mut report)?;
    let packs = check_tree(&snapshot, &mut report)?;
    let facts = records::check(&snapshot, u64::from(volume.chunk_size()), &mut report)?;
    namespace::check(&snapshot, facts.links, &mut report)?;
    let live = data::check_references(&snapshot, &inventory, &mut report)?;
    let strays = inventory.packs.keys().filter(|id| !packs.contains(id)).count();
    report.stray_objects =
        (strays + inventory.segments.keys().filter(|id| !live.contains_key(id)).count()) as u64;
    if data {
        packs::open_everything(volume, &inventory, &packs, &mut report)?;
        data::open_everything(volume, &inventory, &live, &mut report, progress)?;
    }
    Ok(report)
}

/// Opens every node; each is verified by its seal and its hash as it is read.
fn check_tree(
    snapshot: &Snapshot,
    report: &mut FsckReport,
) -> Result<std::collections::HashSet<crate::base::ObjectId>, VolumeError> {
    let mut packs = std::collections::HashSet::new();
    walk(snapshot.nodes(), snapshot.root(), &mut |node, _| {
        packs.insert(node.pack.id);
        report.nodes += 1;
        Ok(())
    })?;
    report.packs = packs.len() as u64;
    Ok(packs)
}
