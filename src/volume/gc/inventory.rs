//! What is in the bucket, by kind.

use std::collections::BTreeMap;

use crate::base::{ObjectId, Seq};
use crate::object::{BucketError, ErrorKind, Listed, list_page};
use crate::volume::{ObjectName, Volume, VolumeError};

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
        match ObjectName::parse(&object.key) {
            Some(ObjectName::Header | ObjectName::Lock) => self.headers.push(object),
            Some(ObjectName::Probe) => self.probes.push(object),
            Some(ObjectName::Entry(seq)) => drop(self.entries.insert(seq, object)),
            Some(ObjectName::Pack(id)) => drop(self.packs.insert(id, object)),
            Some(ObjectName::Segment { id, .. }) => drop(self.segments.insert(id, object)),
            None => self.foreign += 1,
        }
    }

    /// Objects that the format knows, and their bytes.
    pub fn own(&self) -> impl Iterator<Item = &Listed> {
        let entries = self.entries.values().chain(&self.headers);
        self.segments.values().chain(self.packs.values()).chain(entries)
    }
}
