//! A mount that adopts what the bucket's policy has come to demand of writes.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Mutex;

use crate::cli::bucket_args::S3Args;
use crate::cli::opening::Opened;
use crate::cli::report::describe;
use crate::object::{Demand, ServerEncryption};

/// The volume of a mount for which nobody has chosen a kind of encryption at rest.
pub struct PolicyDemand {
    opened: Arc<Mutex<Opened>>,
    s3: S3Args,
}

impl PolicyDemand {
    /// For the mount of `opened`, which reached the bucket by `s3`.
    pub fn new(opened: Arc<Mutex<Opened>>, s3: S3Args) -> Self {
        Self { opened, s3 }
    }
}

#[async_trait]
impl Demand for PolicyDemand {
    /// Settings that ask for a kind are somebody's choice, and stay in force.
    async fn adopt(&self) -> bool {
        let mut opened = self.opened.lock().await;
        if opened.vault.encryption().writes != ServerEncryption::Bucket {
            return false;
        }
        opened.store.forget_demand();
        let before = opened.store.encryption.rules().writing();
        let adopted = opened.write_as(None, &self.s3).await;
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
