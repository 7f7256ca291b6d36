//! ListObjectsV2.
//!
//! The placeholder of a folder (empty, and its name ends in a slash) is passed over. XML has no words for some
//! characters that names of others may hold: a page that cannot be read for them, or lost them, is asked for once
//! more with its names written as in URLs. A store that answers out of order, outside of the prefix or endlessly empty is not believed:
//! recovery and gc rely on listings.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::EncodingType;

use super::error::translate;
use super::{S3Bucket, length, replies, timestamp};
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
            let reply = self.list_readably(prefix, after, limit, token).await?;
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

    /// A page that had no end within the limit is not asked for again.
    async fn list_readably(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        token: Option<String>,
    ) -> BucketResult<ListObjectsV2Output> {
        let endless = AtomicBool::new(false);
        let plain = self.list_page(prefix, after, limit, token.clone(), None, &endless).await;
        let readable = match &plain {
            Ok(reply) => !reply.contents().iter().any(|object| object.key().is_some_and(lost_letters)),
            Err(error) => error.kind != ErrorKind::Corrupt || endless.load(Ordering::Relaxed),
        };
        if readable {
            return plain;
        }
        let escaped = self.list_page(prefix, after, limit, token, Some(EncodingType::Url), &endless).await;
        escaped.or(plain)
    }

    async fn list_page(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        token: Option<String>,
        names: Option<EncodingType>,
        endless: &AtomicBool,
    ) -> BucketResult<ListObjectsV2Output> {
        let full_prefix = self.full_key(prefix);
        let request = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .max_keys(limit as i32)
            .set_prefix((!full_prefix.is_empty()).then_some(full_prefix))
            .set_start_after(after.map(|after| self.full_key(after)))
            .set_continuation_token(token)
            .set_encoding_type(names);
        let sent = async {
            request.send().await.map_err(|error| {
                endless.store(replies::is_endless(&error), Ordering::Relaxed);
                translate("list", prefix, error)
            })
        };
        self.within("list", prefix, 0, sent).await
    }

    /// The objects of a page under their keys within the volume, checked for order.
    fn listed(
        &self,
        prefix: &str,
        after: Option<&str>,
        reply: &ListObjectsV2Output,
    ) -> BucketResult<Vec<Listed>> {
        let escaped = reply.encoding_type() == Some(&EncodingType::Url);
        let mut objects: Vec<Listed> = Vec::with_capacity(reply.contents().len());
        for object in reply.contents() {
            let full = object.key().unwrap_or_default();
            let full = if escaped { Cow::Owned(unescape_key(full)) } else { Cow::Borrowed(full) };
            let key = full.strip_prefix(&self.prefix).filter(|key| key.starts_with(prefix));
            let Some(key) = key else {
                return Err(corrupt(prefix, format!("{full:?} does not belong into the list")));
            };
            let len = length("list", key, object.size())?;
            if key.is_empty() || (len == 0 && key.ends_with('/')) {
                continue;
            }
            let previous = objects.last().map(|last| last.key.as_str()).or(after);
            if previous.is_some_and(|previous| key <= previous) {
                return Err(corrupt(prefix, format!("{key:?} is listed out of order")));
            }
            objects.push(Listed { key: key.to_owned(), len, modified: timestamp(object.last_modified()) });
        }
        Ok(objects)
    }
}

/// Whether a server has put the replacement character in the place of what XML cannot say.
fn lost_letters(key: &str) -> bool {
    key.contains(char::REPLACEMENT_CHARACTER)
}

/// A name as a server writes it with `encoding-type=url` (S3 API, ListObjectsV2): `%` and two digits for a byte, and for
/// a space perhaps `+`.
pub(super) fn unescape_key(escaped: &str) -> String {
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = after.get(..2).filter(|_| *first == b'%');
        let byte = escaped.and_then(|digits| data_encoding::HEXLOWER_PERMISSIVE.decode(digits).ok());
        match byte.as_deref() {
            Some([byte]) => {
                bytes.push(*byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(if *first == b'+' { b' ' } else { *first });
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn corrupt(prefix: &str, why: impl Into<String>) -> BucketError {
    BucketError::new(ErrorKind::Corrupt, "list", prefix, why.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_every_server_escapes_them() {
        // AWS and SeaweedFS; Ceph and moto.
        for escaped in ["a/esc%1B+%C3%BC%2B%0A", "a%2Fesc%1b%20%c3%bc%2B%0A"] {
            assert_eq!(unescape_key(escaped), "a/esc\u{1b} ü+\n");
        }
        for (odd, read) in
            [("%", "%"), ("%4", "%4"), ("%zz", "%zz"), ("%%41", "%A"), ("%ff", "\u{fffd}"), ("", "")]
        {
            assert_eq!(unescape_key(odd), read);
        }
    }
}
