//! What is still in the bucket under older epochs.
//!
//! The names of segments tell their epoch. A pack that the tree reaches is of the epoch that its references name; any
//! other has to be looked at, and so have log entries: their epochs never go down, so a few looks find where the
//! newest begins.

use std::collections::HashSet;

use crate::base::{Epoch, ObjectId};
use crate::commit_log::entry_id;
use crate::meta::tree::walk_refs;
use crate::object::{ErrorKind, Listed};
use crate::vault::{HEADER_LEN, ObjectKind};
use crate::volume::gc::Inventory;
use crate::volume::{ObjectName, Volume, VolumeError};

/// Objects under older epochs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Leftovers {
    pub segments: u64,
    pub packs: u64,
    pub entries: u64,
    pub bytes: u64,
}

impl Leftovers {
    /// All of them.
    pub fn objects(&self) -> u64 {
        self.segments + self.packs + self.entries
    }
}

/// Counts what is listed now and sealed under epochs before `epoch`.
///
/// # Errors
/// Those of the bucket and of reading the tree.
pub(super) fn count(volume: &Volume, epoch: Epoch) -> Result<Leftovers, VolumeError> {
    let inventory = Inventory::list(volume)?;
    let mut left = Leftovers::default();
    for object in inventory.segments.values() {
        if matches!(ObjectName::parse(&object.key), Some(ObjectName::Segment { epoch: of, .. }) if of < epoch)
        {
            left.segments += 1;
            left.bytes += object.len;
        }
    }
    let reached = packs_in_use(volume)?;
    for (id, object) in inventory.packs.iter().filter(|(id, _)| !reached.contains(id)) {
        if claimed(volume, ObjectKind::TreePack, *id, object)?.is_some_and(|of| of < epoch) {
            left.packs += 1;
            left.bytes += object.len;
        }
    }
    let entries: Vec<(ObjectId, &Listed)> =
        inventory.entries.iter().map(|(seq, object)| (entry_id(*seq), object)).collect();
    let old = old_entries(volume, &entries, epoch)?;
    left.entries = old.len() as u64;
    left.bytes += old.iter().map(|(_, object)| object.len).sum::<u64>();
    Ok(left)
}

fn packs_in_use(volume: &Volume) -> Result<HashSet<ObjectId>, VolumeError> {
    let snapshot = volume.snapshot();
    let mut reached = HashSet::new();
    walk_refs(snapshot.nodes(), snapshot.root(), &mut |node| {
        reached.insert(node.pack.id);
    })?;
    Ok(reached)
}

/// The entries before the first one of the newest epoch, by bisection.
fn old_entries<'e>(
    volume: &Volume,
    entries: &'e [(ObjectId, &'e Listed)],
    epoch: Epoch,
) -> Result<&'e [(ObjectId, &'e Listed)], VolumeError> {
    let (mut old, mut new) = (0, entries.len());
    while old < new {
        let middle = old + (new - old) / 2;
        let (id, object) = entries[middle];
        match claimed(volume, ObjectKind::LogEntry, id, object)? {
            Some(of) if of >= epoch => new = middle,
            // One that was deleted meanwhile was before the boundary.
            Some(_) | None => old = middle + 1,
        }
    }
    Ok(&entries[..old])
}

/// The epoch that an object says it is sealed under; `None` when it is gone, or no object of this volume.
fn claimed(
    volume: &Volume,
    kind: ObjectKind,
    id: ObjectId,
    object: &Listed,
) -> Result<Option<Epoch>, VolumeError> {
    let env = volume.environment();
    let header = match env.runtime.block_on(env.bucket.get(&object.key, Some(0..HEADER_LEN as u64))) {
        Ok(fetched) => fetched.bytes,
        Err(error) if error.kind == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    match env.vault.claimed_epoch(kind, id, &header) {
        Ok(epoch) => Ok(Some(epoch)),
        Err(error) => {
            log::warn!("{} is not what its name says: {error}", object.key);
            Ok(None)
        }
    }
}
