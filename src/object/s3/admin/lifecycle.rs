//! GetBucketLifecycleConfiguration: what the store does with objects and uploads by itself, as they grow old.

use aws_sdk_s3::types::{ExpirationStatus, LifecycleRule as Wire, LifecycleRuleFilter};

use super::{ask, repeated, unless_missing};
use crate::object::error::BucketResult;
use crate::object::s3::S3Bucket;

/// How S3 says that a bucket has no rules.
const NONE: &str = "NoSuchLifecycleConfiguration";

/// One rule that is in force.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LifecycleRule {
    pub id: String,
    /// Beginning of the keys that it is for, in the whole bucket; empty for all.
    pub prefix: String,
    /// Only objects with tags, which hushfs's never have.
    pub needs_tags: bool,
    /// Deletes current objects.
    pub expires: bool,
    /// The storage classes that it moves current objects to.
    pub transitions: Vec<String>,
    /// Ends uploads that were begun and not finished.
    pub aborts_uploads: bool,
}

impl S3Bucket {
    /// Reads the rules that are in force.
    ///
    /// # Errors
    /// `Denied` without `s3:GetLifecycleConfiguration`; `Unsupported` where the server does not know the question.
    pub async fn lifecycle(&self) -> BucketResult<Vec<LifecycleRule>> {
        let request = self.client.get_bucket_lifecycle_configuration().bucket(&self.bucket).customize();
        let reply = ask("get", "?lifecycle", request.config_override(repeated()).send()).await;
        let reply = unless_missing(reply, NONE)?;
        let rules = reply.as_ref().map(|reply| reply.rules()).unwrap_or_default();
        let in_force = rules.iter().filter(|rule| *rule.status() == ExpirationStatus::Enabled);
        Ok(in_force.map(LifecycleRule::of).collect())
    }

    /// The beginning of all keys of this part of the bucket: empty, or ending in a slash.
    pub fn key_prefix(&self) -> &str {
        &self.prefix
    }

    /// The bucket's name.
    pub fn name(&self) -> &str {
        &self.bucket
    }
}

impl LifecycleRule {
    fn of(rule: &Wire) -> Self {
        let (filtered, needs_tags) = rule.filter().map(filter_of).unwrap_or_default();
        #[allow(deprecated, reason = "rules from before there were filters still have it")]
        let old = rule.prefix();
        let expiration = rule.expiration();
        Self {
            id: rule.id().unwrap_or_default().to_owned(),
            prefix: filtered.or_else(|| old.map(str::to_owned)).unwrap_or_default(),
            needs_tags,
            // The rest of an expiration is about delete markers.
            expires: expiration.is_some_and(|it| it.days().is_some() || it.date().is_some()),
            transitions: rule
                .transitions()
                .iter()
                .map(|it| it.storage_class().map_or("unknown", |class| class.as_str()).to_owned())
                .collect(),
            aborts_uploads: rule.abort_incomplete_multipart_upload().is_some(),
        }
    }
}

/// The prefix, and whether a tag is asked for.
fn filter_of(filter: &LifecycleRuleFilter) -> (Option<String>, bool) {
    let both = filter.and();
    let prefix = filter.prefix().or_else(|| both.and_then(|both| both.prefix()));
    let tagged = filter.tag().is_some() || both.is_some_and(|both| !both.tags().is_empty());
    (prefix.map(str::to_owned), tagged)
}
