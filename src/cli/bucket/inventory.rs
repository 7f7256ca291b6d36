//! Everything below the volume's prefix, listed once.

use crate::object::{Bucket, BucketError, BucketResult, ErrorKind, Listed, list_page};
use crate::volume::ObjectName;

/// More keys than a volume has. A listing that goes on beyond has no end.
const MOST_KEYS: u64 = 20_000_000;
/// Keys of one request.
const PAGE: usize = 1000;

/// An object and what its name says, `None` for a name that the format does not know.
pub struct Found {
    pub object: Listed,
    pub name: Option<ObjectName>,
}

/// A listing in ascending order of keys. Memory is proportional to the number of objects, some 150 bytes each.
#[derive(Default)]
pub struct Inventory {
    pub found: Vec<Found>,
    /// Requests that it took.
    pub lists: u64,
}

/// Lists everything.
///
/// # Errors
/// Those of the bucket; `Corrupt` for a listing that contradicts itself or does not end.
pub async fn list(bucket: &dyn Bucket) -> BucketResult<Inventory> {
    let mut inventory = Inventory::default();
    let mut after: Option<String> = None;
    while inventory.found.len() < MOST_KEYS as usize {
        let page = list_page(bucket, "", after.as_deref(), PAGE).await?;
        inventory.lists += 1;
        after = page.objects.last().map(|object| object.key.clone());
        inventory.found.extend(page.objects.into_iter().map(|object| {
            let name = ObjectName::parse(&object.key);
            Found { object, name }
        }));
        if !page.more || after.is_none() {
            return Ok(inventory);
        }
    }
    let why = format!("the listing goes on after {MOST_KEYS} keys");
    Err(BucketError::new(ErrorKind::Corrupt, "list", "", why))
}
