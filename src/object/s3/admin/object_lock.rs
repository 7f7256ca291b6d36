//! GetObjectLockConfiguration: whether objects can be kept from being deleted.

use super::{ask, repeated, unless_missing};
use crate::object::error::BucketResult;
use crate::object::s3::S3Bucket;

/// How S3 says that a bucket has none.
const NONE: &str = "ObjectLockConfigurationNotFoundError";

/// A bucket's object lock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectLock {
    pub enabled: bool,
    /// The retention of every new object, in words: `COMPLIANCE for 30 days`.
    pub default_retention: Option<String>,
}

impl S3Bucket {
    /// Reads the bucket's object lock.
    ///
    /// # Errors
    /// `Denied` without `s3:GetBucketObjectLockConfiguration`; `Unsupported` where the server does not know the question.
    pub async fn object_lock(&self) -> BucketResult<ObjectLock> {
        let request = self.client.get_object_lock_configuration().bucket(&self.bucket).customize();
        let reply = ask("get", "?object-lock", request.config_override(repeated()).send()).await;
        let Some(configuration) = unless_missing(reply, NONE)?.and_then(|it| it.object_lock_configuration)
        else {
            return Ok(ObjectLock::default());
        };
        let retention = configuration.rule().and_then(|rule| rule.default_retention());
        let in_words = retention.map(|retention| {
            let mode = retention.mode().map_or("retention", |mode| mode.as_str());
            match (retention.days(), retention.years()) {
                (Some(1), _) => format!("{mode} for a day"),
                (Some(days), _) => format!("{mode} for {days} days"),
                (None, Some(1)) => format!("{mode} for a year"),
                (None, Some(years)) => format!("{mode} for {years} years"),
                (None, None) => mode.to_owned(),
            }
        });
        let enabled = configuration.object_lock_enabled().is_some_and(|on| on.as_str() == "Enabled");
        Ok(ObjectLock { enabled, default_retention: in_words })
    }
}
