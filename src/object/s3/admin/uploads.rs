//! ListMultipartUploads: what was begun and not finished. It costs storage and is in no listing.

use super::{ask, repeated};
use crate::base::Timestamp;
use crate::object::error::BucketResult;
use crate::object::s3::{S3Bucket, timestamp};

/// Uploads of several parts under the prefix. hushfs makes none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uploads {
    /// How many the first page names: at most 1,000.
    pub count: u64,
    /// There are more.
    pub more: bool,
    /// When the oldest of them was begun.
    pub oldest: Option<Timestamp>,
    /// The first few keys, within the whole bucket. Untrusted names.
    pub examples: Vec<String>,
}

/// Keys that are kept as examples.
const EXAMPLES: usize = 3;

impl S3Bucket {
    /// Looks for unfinished uploads under the prefix: one request.
    ///
    /// # Errors
    /// `Denied` without `s3:ListBucketMultipartUploads`; `Unsupported` where the server does not know the question.
    pub async fn unfinished_uploads(&self) -> BucketResult<Uploads> {
        let prefix = (!self.prefix.is_empty()).then(|| self.prefix.clone());
        let request =
            self.client.list_multipart_uploads().bucket(&self.bucket).set_prefix(prefix).customize();
        let reply = ask("list", "?uploads", request.config_override(repeated()).send()).await?;
        let uploads = reply.uploads();
        Ok(Uploads {
            count: uploads.len() as u64,
            more: reply.is_truncated().unwrap_or(false),
            oldest: uploads.iter().filter_map(|it| it.initiated()).map(|at| timestamp(Some(at))).min(),
            examples: uploads.iter().filter_map(|it| it.key()).take(EXAMPLES).map(str::to_owned).collect(),
        })
    }
}
