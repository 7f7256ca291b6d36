//! What `status` tells about the server's encryption at rest.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;

use crate::base::Clock;
use crate::cli::control::{EncryptionStatus, ServerWords};
use crate::object::{Encryption, S3Bucket, ServerEncryption};

/// How long `status` waits for the bucket to name its default.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long an answer is good.
const FRESH: Duration = Duration::from_secs(60);

/// The rules of a mount and the bucket behind them.
pub struct AtRest {
    encryption: Encryption,
    /// `None` for a folder.
    s3: Option<Arc<S3Bucket>>,
    clock: Arc<dyn Clock>,
    /// What the bucket said last about its default, and when.
    default: Mutex<Option<(Duration, String)>>,
}

impl AtRest {
    /// For a mount that asks by `encryption` and writes to `s3`.
    pub fn new(encryption: Encryption, s3: Option<Arc<S3Bucket>>, clock: Arc<dyn Clock>) -> Self {
        Self { encryption, s3, clock, default: Mutex::default() }
    }

    /// Reads the counters, and the bucket's default where that decides. Blocks for at most two seconds.
    pub fn status(&self, runtime: &Handle) -> EncryptionStatus {
        let report = self.encryption.report();
        let words = |(words, answers)| ServerWords { words, answers };
        EncryptionStatus {
            asked: report.writes.describe(),
            also_read: report.also.iter().map(ServerEncryption::describe).collect(),
            server_says: report.said.into_iter().map(words).collect(),
            bucket_default: (report.writes == ServerEncryption::Bucket)
                .then(|| self.s3.as_ref().map(|s3| self.bucket_default(s3, runtime)))
                .flatten(),
        }
    }

    fn bucket_default(&self, s3: &S3Bucket, runtime: &Handle) -> String {
        let mut known = self.default.lock();
        let now = self.clock.boot();
        if let Some((asked, said)) = known.as_ref()
            && now.saturating_sub(*asked) < FRESH
        {
            return said.clone();
        }
        let asking = async { tokio::time::timeout(PATIENCE, s3.default_encryption()).await };
        let said = match runtime.block_on(asking) {
            Ok(Ok(default)) => default.to_string(),
            Ok(Err(error)) => format!("not known: {}", error.source),
            Err(_elapsed) => "not known: the bucket did not answer in time".to_owned(),
        };
        *known = Some((now, said.clone()));
        said
    }
}
