//! What is known about segments: their records and, once derived, their keys. Both bounded, both LRU.

use std::num::NonZeroUsize;
use std::sync::Arc;

use lru::LruCache;
use parking_lot::Mutex;

use super::byte_lru::ByteLru;
use super::error::DataError;
use crate::base::ObjectId;
use crate::meta::record::SegmentRecord;
use crate::vault::{ObjectKind, Opener, Vault};

/// Bytes of decoded records kept: some 10,000 segments of 8 MiB.
const RECORD_BYTES: usize = 8 * 1024 * 1024;

/// Segments whose keys stay derived.
const OPENERS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(255);

/// Records by segment, and openers by segment.
///
/// Records come from authenticated metadata or from sealing, so one id always has one header: that is why
/// the id alone names the opener.
pub(super) struct Records {
    vault: Vault,
    known: Mutex<ByteLru<ObjectId, Arc<SegmentRecord>>>,
    openers: Mutex<LruCache<ObjectId, Opener>>,
}

impl Records {
    /// Knows nothing yet.
    pub fn new(vault: Vault) -> Self {
        Self {
            vault,
            known: Mutex::new(ByteLru::new(RECORD_BYTES)),
            openers: Mutex::new(LruCache::new(OPENERS)),
        }
    }

    /// The record, if it was learnt and not forgotten since.
    pub fn get(&self, segment: ObjectId) -> Option<Arc<SegmentRecord>> {
        self.known.lock().get(&segment)
    }

    /// Remembers a record.
    pub fn learn(&self, segment: ObjectId, record: Arc<SegmentRecord>) {
        let weight = size_of::<SegmentRecord>() + record.frames.len() * size_of::<u32>();
        self.known.lock().insert(segment, record, weight);
    }

    /// Forgets all about a segment.
    pub fn forget(&self, segment: ObjectId) {
        self.known.lock().remove(&segment);
        self.openers.lock().pop(&segment);
    }

    /// The segment's keys; derived once while they are in use.
    ///
    /// # Errors
    /// `Tampered` (naming `number`, the chunk that is wanted) when the header is not this segment's.
    pub fn opener(
        &self,
        segment: ObjectId,
        number: u32,
        record: &SegmentRecord,
    ) -> Result<Opener, DataError> {
        if let Some(opener) = self.openers.lock().get(&segment) {
            return Ok(opener.clone());
        }
        // Derived without the lock: two threads may both do it, and both get the same keys.
        let opener = self
            .vault
            .opener(ObjectKind::Segment, segment, &record.header)
            .map_err(|error| DataError::vault(segment, number, error))?;
        self.openers.lock().put(segment, opener.clone());
        Ok(opener)
    }
}
