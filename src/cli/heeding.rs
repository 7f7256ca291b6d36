//! The bucket for those who write to a volume: it follows the volume's settings of encryption at rest, and adopts what the
//! bucket's policy has come to demand of writes, where nobody has chosen.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Mutex;

use super::opening::Opened;
use super::report::describe;
use crate::object::{Bucket, Demand, Heed, ServerEncryption};
use crate::vault::FollowingBucket;

impl Opened {
    /// `retrying`, following the newest settings of the volume: for reading.
    pub fn following(&self, retrying: Arc<dyn Bucket>) -> Arc<dyn Bucket> {
        Arc::new(FollowingBucket::new(retrying, self.vault.clone(), Arc::clone(&self.store.clock)))
    }

    /// The bucket for writing to the volume for as long as that takes, the object `lock` included. Unless somebody chose
    /// what to ask of the server, the bucket's policy is looked at again when a write is denied.
    pub fn working_bucket(&self) -> Arc<dyn Bucket> {
        let following = self.following(self.store.patient());
        if self.has_chosen || self.store.s3.is_none() {
            return following;
        }
        let demand = Arc::new(PolicyDemand(Mutex::new(self.twin())));
        Arc::new(Heed::new(following, demand, Arc::clone(&self.store.clock)))
    }
}

/// A volume for which nobody has chosen a kind of encryption at rest.
struct PolicyDemand(Mutex<Opened>);

#[async_trait]
impl Demand for PolicyDemand {
    /// Settings that ask for a kind are somebody's choice, and stay in force.
    async fn adopt(&self) -> bool {
        let mut opened = self.0.lock().await;
        if opened.vault.encryption().writes != ServerEncryption::Bucket {
            return false;
        }
        opened.store.forget_demand();
        let before = opened.store.encryption.rules().writing();
        let s3 = opened.store.s3_args.clone();
        let adopted = opened.write_as(None, &s3).await;
        let now = opened.store.encryption.rules().writing();
        match adopted {
            Ok(()) if now != before => {
                log::warn!(
                    "a write was denied; {now} is asked for from now on, as the bucket's policy demands"
                );
                true
            }
            Ok(()) => false,
            Err(error) => {
                log::error!("what the bucket's policy demands cannot be given: {}", describe(&error));
                false
            }
        }
    }
}
