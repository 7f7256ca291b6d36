//! What is in the bucket, by kind.

use std::collections::BTreeMap;

use crate::base::{ObjectId, Seq};
use crate::commit_log;
use crate::object::probe::PROBE_PREFIX;
use crate::object::{BucketError, ErrorKind, Listed, list_page};
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
    /// How many objects have names that hushfs does not give.
    pub foreign: u64,
}

/// More keys than a volume has (this many segments hold 80 TB). A listing that goes on beyond has no end.
const MOST_KEYS: u64 = 20_000_000;

impl Inventory {
    /// Lists the whole prefix, 1,000 keys to a request.
    ///
    /// # Errors
    /// Those of the bucket; `Corrupt` for a listing that contradicts itself or does not end.
    pub fn list(volume: &Volume) -> Result<Self, VolumeError> {
        let bucket = &volume.environment().bucket;
        let mut inventory = Self::default();
        let mut after: Option<String> = None;
        let mut keys = 0;
        while keys < MOST_KEYS {
            let page = volume.runtime().block_on(list_page(bucket.as_ref(), "", after.as_deref(), 1000))?;
            after = page.objects.last().map(|object| object.key.clone());
            keys += page.objects.len() as u64;
            for object in page.objects {
                inventory.add(object);
            }
            if !page.more || after.is_none() {
                return Ok(inventory);
            }
        }
        let why = format!("the listing goes on after {MOST_KEYS} keys");
        Err(BucketError::new(ErrorKind::Corrupt, "list", "", why).into())
    }

    fn add(&mut self, object: Listed) {
        let key = object.key.as_str();
        if key == "volume" || key == "lock" {
            self.headers.push(object);
        } else if key.strip_prefix(PROBE_PREFIX).and_then(ObjectId::from_hex).is_some() {
            self.probes.push(object);
        } else if let Some(seq) = commit_log::parse_key(key) {
            self.entries.insert(seq, object);
        } else if let Some(id) = key.strip_prefix("tree/").and_then(ObjectId::from_hex) {
            self.packs.insert(id, object);
        } else if let Some(id) = key.strip_prefix("data/").and_then(parse_segment) {
            self.segments.insert(id, object);
        } else {
            self.foreign += 1;
        }
    }

    /// Objects that the format knows, and their bytes.
    pub fn own(&self) -> impl Iterator<Item = &Listed> {
        let entries = self.entries.values().chain(&self.headers);
        self.segments.values().chain(self.packs.values()).chain(entries)
    }
}

/// `<epoch>/<2 hex>/<32 hex>`, in exactly the spelling that writers use: no other object is ours to delete.
fn parse_segment(text: &str) -> Option<ObjectId> {
    let (epoch, rest) = text.split_once('/')?;
    let (fan_out, id) = rest.split_once('/')?;
    let canonical = epoch.parse::<u32>().ok()?.to_string() == epoch;
    let ours = canonical && fan_out.len() == 2 && id.starts_with(fan_out);
    ours.then(|| ObjectId::from_hex(id)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_the_format_are_taken_for_segments() {
        let id = "0123456789abcdef0123456789abcdef";
        assert!(parse_segment(&format!("1/01/{id}")).is_some());
        let wrong =
            ["1/02/", "x/01/", "1/", "1//", "+1/01/", "01/01/", "1/0/", "1/0123/", "-1/01/", "1/01/01/"];
        let shouted = format!("1/01/{}", id.to_uppercase());
        let wrong = wrong.iter().map(|before| format!("{before}{id}"));
        for foreign in wrong.chain([format!("1/01/{id}.bak"), format!("1/01/{id}\u{1b}[2J"), shouted]) {
            assert_eq!(parse_segment(&foreign), None, "{foreign}");
        }
    }
}
