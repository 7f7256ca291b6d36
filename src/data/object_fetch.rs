//! Whole sealed objects (tree packs) through the disk cache.
//!
//! What is returned is not verified here: the caller opens it. One that does not open may be a damaged
//! cached copy: the caller evicts it and asks once more; what comes then is the bucket's.

use std::sync::Arc;

use bytes::Bytes;

use super::error::DataError;
use super::fetcher::{Fetcher, blocking};
use super::flights::{Boarding, Claim};
use crate::base::ObjectId;
use crate::object::get_at_most;

/// What a whole object is taken to be long, before it is known.
const USUAL_OBJECT: u64 = 1024 * 1024;

impl Fetcher {
    /// The object's sealed bytes, at most `most`; one GET for all who ask at the same time.
    ///
    /// # Errors
    /// `Bucket` when it cannot be had or is longer, `Local` when the fetch was stopped.
    pub(super) async fn fetch_object(
        self: &Arc<Self>,
        id: ObjectId,
        key: &str,
        most: u64,
    ) -> Result<Bytes, DataError> {
        let ticket = match self.objects.board(id, || None) {
            Boarding::Ready(sealed) => return Ok(sealed),
            Boarding::Join(ticket) => ticket,
            Boarding::Fly(claim, ticket) => {
                self.runtime.spawn(Arc::clone(self).fetch_whole(claim, key.to_owned(), most));
                ticket
            }
        };
        ticket.wait().await
    }

    async fn fetch_whole(self: Arc<Self>, claim: Claim<ObjectId>, key: String, most: u64) {
        let id = claim.key();
        if let Some(sealed) = self.cached_object(id).await {
            self.counters.disk(1);
            return claim.land(Ok(sealed));
        }
        self.counters.misses(1);
        let fetched = match self.permit(USUAL_OBJECT).await {
            Ok(_permit) => {
                get_at_most(&*self.bucket, &key, most).await.map_err(|error| DataError::bucket(id, error))
            }
            Err(error) => Err(error),
        };
        if let (Ok(fetched), Some(disk)) = (&fetched, &self.disk) {
            disk.offer_object(id, fetched.bytes.clone());
        }
        claim.land(fetched.map(|fetched| fetched.bytes));
    }

    async fn cached_object(&self, id: ObjectId) -> Option<Bytes> {
        let disk = self.disk.as_ref().filter(|disk| disk.may_hold(id))?;
        let disk = Arc::clone(disk);
        blocking(move || disk.read_object(id)).await.flatten()
    }
}
