//! Shortening the log (M3).

use std::time::Duration;

use super::inventory::Inventory;
use crate::base::{Seq, Timestamp};
use crate::meta::op::Op;
use crate::meta::read;
use crate::object::Listed;
use crate::volume::snapshot::Snapshot;
use crate::volume::{Volume, VolumeError};

/// Which entries may go now, and which boundary is to be published for later.
pub(super) struct Boundary {
    /// Entries before this one go now. They are folded into a checkpoint, and this boundary was published
    /// before (or is in the commit that comes before the deletion, when nobody else can be writing).
    delete_before: Seq,
    publish: Option<Seq>,
}

/// What was deleted of the log.
#[derive(Default)]
pub(super) struct Deleted {
    pub objects: u64,
    pub bytes: u64,
}

/// `folded` is the newest entry that is part of a checkpoint. It stays itself: its hash is where the chain begins.
pub(super) fn boundary(
    volume: &Volume,
    snapshot: &Snapshot,
    grace: Duration,
    folded: Seq,
) -> Result<Boundary, VolumeError> {
    let superblock = read::superblock(snapshot)?;
    let publish = (superblock.gc_boundary < folded).then_some(folded);
    let ripe = superblock.gc_published.age(volume.now()) >= grace;
    let delete_before = match (grace.is_zero(), ripe) {
        (true, _) => folded,
        (false, true) => superblock.gc_boundary,
        (false, false) => Seq(0),
    };
    // Publishing restarts the clock of the boundary: wait for the old one to be used first.
    let publish = if grace.is_zero() || ripe { publish } else { None };
    Ok(Boundary { delete_before, publish })
}

impl Boundary {
    /// The op that makes the boundary known to writers that were away.
    pub fn publish(&self, time: Timestamp) -> Option<Op> {
        self.publish.map(|boundary| Op::PublishBoundary { boundary, time })
    }

    /// What [`delete`] is going to delete.
    pub fn would_delete(&self, inventory: &Inventory) -> Deleted {
        let mut going = Deleted::default();
        self.old(inventory).for_each(|object| going.count(object));
        going
    }

    /// The entries before the boundary, oldest first.
    fn old<'a>(&self, inventory: &'a Inventory) -> impl Iterator<Item = &'a Listed> {
        inventory.entries.range(..self.delete_before).map(|(_, object)| object)
    }
}

impl Deleted {
    fn count(&mut self, object: &Listed) {
        self.objects += 1;
        self.bytes += object.len;
    }
}

/// Deletes the entries before the boundary, oldest first, so that a crash leaves no gap.
pub(super) fn delete(
    volume: &Volume,
    boundary: &Boundary,
    inventory: &Inventory,
) -> Result<Deleted, VolumeError> {
    let old: Vec<&Listed> = boundary.old(inventory).collect();
    let mut deleted = Deleted::default();
    for step in old.chunks(1000) {
        let keys: Vec<String> = step.iter().map(|object| object.key.clone()).collect();
        volume.runtime().block_on(volume.environment().bucket.delete(&keys))?;
        step.iter().for_each(|object| deleted.count(object));
    }
    Ok(deleted)
}
