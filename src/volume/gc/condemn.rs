//! Deciding about each listed object: keep, condemn, delete.

use std::time::Duration;

use super::inventory::Inventory;
use super::log_tail::Boundary;
use super::mark::Live;
use super::{GcReport, LEAST_SHARED_GRACE, Progress};
use crate::base::{Epoch, ObjectId, Timestamp};
use crate::meta::op::{MAX_OP_OBJECTS, Op};
use crate::meta::read;
use crate::object::Listed;
use crate::volume::snapshot::Snapshot;
use crate::volume::{ObjectName, Volume, VolumeError};

/// Keys in one delete request.
const DELETE_STEP: usize = 1000;

/// What becomes of the objects of an inventory.
#[derive(Default)]
pub(super) struct Verdicts {
    delete: Vec<Listed>,
    /// Segments among `delete`, whose records must go first.
    records: Vec<ObjectId>,
    /// Unreachable since now.
    condemn: Vec<String>,
    /// Condemned before, and to be forgotten: deleted now, gone, or reachable again.
    pardon: Vec<String>,
    waiting: u64,
    kept: u64,
    kept_bytes: u64,
    foreign: u64,
}

/// Whether a commit of today may name the segment: it is sealed under the present epoch.
fn is_new(object: &Listed, epoch: Epoch) -> bool {
    matches!(ObjectName::parse(&object.key), Some(ObjectName::Segment { epoch: of, .. }) if of >= epoch)
}

impl Verdicts {
    /// Judges every listed object. `live` was marked from `snapshot`, made after the listing.
    pub fn judge(
        volume: &Volume,
        snapshot: &Snapshot,
        inventory: &Inventory,
        live: &Live,
        grace: Duration,
    ) -> Result<Self, VolumeError> {
        let mut verdicts = Self { foreign: inventory.foreign, ..Self::default() };
        let (now, epoch) = (volume.now(), volume.epoch());
        for (id, object) in &inventory.segments {
            let needed = live.segments.contains_key(id) || volume.data().in_flight(*id);
            // Left behind by a crash, or of the first commit of a mount that nobody can know of yet.
            let unnamed = !needed && is_new(object, epoch) && read::segment(snapshot, *id)?.is_none();
            let grace = if unnamed { grace.max(LEAST_SHARED_GRACE) } else { grace };
            if verdicts.decide(snapshot, object, needed, grace, now)? {
                verdicts.records.push(*id);
            }
        }
        for (id, object) in &inventory.packs {
            verdicts.decide(snapshot, object, live.packs.contains(id), grace, now)?;
        }
        verdicts.delete.extend(inventory.probes.iter().cloned());
        for object in inventory.entries.values().chain(&inventory.headers) {
            verdicts.keep(object);
        }
        verdicts.forget_settled(snapshot, inventory)?;
        Ok(verdicts)
    }

    /// Decides about one object; true when it is to be deleted.
    fn decide(
        &mut self,
        snapshot: &Snapshot,
        object: &Listed,
        needed: bool,
        grace: Duration,
        now: Timestamp,
    ) -> Result<bool, VolumeError> {
        if needed {
            self.keep(object);
            return Ok(false);
        }
        if grace.is_zero() {
            self.delete.push(object.clone());
            return Ok(true);
        }
        match read::condemned(snapshot, &object.key)? {
            Some(condemned) if condemned.since.age(now) >= grace => {
                self.delete.push(object.clone());
                return Ok(true);
            }
            Some(_) => {}
            None => self.condemn.push(object.key.clone()),
        }
        self.waiting += 1;
        self.keep(object);
        Ok(false)
    }

    fn keep(&mut self, object: &Listed) {
        self.kept += 1;
        self.kept_bytes += object.len;
    }

    /// Condemned objects that need no record any more: everything but those that go on waiting.
    fn forget_settled(&mut self, snapshot: &Snapshot, inventory: &Inventory) -> Result<(), VolumeError> {
        let going: std::collections::HashSet<&str> =
            self.delete.iter().map(|object| object.key.as_str()).collect();
        let listed: std::collections::HashSet<&str> =
            inventory.own().map(|object| object.key.as_str()).collect();
        for (key, _) in read::all_condemned(snapshot)? {
            if going.contains(key.as_str()) || !listed.contains(key.as_str()) {
                self.pardon.push(key);
            }
        }
        Ok(())
    }

    pub fn report(&self) -> GcReport {
        GcReport {
            objects: self.delete.len() as u64,
            bytes: self.delete.iter().map(|object| object.len).sum(),
            condemned: self.waiting,
            kept_objects: self.kept,
            kept_bytes: self.kept_bytes,
            rewritten_bytes: 0,
            foreign: self.foreign,
        }
    }

    /// Commits what will go, before it goes; also when there is nothing to say about what goes (packs, entries),
    /// because only a commit shows that the state it was judged by is the newest.
    pub fn commit(&self, volume: &Volume, log: &Boundary) -> Result<(), VolumeError> {
        let time = volume.now();
        let mut ops: Vec<Op> = Vec::new();
        ops.extend(self.records.chunks(MAX_OP_OBJECTS).map(|ids| Op::RemoveSegments { ids: ids.to_vec() }));
        ops.extend(
            self.condemn.chunks(MAX_OP_OBJECTS).map(|keys| Op::Condemn { objects: keys.to_vec(), time }),
        );
        ops.extend(self.pardon.chunks(MAX_OP_OBJECTS).map(|keys| Op::Pardon { objects: keys.to_vec() }));
        ops.extend(log.publish(time));
        if ops.is_empty() && !self.delete.is_empty() {
            ops.push(Op::Pardon { objects: Vec::new() });
        }
        if ops.is_empty() {
            return Ok(());
        }
        {
            let permit = volume.enter()?;
            volume.transact(&permit, |txn| {
                for op in &ops {
                    txn.apply(op.clone())?;
                }
                Ok::<_, VolumeError>(())
            })?;
        }
        volume.sync()
    }

    /// Deletes, and forgets what caches hold of it.
    pub fn delete(&self, volume: &Volume, progress: Progress<'_>) -> Result<(), VolumeError> {
        let keys: Vec<String> = self.delete.iter().map(|object| object.key.clone()).collect();
        for (done, step) in keys.chunks(DELETE_STEP).enumerate() {
            volume.runtime().block_on(volume.environment().bucket.delete(step))?;
            progress((done * DELETE_STEP + step.len()) as u64, keys.len() as u64);
        }
        for id in &self.records {
            volume.data().evict(*id);
        }
        Ok(())
    }
}
