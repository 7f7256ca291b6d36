//! Deciding about each listed object: keep, condemn, delete.

use std::collections::HashMap;
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
use crate::volume::writers::SESSION_LEASE;
use crate::volume::{ObjectName, Volume, VolumeError};

/// Keys in one delete request.
const DELETE_STEP: usize = 1000;

/// Condemned then, an object has outlived every grace period.
pub(in crate::volume) const SINCE_EVER: Timestamp = Timestamp { secs: 0, nanos: 0 };

/// What becomes of the objects of an inventory.
#[derive(Default)]
pub(super) struct Verdicts {
    delete: Vec<Listed>,
    /// Segments among `delete`, whose records must go first.
    records: Vec<ObjectId>,
    /// Unreachable since now.
    condemn: Vec<String>,
    /// Segments among `delete` that were never condemned.
    dead: Vec<String>,
    /// Condemned before, and gone or needed now.
    pardon: Vec<String>,
    waiting: u64,
    kept: u64,
    kept_bytes: u64,
    foreign: u64,
}

/// How long a segment that no commit has named stays at least, whoever is known to write: it was left behind by a crash, or
/// its commit is still to come, from a mount that may be asleep, cut off from the network, or new and heard of by nobody.
/// Under an epoch that was left its commit can only come from somebody who reads the segment once more to seal it anew:
/// whoever is awake does so within the hour, and the keys of that epoch are to go.
fn least_unnamed_grace(object: &Listed, epoch: Epoch) -> Duration {
    match ObjectName::parse(&object.key) {
        Some(ObjectName::Segment { epoch: of, .. }) if of < epoch => LEAST_SHARED_GRACE,
        _ => SESSION_LEASE,
    }
}

/// Whether nobody has to know any more that an object was condemned: it is gone, or needed after all, since a file was
/// copied that others had replaced. One that is about to be deleted keeps its record: should this run die before, the next
/// one knows by it that no commit is to be waited for.
fn is_over(key: &str, inventory: &Inventory, live: &Live) -> bool {
    match ObjectName::parse(key) {
        Some(ObjectName::Segment { id, .. }) => {
            !inventory.segments.contains_key(&id) || live.segments.contains_key(&id)
        }
        Some(ObjectName::Pack(id)) => !inventory.packs.contains_key(&id) || live.packs.contains(&id),
        _ => true,
    }
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
        let condemned: HashMap<String, Timestamp> = read::all_condemned(snapshot)?
            .into_iter()
            .map(|(key, condemned)| (key, condemned.since))
            .collect();
        let since = |object: &Listed| condemned.get(&object.key).copied();
        for (id, object) in &inventory.segments {
            if live.segments.contains_key(id) || volume.data().in_flight(*id) {
                verdicts.keep(object);
                continue;
            }
            let unnamed = read::segment(snapshot, *id)?.is_none();
            let grace = if unnamed { grace.max(least_unnamed_grace(object, epoch)) } else { grace };
            if verdicts.decide(object, since(object), grace, now) {
                verdicts.records.push(*id);
                if since(object).is_none() {
                    verdicts.dead.push(object.key.clone());
                }
            }
        }
        for (id, object) in &inventory.packs {
            if live.packs.contains(id) {
                verdicts.keep(object);
            } else {
                verdicts.decide(object, since(object), grace, now);
            }
        }
        verdicts.delete.extend(inventory.probes.iter().cloned());
        for object in inventory.entries.values().chain(&inventory.headers) {
            verdicts.keep(object);
        }
        verdicts.pardon = condemned.into_keys().filter(|key| is_over(key, inventory, live)).collect();
        verdicts.pardon.sort_unstable();
        Ok(verdicts)
    }

    /// Decides about one object that nothing needs; true when it is to be deleted. It was condemned at `since`, if it was.
    fn decide(&mut self, object: &Listed, since: Option<Timestamp>, grace: Duration, now: Timestamp) -> bool {
        if grace.is_zero() || since.is_some_and(|since| since.age(now) >= grace) {
            self.delete.push(object.clone());
            return true;
        }
        if since.is_none() {
            self.condemn.push(object.key.clone());
        }
        self.waiting += 1;
        self.keep(object);
        false
    }

    fn keep(&mut self, object: &Listed) {
        self.kept += 1;
        self.kept_bytes += object.len;
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
        ops.extend(
            self.dead
                .chunks(MAX_OP_OBJECTS)
                .map(|keys| Op::Condemn { objects: keys.to_vec(), time: SINCE_EVER }),
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
