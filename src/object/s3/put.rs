//! PutObject, conditional or not.
//!
//! A signed payload costs one SHA-256 over everything that is sent, for nothing: objects are sealed, so whoever
//! reads one notices any change, and TLS guards what is on its way. So large bodies go unsigned
//! (`UNSIGNED-PAYLOAD`) over TLS and to this machine; the rest of the request is signed as ever. Small bodies cost
//! nothing and stay signed, and so does everything over plain HTTP to elsewhere, where a signed payload at
//! least lets the server notice what was changed on the way.
//!
//! A bucket policy may demand signed payloads (`s3:x-amz-content-sha256`). S3 then denies the first large body;
//! it is sent again signed, and if that is taken, so are all that follow.

use std::sync::atomic::Ordering;

use aws_sdk_s3::operation::put_object::PutObjectOutput;
use bytes::Bytes;

use super::error::{is_bucket_missing, translate};
use super::sse::{Asked, said, write_encrypted};
use super::transport::LinkStatus;
use super::{S3Bucket, unquote};
use crate::object::bucket::{Condition, ETag};
use crate::object::error::{BucketError, BucketResult, ErrorKind};
use crate::object::key::check_key;

/// Bodies up to this many bytes are always signed.
const ALWAYS_SIGNED: usize = 64 << 10;

impl S3Bucket {
    pub(super) async fn put_object(
        &self,
        key: &str,
        body: Bytes,
        condition: Condition,
    ) -> BucketResult<ETag> {
        check_key("put", key)?;
        let Condition::Matches(etag) = &condition else {
            return self.put_spelled(key, body, &condition, false).await;
        };
        let bare = self.bare_etags.load(Ordering::Relaxed);
        let refused = match self.put_spelled(key, body.clone(), &condition, bare).await {
            Err(error) if error.kind == ErrorKind::Precondition && !bare => error,
            other => return other,
        };
        // Ceph before 17 compares the header with the ETag as it is, quotes included. Only a server that refuses
        // what is true is asked in its own way; that it does not simply ignore that, the probe finds out.
        if !self.head_object(key).await.is_ok_and(|found| found.etag == *etag) {
            return Err(refused);
        }
        let written = self.put_spelled(key, body, &condition, true).await?;
        self.bare_etags.store(true, Ordering::Relaxed);
        Ok(written)
    }

    /// `bare`: If-Match without the quotes that RFC 9110, 13.1.1, asks for.
    async fn put_spelled(
        &self,
        key: &str,
        body: Bytes,
        condition: &Condition,
        bare: bool,
    ) -> BucketResult<ETag> {
        let asked = Asked::of(&self.encryption.rules(), "put", key, &body)?;
        let signed = body.len() <= ALWAYS_SIGNED
            || self.signs_all.load(Ordering::Relaxed)
            || !guards_payloads(&self.link.status());
        let spelling = Spelling { bare, signed };
        let mut sent = self.put_once(key, body.clone(), condition, &asked, spelling).await;
        if !signed && matches!(&sent, Err(error) if error.kind == ErrorKind::Denied) {
            // What was denied did not take effect.
            let spelling = Spelling { bare, signed: true };
            sent = self.put_once(key, body, condition, &asked, spelling).await;
            if sent.is_ok() {
                log::info!("the bucket wants signed payloads and gets them from now on");
                self.signs_all.store(true, Ordering::Relaxed);
            }
        }
        let reply = match sent {
            Ok(reply) => reply,
            Err(error) => return Err(self.explain_denial(error, &asked).await),
        };
        self.judge_write("put", key, &asked, &said!(written reply))?;
        unquote("put", key, reply.e_tag())
    }

    async fn put_once(
        &self,
        key: &str,
        body: Bytes,
        condition: &Condition,
        asked: &Asked,
        spelling: Spelling,
    ) -> BucketResult<PutObjectOutput> {
        let len = body.len() as u64;
        let request = self.client.put_object().bucket(&self.bucket).key(self.full_key(key)).body(body.into());
        let request = match condition {
            Condition::CreateOnly => request.if_none_match("*"),
            Condition::Matches(etag) if spelling.bare => request.if_match(etag.0.as_str()),
            Condition::Matches(etag) => request.if_match(format!("\"{}\"", etag.0)),
            Condition::Overwrite => request,
        };
        let request = write_encrypted!(request, asked).customize();
        let request = if spelling.signed { request } else { request.disable_payload_signing() };
        let sent = async {
            request.send().await.map_err(|error| lost_match(translate("put", key, error), condition))
        };
        self.within("put", key, len, sent).await
    }
}

/// How a request is written.
#[derive(Clone, Copy)]
struct Spelling {
    /// If-Match has no quotes.
    bare: bool,
    /// The payload is summed up and signed.
    signed: bool,
}

/// Whether nobody on the way can change what is sent.
fn guards_payloads(link: &LinkStatus) -> bool {
    match link {
        LinkStatus::Tls { .. } => true,
        LinkStatus::PlainHttp { loopback, .. } => *loopback,
        // No connection was made yet.
        LinkStatus::None => false,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_go_unsigned_only_where_nobody_on_the_way_can_change_them() {
        let plain = |loopback| LinkStatus::PlainHttp { loopback, insecure_http: true };
        let tls = LinkStatus::Tls { version: "1.3".into(), cipher: "any".into(), insecure_http: false };
        assert!(guards_payloads(&tls) && guards_payloads(&plain(true)));
        assert!(!guards_payloads(&plain(false)) && !guards_payloads(&LinkStatus::None));
    }
}
