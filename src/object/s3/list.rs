//! ListObjectsV2.
//!
//! Keys that are no keys of the volume (the placeholder of a folder, which ends in a slash) are passed
//! over. A store that answers out of order, outside of the prefix or endlessly empty is not believed:
//! recovery and gc rely on listings.

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;

use super::error::translate;
use super::{S3Bucket, length, timestamp};
use crate::object::bucket::{Listed, Page};
use crate::object::error::{BucketError, BucketResult, ErrorKind};
use crate::object::key::check_prefix;

/// How many pages without a single key are followed.
const MAX_EMPTY_PAGES: usize = 100;
/// The most keys that S3 puts into a page.
const MAX_LIMIT: usize = 1000;

impl S3Bucket {
    pub(super) async fn list_objects(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> BucketResult<Page> {
        check_prefix(prefix)?;
        let limit = limit.clamp(1, MAX_LIMIT);
        let mut token = None;
        for _ in 0..MAX_EMPTY_PAGES {
            let reply = self.list_page(prefix, after, limit, token).await?;
            let more = reply.is_truncated().unwrap_or(false);
            let page = Page { objects: self.listed(prefix, after, &reply)?, more };
            token = reply.next_continuation_token;
            if !page.objects.is_empty() || !more {
                return Ok(page);
            }
            if token.is_none() {
                return Err(corrupt(prefix, "an empty page says that more follows, but not how to go on"));
            }
        }
        Err(corrupt(prefix, "one page after the other is empty"))
    }

    async fn list_page(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        token: Option<String>,
    ) -> BucketResult<ListObjectsV2Output> {
        let full_prefix = self.full_key(prefix);
        let request = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .max_keys(limit as i32)
            .set_prefix((!full_prefix.is_empty()).then_some(full_prefix))
            .set_start_after(after.map(|after| self.full_key(after)))
            .set_continuation_token(token);
        let sent = async { request.send().await.map_err(|error| translate("list", prefix, error)) };
        self.within("list", prefix, 0, sent).await
    }

    /// The objects of a page under their keys within the volume, checked for order.
    fn listed(
        &self,
        prefix: &str,
        after: Option<&str>,
        reply: &ListObjectsV2Output,
    ) -> BucketResult<Vec<Listed>> {
        let mut objects: Vec<Listed> = Vec::with_capacity(reply.contents().len());
        for object in reply.contents() {
            let full = object.key().unwrap_or_default();
            let key = full.strip_prefix(&self.prefix).filter(|key| key.starts_with(prefix));
            let Some(key) = key else {
                return Err(corrupt(prefix, format!("{full:?} does not belong into the list")));
            };
            if key.is_empty() || key.ends_with('/') {
                continue;
            }
            let previous = objects.last().map(|last| last.key.as_str()).or(after);
            if previous.is_some_and(|previous| key <= previous) {
                return Err(corrupt(prefix, format!("{key:?} is listed out of order")));
            }
            let len = length("list", key, object.size())?;
            objects.push(Listed { key: key.to_owned(), len, modified: timestamp(object.last_modified()) });
        }
        Ok(objects)
    }
}

fn corrupt(prefix: &str, why: impl Into<String>) -> BucketError {
    BucketError::new(ErrorKind::Corrupt, "list", prefix, why.into())
}
