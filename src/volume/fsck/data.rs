//! Segments: every reference leads to a frame that is there; with `--data` every frame opens.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;

use super::super::gc::{Inventory, Progress, each_chunk};
use super::super::{Volume, VolumeError};
use super::{FsckReport, listed};
use crate::base::ObjectId;
use crate::meta::read;
use crate::meta::record::{ChunkRef, SegmentRecord};
use crate::meta::view::View;
use crate::vault::ObjectKind;

/// Live segments with their records.
pub(super) type Live = BTreeMap<ObjectId, Arc<SegmentRecord>>;

/// Checks every chunk against the segment records, and the records against the listing.
pub(super) fn check_references(
    view: &dyn View,
    inventory: &Inventory,
    report: &mut FsckReport,
) -> Result<Live, VolumeError> {
    let mut frames: HashMap<ObjectId, (u32, u64)> = HashMap::new();
    each_chunk(view, &mut |_, _, chunk| {
        if let ChunkRef::Segment { segment, number, .. } = chunk {
            let (highest, uses) = frames.entry(segment).or_default();
            *highest = number.max(*highest);
            *uses += 1;
        }
    })?;
    let mut live = Live::new();
    read::each_segment(view, &mut |id, record| {
        if let Some((highest, _)) = frames.remove(&id) {
            check_segment(id, &record, highest, inventory, report);
            live.insert(id, Arc::new(record));
        }
        ControlFlow::Continue(())
    })?;
    for (id, (_, uses)) in frames {
        report.problem(format!("segment {id} has no record, but {uses} chunks refer to it"));
    }
    report.segments = live.len() as u64;
    Ok(live)
}

fn check_segment(
    id: ObjectId,
    record: &SegmentRecord,
    highest: u32,
    inventory: &Inventory,
    report: &mut FsckReport,
) {
    if record.frame(highest).is_none() {
        report.problem(format!(
            "segment {id} has {} frames, but a chunk refers to frame {highest}",
            record.frames.len()
        ));
    }
    match inventory.segments.get(&id) {
        None => report.problem(format!("{} is not in the bucket", record.object_key(id))),
        Some(listed) if listed.len != record.object_len() => {
            report.problem(format!(
                "{} has {} bytes instead of {}",
                listed.key,
                listed.len,
                record.object_len()
            ));
        }
        Some(listed) if listed.key != record.object_key(id) => {
            report.problem(format!("{} should be {}", listed.key, record.object_key(id)));
        }
        Some(_) => {}
    }
}

/// Fetches each live segment whole and opens all of its frames, one segment in memory at a time.
pub(super) fn open_everything(
    volume: &Volume,
    inventory: &Inventory,
    live: &Live,
    report: &mut FsckReport,
    progress: Progress<'_>,
) -> Result<(), VolumeError> {
    let total = live.len() as u64;
    for (done, (id, record)) in live.iter().enumerate() {
        progress(done as u64, total);
        if !inventory.segments.contains_key(id) {
            continue;
        }
        let key = record.object_key(*id);
        let Some(fetched) = listed::fetch(volume, &key, record.object_len(), report)? else { continue };
        open_segment(volume, *id, record, &fetched.bytes, report);
    }
    progress(total, total);
    Ok(())
}

fn open_segment(
    volume: &Volume,
    id: ObjectId,
    record: &SegmentRecord,
    sealed: &[u8],
    report: &mut FsckReport,
) {
    let key = record.object_key(id);
    if !sealed.starts_with(&record.header) {
        return report.problem(format!("{key}: its header is not the one that was recorded"));
    }
    let opener = match volume.environment().vault.opener(ObjectKind::Segment, id, &record.header) {
        Ok(opener) => opener,
        Err(error) => return report.problem(format!("{key}: {error}")),
    };
    let count = record.frames.len() as u32;
    for number in 0..count {
        let range = record.frame(number).map(|range| range.start as usize..range.end as usize);
        let Some(frame) = range.and_then(|range| sealed.get(range)) else {
            return report.problem(format!("{key}: frame {number} lies past its end"));
        };
        match opener.open(number, number + 1 == count, frame) {
            Ok(_) => report.frames += 1,
            Err(error) => report.problem(format!("{key}, frame {number}: {error}")),
        }
    }
}
