//! PutObject, conditional or not.

use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::error::{is_bucket_missing, translate};
use super::sse::{Asked, said, write_encrypted};
use super::{S3Bucket, unquote};
use crate::object::bucket::{Condition, ETag};
use crate::object::error::{BucketError, BucketResult, ErrorKind};
use crate::object::key::check_key;

impl S3Bucket {
    pub(super) async fn put_object(
        &self,
        key: &str,
        body: Bytes,
        condition: Condition,
    ) -> BucketResult<ETag> {
        check_key("put", key)?;
        let Condition::Matches(etag) = &condition else {
            return self.put_once(key, body, &condition, false).await;
        };
        let bare = self.bare_etags.load(Ordering::Relaxed);
        let refused = match self.put_once(key, body.clone(), &condition, bare).await {
            Err(error) if error.kind == ErrorKind::Precondition && !bare => error,
            other => return other,
        };
        // Ceph before 17 compares the header with the ETag as it is, quotes included. Only a server that refuses
        // what is true is asked in its own way; that it does not simply ignore that, the probe finds out.
        if !self.head_object(key).await.is_ok_and(|found| found.etag == *etag) {
            return Err(refused);
        }
        let written = self.put_once(key, body, &condition, true).await?;
        self.bare_etags.store(true, Ordering::Relaxed);
        Ok(written)
    }

    /// One request; `bare`: If-Match without the quotes that RFC 9110, 13.1.1, asks for.
    async fn put_once(
        &self,
        key: &str,
        body: Bytes,
        condition: &Condition,
        bare: bool,
    ) -> BucketResult<ETag> {
        let asked = Asked::of(&self.encryption.rules(), "put", key, &body)?;
        let len = body.len() as u64;
        let request = self.client.put_object().bucket(&self.bucket).key(self.full_key(key)).body(body.into());
        let request = match condition {
            Condition::CreateOnly => request.if_none_match("*"),
            Condition::Matches(etag) if bare => request.if_match(etag.0.as_str()),
            Condition::Matches(etag) => request.if_match(format!("\"{}\"", etag.0)),
            Condition::Overwrite => request,
        };
        let request = write_encrypted!(request, asked);
        let sent = async {
            request.send().await.map_err(|error| lost_match(translate("put", key, error), condition))
        };
        let reply = match self.within("put", key, len, sent).await {
            Ok(reply) => reply,
            Err(error) => return Err(self.explain_denial(error, &asked).await),
        };
        self.judge_write("put", key, &asked, &said!(written reply))?;
        unquote("put", key, reply.e_tag())
    }
}

/// S3 answers If-Match on a missing key with 404; for the caller that is a condition that does not hold.
fn lost_match(mut error: BucketError, condition: &Condition) -> BucketError {
    let no_object = error.kind == ErrorKind::NotFound && !is_bucket_missing(&error);
    if no_object && matches!(condition, Condition::Matches(_)) {
        error.kind = ErrorKind::Precondition;
    }
    error
}
