//! CopyObject of an object onto itself, under another encryption at rest.
//!
//! What it has is asked first. For a customer key its first bytes are read: a sealed object's header names the epoch
//! that its key belongs to. For other kinds the head will do, for which no key service is called.

use std::sync::Arc;

use aws_sdk_s3::types::{MetadataDirective, StorageClass};

use super::admin::BucketDefault;
use super::error::translate;
use super::get::Start;
use super::sse::{Asked, CUSTOMER_ALGORITHM, said, write_encrypted};
use super::{S3Bucket, unquote};
use crate::object::bucket::{Condition, ETag, Reencryption};
use crate::object::encryption::{CustomerKey, ServerEncryption};
use crate::object::error::{BucketError, BucketResult, ErrorKind};
use crate::object::key::check_key;

/// The longest object that one CopyObject takes, in bytes (S3 API reference).
const MAX_COPY: u64 = 5 << 30;
/// What S3 leaves of a key in a URL: unreserved characters (RFC 3986, 2.3) and the slash.
const HEX: &[u8; 16] = b"0123456789ABCDEF";

impl S3Bucket {
    pub(super) async fn reencrypt_object(&self, key: &str) -> BucketResult<Reencryption> {
        check_key("reencrypt", key)?;
        let rules = self.encryption.rules();
        let start = match rules.writing() {
            ServerEncryption::Customer => self.read_start(key).await?,
            _ => self.look_at(key).await?,
        };
        let asked = Asked::of(&rules, "reencrypt", key, &start.bytes)?;
        let default = match asked.kind {
            // Nothing is asked then: what there is must be what the bucket would do by itself.
            ServerEncryption::Bucket => Some(self.default.get_or_try_init(|| self.default_or_none()).await?),
            _ => None,
        };
        let done = start.said.is(&asked.kind, asked.md5());
        if done
            && default.is_none_or(|default| {
                start.said.is_default(default.algorithm.as_deref(), default.kms_key.as_deref())
            })
        {
            return Ok(Reencryption::Already);
        }
        if start.object_len > MAX_COPY {
            let why =
                format!("it has {} bytes, and S3 copies at most 5 GiB in one request", start.object_len);
            return Err(BucketError::new(ErrorKind::Invalid, "reencrypt", key, why));
        }
        let etag = start.etag.clone();
        match self.copy_onto_itself(key, &asked, start).await {
            // Some servers copy between some kinds only; Ceph copies what is not encrypted and does not hear the rest.
            Err(error)
                if matches!(
                    error.kind,
                    ErrorKind::Invalid | ErrorKind::Unsupported | ErrorKind::Encryption
                ) =>
            {
                self.rewrite(key, etag, error).await
            }
            copied => copied.map(|()| Reencryption::Moved),
        }
    }

    /// The bucket's default; a server that does not know of defaults (Ceph) encrypts nothing by itself.
    async fn default_or_none(&self) -> BucketResult<BucketDefault> {
        match self.default_encryption().await {
            Err(error) if error.kind == ErrorKind::Unsupported => Ok(BucketDefault::default()),
            known => known,
        }
    }

    /// Fetches an object that the server did not copy as it was asked to, and puts the same bytes in its own place.
    async fn rewrite(&self, key: &str, etag: ETag, refused: BucketError) -> BucketResult<Reencryption> {
        log::debug!("{refused}: {}; fetching and writing it instead", refused.source);
        let fetched = self.get_object(key, None, &|_| {}).await?;
        if fetched.etag != etag {
            let why = "it was replaced while it was looked at";
            return Err(BucketError::new(ErrorKind::Precondition, "reencrypt", key, why));
        }
        self.put_object(key, fetched.bytes, Condition::Matches(etag)).await?;
        Ok(Reencryption::Rewritten)
    }

    async fn copy_onto_itself(&self, key: &str, asked: &Asked, start: Start) -> BucketResult<()> {
        let etag = format!("\"{}\"", start.etag.0);
        let source: Option<Arc<CustomerKey>> = start.sent;
        let source = source.as_deref();
        let full = self.full_key(key);
        let request = self
            .client
            .copy_object()
            .bucket(&self.bucket)
            .key(&full)
            .copy_source(escaped(&format!("{}/{full}", self.bucket)))
            .copy_source_if_match(&etag)
            .if_match(&etag)
            // Without a change S3 refuses to copy an object onto itself, and hushfs's objects have no metadata.
            .metadata_directive(MetadataDirective::Replace)
            .set_storage_class(start.storage_class.as_deref().map(StorageClass::from))
            .set_copy_source_sse_customer_algorithm(source.map(|_| CUSTOMER_ALGORITHM.to_owned()))
            .set_copy_source_sse_customer_key(source.map(|key| key.expose_base64().to_owned()))
            .set_copy_source_sse_customer_key_md5(source.map(|key| key.md5().to_owned()));
        let request = write_encrypted!(request, asked);
        let sent = async { request.send().await.map_err(|error| translate("reencrypt", key, error)) };
        let reply = match self.within("reencrypt", key, start.object_len, sent).await {
            Ok(reply) => reply,
            Err(error) => return Err(self.explain_denial(error, asked).await),
        };
        // S3 can begin an answer with 200 and end it with an error: only an ETag says that it was done.
        let result = reply.copy_object_result().and_then(|result| result.e_tag());
        if unquote("reencrypt", key, result).is_err() {
            let why = "the copy was answered without a result";
            return Err(BucketError::new(ErrorKind::Transient, "reencrypt", key, why));
        }
        let said = said!(written reply);
        if said.is_silent() && asked.kind != ServerEncryption::Bucket {
            // SeaweedFS does what it is asked and does not say so: then the object itself has to tell.
            return self.look_again(key, asked).await;
        }
        self.judge_write("reencrypt", key, asked, &said)
    }

    async fn look_again(&self, key: &str, asked: &Asked) -> BucketResult<()> {
        let said = self.head_object(key).await?.encryption;
        self.encryption.note_written(&said);
        match said.is(&asked.kind, asked.md5()) {
            true => Ok(()),
            false => {
                Err(BucketError::new(ErrorKind::Encryption, "reencrypt", key, said.mismatch(&asked.kind)))
            }
        }
    }
}

fn escaped(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.push(char::from(HEX[usize::from(byte >> 4)]));
            text.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_source_is_escaped_but_for_its_slashes() {
        assert_eq!(escaped("bucket/a b/\u{e4}+1~x"), "bucket/a%20b/%C3%A4%2B1~x");
    }
}
