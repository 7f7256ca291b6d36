//! What is in the bucket, by kind.

use std::collections::BTreeMap;

use crate::base::{ObjectId, Seq};
use crate::commit_log;
use crate::object::Listed;
use crate::volume::{Volume, VolumeError};

/// Objects of one listing. Memory is proportional to the number of objects, some 100 bytes each.
#[derive(Default)]
pub(in crate::volume) struct Inventory {
    pub segments: BTreeMap<ObjectId, Listed>,
    pub packs: BTreeMap<ObjectId, Listed>,
    pub entries: BTreeMap<Seq, Listed>,
    /// Leftovers of probes for conditional writes.
    pub probes: Vec<Listed>,
    /// The volume object and its lock.
    pub headers: Vec<Listed>,
    pub foreign: Vec<Listed>,
}

impl Inventory {
    /// Lists the whole prefix, 1,000 keys to a request.
    pub fn list(volume: &Volume) -> Result<Self, VolumeError> {
        let bucket = &volume.environment().bucket;
        let mut inventory = Self::default();
        let mut after: Option<String> = None;
        loop {
            let page = volume.runtime().block_on(bucket.list("", after.as_deref(), 1000))?;
            after = page.objects.last().map(|object| object.key.clone());
            for object in page.objects {
                inventory.add(object);
            }
            if !page.more || after.is_none() {
                return Ok(inventory);
            }
        }
    }

    fn add(&mut self, object: Listed) {
        let key = object.key.as_str();
        if key == "volume" || key == "lock" {
            self.headers.push(object);
        } else if key.starts_with("probe/") {
            self.probes.push(object);
        } else if let Some(seq) = commit_log::parse_key(key) {
            self.entries.insert(seq, object);
        } else if let Some(id) = key.strip_prefix("tree/").and_then(ObjectId::from_hex) {
            self.packs.insert(id, object);
        } else if let Some(id) = key.strip_prefix("data/").and_then(parse_segment) {
            self.segments.insert(id, object);
        } else {
            self.foreign.push(object);
        }
    }

    /// Objects that the format knows, and their bytes.
    pub fn own(&self) -> impl Iterator<Item = &Listed> {
        let entries = self.entries.values().chain(&self.headers);
        self.segments.values().chain(self.packs.values()).chain(entries)
    }
}

/// `<epoch>/<2 hex>/<32 hex>`
fn parse_segment(text: &str) -> Option<ObjectId> {
    let (epoch, rest) = text.split_once('/')?;
    let (fan_out, id) = rest.split_once('/')?;
    epoch.parse::<u32>().ok()?;
    id.starts_with(fan_out).then(|| ObjectId::from_hex(id)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_the_format_are_taken_for_segments() {
        let id = "0123456789abcdef0123456789abcdef";
        assert!(parse_segment(&format!("1/01/{id}")).is_some());
        for foreign in
            [format!("1/02/{id}"), format!("x/01/{id}"), format!("1/{id}"), format!("1/01/{id}.bak")]
        {
            assert_eq!(parse_segment(&foreign), None, "{foreign}");
        }
    }
}
