//! Encryption at rest on the wire: what goes with each request and what is read from each answer.
//!
//! The SDK's operations share these headers but no type, hence macros: one for requests that write, one for
//! those that read, one for answers. Whoever adds a request that carries a body or reads one uses them.

use std::sync::Arc;

use super::S3Bucket;
use super::error::refusal_of;
use super::transport::LinkStatus;
use crate::object::encryption::{
    CustomerKey, EncryptionRules, Mismatch, ServerEncryption, StoredEncryption, is_open,
};
use crate::object::error::{BucketError, BucketResult, ErrorKind};

/// The one algorithm of SSE-C, as the header wants it.
pub(super) const CUSTOMER_ALGORITHM: &str = "AES256";

/// What goes with a request that writes.
#[derive(Clone)]
pub(super) struct Asked {
    pub kind: ServerEncryption,
    pub customer: Option<Arc<CustomerKey>>,
}

/// Adds what `$asked` says to a request that writes: PutObject, CopyObject.
macro_rules! write_encrypted {
    ($request:expr, $asked:expr) => {{
        let (kind, customer) = (&$asked.kind, $asked.customer.as_deref());
        $request
            .set_server_side_encryption(kind.algorithm().map(aws_sdk_s3::types::ServerSideEncryption::from))
            .set_ssekms_key_id(kind.kms_key().map(str::to_owned))
            .set_ssekms_encryption_context(
                kind.context().and_then(crate::object::encryption::EncryptionContext::header),
            )
            .set_bucket_key_enabled(kind.bucket_key().then_some(true))
            .set_sse_customer_algorithm(
                customer.map(|_| $crate::object::s3::sse::CUSTOMER_ALGORITHM.to_owned()),
            )
            .set_sse_customer_key(customer.map(|key| key.expose_base64().to_owned()))
            .set_sse_customer_key_md5(customer.map(|key| key.md5().to_owned()))
    }};
}

/// Adds a customer key to a request that reads: GetObject, HeadObject.
macro_rules! read_encrypted {
    ($request:expr, $customer:expr) => {{
        let customer = $customer;
        $request
            .set_sse_customer_algorithm(
                customer.map(|_| $crate::object::s3::sse::CUSTOMER_ALGORITHM.to_owned()),
            )
            .set_sse_customer_key(customer.map(|key| key.expose_base64().to_owned()))
            .set_sse_customer_key_md5(customer.map(|key| key.md5().to_owned()))
    }};
}

/// What an answer says; with `written`, of the context too.
macro_rules! said {
    ($reply:expr) => {
        $crate::object::encryption::StoredEncryption {
            algorithm: $reply.server_side_encryption().map(|algorithm| algorithm.as_str().to_owned()),
            kms_key: $reply.ssekms_key_id().map(str::to_owned),
            context: None,
            bucket_key: $reply.bucket_key_enabled().unwrap_or(false),
            customer_algorithm: $reply.sse_customer_algorithm().map(str::to_owned),
            customer_key_md5: $reply.sse_customer_key_md5().map(str::to_owned),
        }
    };
    (written $reply:expr) => {
        $crate::object::encryption::StoredEncryption {
            context: $reply.ssekms_encryption_context().map(str::to_owned),
            ..$crate::object::s3::sse::said!($reply)
        }
    };
}

pub(super) use {read_encrypted, said, write_encrypted};

impl Asked {
    /// What the rules ask for a write of `body` (or of an object that begins with it) under `key`.
    ///
    /// # Errors
    /// `Encryption` when that takes a customer key which nobody knows.
    pub fn of(
        rules: &EncryptionRules,
        operation: &'static str,
        key: &str,
        body: &[u8],
    ) -> BucketResult<Self> {
        let (kind, customer) = rules.for_writing(key, body).ok_or_else(|| {
            let why = "no customer key (SSE-C) is known for it";
            BucketError::new(ErrorKind::Encryption, operation, key, why)
        })?;
        Ok(Self { kind, customer })
    }

    /// The fingerprint that the server has to repeat.
    pub fn md5(&self) -> Option<&str> {
        self.customer.as_ref().map(|key| key.md5())
    }
}

impl S3Bucket {
    /// Judges the answer to a write.
    ///
    /// # Errors
    /// `Encryption` for anything else than asked.
    pub(super) fn judge_write(
        &self,
        operation: &'static str,
        key: &str,
        asked: &Asked,
        said: &StoredEncryption,
    ) -> BucketResult<()> {
        self.encryption.note_written(said);
        said.check_written(&asked.kind, asked.md5()).map_err(|mismatch| refused(operation, key, mismatch))
    }

    /// Judges the answer to a read.
    ///
    /// # Errors
    /// `Encryption` for what no object of the volume has.
    pub(super) fn judge_read(
        &self,
        operation: &'static str,
        key: &str,
        rules: &EncryptionRules,
        sent: Option<&CustomerKey>,
        said: &StoredEncryption,
    ) -> BucketResult<()> {
        self.encryption.note_read(key, said);
        rules
            .check_read(key, said, sent.map(CustomerKey::md5))
            .map_err(|mismatch| refused(operation, key, mismatch))
    }

