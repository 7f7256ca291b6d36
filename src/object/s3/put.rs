//! PutObject, conditional or not.

use bytes::Bytes;

use super::error::{is_bucket_missing, translate};
use super::limits::within;
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
        let asked = Asked::of(&self.encryption.rules(), "put", key, &body)?;
        let len = body.len() as u64;
        let request = self.client.put_object().bucket(&self.bucket).key(self.full_key(key)).body(body.into());
        let request = match &condition {
            Condition::CreateOnly => request.if_none_match("*"),
            Condition::Matches(etag) => request.if_match(format!("\"{}\"", etag.0)),
            Condition::Overwrite => request,
        };
        let request = write_encrypted!(request, asked);
        let sent = async {
            request.send().await.map_err(|error| lost_match(translate("put", key, error), &condition))
        };
        let reply = match within("put", key, len, sent).await {
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