    /// Reads with each customer key that the object may have, until one is accepted. S3 answers 403 to a wrong
    /// key and 400 to one that is missing or too much.
    ///
    /// # Errors
    /// That of the first attempt, when no key is accepted.
    pub(super) async fn with_customer_key<T, F>(
        &self,
        key: &str,
        attempt: impl Fn(EncryptionRules, Option<Arc<CustomerKey>>) -> F,
    ) -> BucketResult<T>
    where
        F: Future<Output = BucketResult<T>>,
    {
        let rules = self.encryption.rules();
        let mut first = None;
        let mut keyed = false;
        for sent in rules.for_reading(key) {
            keyed |= sent.is_some();
            match attempt(rules.clone(), sent).await {
                Err(error) if may_be_the_key(&error) => first = first.or(Some(error)),
                other => return other,
            }
        }
        let unlikely = || BucketError::new(ErrorKind::Invalid, "get", key, "no attempt was made");
        Err(explain_refusal(first.unwrap_or_else(unlikely), key, keyed))
    }

    /// Says why a write was refused for the encryption that it asked for. Denied with a customer key: new buckets of
    /// AWS block SSE-C, and the answer does not tell that from missing permissions, so that takes one more request.
    pub(super) async fn explain_denial(&self, error: BucketError, asked: &Asked) -> BucketError {
        let plain = matches!(self.link.status(), LinkStatus::PlainHttp { .. });
        if let Some((kind, perhaps)) = blamed_on(&error, &asked.kind, plain) {
            let said = error.source.to_string();
            let why = format!("{}; {perhaps}", said.trim_end_matches('.'));
            return BucketError::new(kind, error.operation, error.key, why);
        }
        if error.kind != ErrorKind::Denied || asked.customer.is_none() {
            return error;
        }
        let (key, bucket) = (error.key.clone(), &self.bucket);
        let how = format!("allow it: hushfs bucket encryption s3://{bucket} --allow-sse-c");
        let (kind, why) = match self.default_encryption().await {
            Ok(default) if default.blocks_customer_keys => (
                ErrorKind::Encryption,
                format!("the bucket {bucket} blocks SSE-C, as AWS's new buckets do; {how}"),
            ),
            Ok(_) => return error,
            Err(unknown) => {
                log::debug!(
                    "the bucket's default encryption is not to be had: {unknown}: {}",
                    unknown.source
                );
                let why = format!(
                    "{}; perhaps the bucket {bucket} blocks SSE-C, as AWS's new buckets do: {how}",
                    error.source
                );
                (ErrorKind::Denied, why)
            }
        };
        BucketError::new(kind, error.operation, key, why)
    }
}

/// What a refusal of a write that asked for `asked` is perhaps about, where the server does not say it: Ceph refuses such
/// a write as a whole for a kind that it does not know, and for any over plain HTTP; SeaweedFS calls a KMS key that it
/// cannot use an error of its own.
fn blamed_on(error: &BucketError, asked: &ServerEncryption, plain_http: bool) -> Option<(ErrorKind, String)> {
    let (status, code) = refusal_of(error)?;
    asked.algorithm()?;
    let kms = matches!(asked, ServerEncryption::Kms { .. } | ServerEncryption::Dsse { .. });
    match (status, code) {
        (_, Some("InvalidArgument" | "InvalidEncryptionAlgorithmError" | "NotImplemented")) => {
            Some((ErrorKind::Encryption, format!("perhaps this server does not know --sse {asked}")))
        }
        (400, Some("InvalidRequest")) if plain_http => {
            let why = format!("perhaps this server takes --sse {asked} over https alone");
            Some((ErrorKind::Encryption, why))
        }
        (500, Some("InternalError")) if kms => {
            let why = format!("perhaps it cannot use the KMS key that --sse {asked} is about");
            Some((error.kind, why))
        }
        _ => None,
    }
}

fn refused(operation: &'static str, key: &str, mismatch: Mismatch) -> BucketError {
    BucketError::new(ErrorKind::Encryption, operation, key, mismatch)
}

/// True for a refusal that another customer key, or none, may change.
fn may_be_the_key(error: &BucketError) -> bool {
    matches!(refusal_of(error), Some((400 | 403, _)))
}

/// An object whose customer key nobody here has is answered like any bad request.
fn explain_refusal(error: BucketError, key: &str, keyed: bool) -> BucketError {
    let missing_key = match refusal_of(&error) {
        // AWS, and SeaweedFS.
        Some((400, Some("InvalidRequest" | "InvalidArgument"))) => true,
        // A wrong key and missing permissions look the same.
        Some((403, None | Some("AccessDenied"))) => keyed,
        // A HEAD has no body, and so no code.
        Some((400, None | Some("BadRequest" | "Bad Request"))) => error.operation == "head",
        _ => false,
    };
    if !missing_key || is_open(key) {
        return error;
    }
    let why = format!("{}; it seems to have a customer key (SSE-C) that is not known here", error.source);
    BucketError::new(ErrorKind::Encryption, error.operation, key, why)
}
