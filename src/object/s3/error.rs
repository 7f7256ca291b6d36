//! From the SDK's errors to the bucket's.
//!
//! The S3 error code decides where it is known, else the HTTP status, else where on the way the request
//! failed. What nobody knows is `Invalid` below 500 and `Transient` from there on.

use std::error::Error as StdError;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use super::customer_key::CustomerKeyInTheClear;
use super::kms_trouble::KmsTrouble;
use super::transport::{causes, plainly, refusal};
use crate::object::error::{BucketError, ErrorKind, Throttle};

/// A failed request in one plain line. What the SDK had to say beyond that is in the log, at level debug: it repeats
/// the line, in Rust's words.
#[derive(Debug)]
struct S3Error {
    line: String,
    status: Option<u16>,
    code: Option<String>,
}

impl fmt::Display for S3Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

impl StdError for S3Error {}

/// Translates a failed request on `key`.
pub(super) fn translate<E>(
    operation: &'static str,
    key: &str,
    error: SdkError<E, HttpResponse>,
) -> BucketError
where
    E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
{
    log::debug!("{operation} of {key:?}: {}", DisplayErrorContext(&error));
    if let Some(why) = refusal(&error) {
        let source = S3Error { line: why, status: None, code: None };
        return BucketError::new(ErrorKind::Insecure, operation, key, source);
    }
    if let Some(refusal) = causes(&error).find_map(|cause| cause.downcast_ref::<CustomerKeyInTheClear>()) {
        return BucketError::new(ErrorKind::Encryption, operation, key, refusal.clone());
    }
    let status = error.raw_response().map(|response| response.status().as_u16());
    let code = error.code().map(str::to_owned);
    let kms = KmsTrouble::of(code.as_deref(), status.unwrap_or(500), error.message());
    let kind = match &error {
        SdkError::ServiceError(_) => match &kms {
            Some(trouble) => trouble.kind,
            None => kind_of_reply(code.as_deref(), status.unwrap_or(500)),
        },
        SdkError::ResponseError(_) => kind_of_garbage(status),
        SdkError::TimeoutError(_) => ErrorKind::Transient,
        SdkError::DispatchFailure(failure) if failure.is_user() => ErrorKind::Invalid,
        SdkError::DispatchFailure(_) if lacks_credentials(&error) => ErrorKind::Denied,
        SdkError::DispatchFailure(_) => ErrorKind::Transient,
        _ => ErrorKind::Invalid,
    };
    let line = line_of(status, &error);
    let line = match status {
        Some(300..=399) => format!(
            "{line} (a redirect, which is never followed: check the endpoint, the region and the bucket's name)"
        ),
        _ => line,
    };
    let line = match kms.and_then(|trouble| trouble.advice) {
        Some(advice) => format!("{line} ({advice})"),
        None => line,
    };
    let throttle = throttle_of(code.as_deref(), error.message());
    let source = S3Error { line, status, code };
    BucketError::new(kind, operation, key, source).throttled_by(throttle)
}

/// The server's code and message, or what went wrong on the way to it.
fn line_of<E>(status: Option<u16>, error: &SdkError<E, HttpResponse>) -> String
where
    E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
{
    let message = error.message().filter(|message| !message.is_empty());
    match (status, error.code(), message) {
        (Some(status), Some(code), Some(message)) => format!("{status} {code}: {message}"),
        (Some(status), Some(code), None) => format!("{status} {code}"),
        (Some(status), None, _) if matches!(error, SdkError::ServiceError(_)) => format!("status {status}"),
        (Some(status), None, _) => format!("status {status}: {}", plainly(error)),
        (None, _, _) => plainly(error),
    }
}

/// True when it is the bucket that is missing, not the object.
pub(super) fn is_bucket_missing(error: &BucketError) -> bool {
    error.source.downcast_ref::<S3Error>().is_some_and(|error| error.code.as_deref() == Some("NoSuchBucket"))
}

/// Whether a server has answered with this error: it then says nothing of the command line.
pub fn is_answer(error: &BucketError) -> bool {
    refusal_of(error).is_some()
}

/// The HTTP status and the S3 error code of a refusal.
pub(super) fn refusal_of(error: &BucketError) -> Option<(u16, Option<&str>)> {
    let error = error.source.downcast_ref::<S3Error>()?;
    Some((error.status?, error.code.as_deref()))
}

/// Who asks for fewer requests. AWS reports the limits of KMS under the store's own code, with KMS in the
/// message; KMS's own codes come through as well.
fn throttle_of(code: Option<&str>, message: Option<&str>) -> Option<Throttle> {
    match code? {
        "KMS.ThrottlingException" => Some(Throttle::Kms),
        "SlowDown" | "Throttling" | "ThrottlingException" | "TooManyRequests" | "RequestLimitExceeded" => {
            let by_kms = message.is_some_and(|message| message.contains("KMS"));
            Some(if by_kms { Throttle::Kms } else { Throttle::Store })
        }
        _ => None,
    }
}

/// The kind of a reply that was understood. Codes as in the S3 API reference, "Error responses", and those
/// that MinIO, Ceph and SeaweedFS add.
pub(super) fn kind_of_reply(code: Option<&str>, status: u16) -> ErrorKind {
    match code.unwrap_or_default() {
        "NoSuchKey" | "NoSuchBucket" | "NotFound" => ErrorKind::NotFound,
        "PreconditionFailed" => ErrorKind::Precondition,
        "ConditionalRequestConflict"
        | "OperationAborted"
        | "RequestTimeout"
        | "SlowDown"
        | "Throttling"
        | "ThrottlingException"
        | "TooManyRequests"
        | "RequestLimitExceeded"
        | "InternalError"
        | "ServiceUnavailable" => ErrorKind::Transient,
        "AccessDenied"
        | "ExpiredToken"
        | "InvalidToken"
        | "TokenRefreshRequired"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "RequestTimeTooSkewed"
        | "AccountProblem" => ErrorKind::Denied,
        "QuotaExceeded" | "XMinioAdminBucketQuotaExceeded" | "XMinioStorageFull" | "InsufficientCapacity" => {
            ErrorKind::Full
        }
        "InvalidEncryptionAlgorithmError" => ErrorKind::Encryption,
        "InvalidRange" => ErrorKind::Invalid,
        "NotImplemented" | "MethodNotAllowed" => ErrorKind::Unsupported,
        _ => kind_of_status(status),
    }
}

fn kind_of_status(status: u16) -> ErrorKind {
    match status {
        // A success that makes no sense.
        200..=299 => ErrorKind::Corrupt,
        404 => ErrorKind::NotFound,
        412 => ErrorKind::Precondition,
        401 | 403 => ErrorKind::Denied,
        408 | 425 | 429 => ErrorKind::Transient,
        507 => ErrorKind::Full,
        405 | 501 => ErrorKind::Unsupported,
        505 => ErrorKind::Invalid,
        500.. => ErrorKind::Transient,
        _ => ErrorKind::Invalid,
    }
}

/// A reply that could not be understood: trouble on the way when the status says so or there is none.
fn kind_of_garbage(status: Option<u16>) -> ErrorKind {
    match status {
        None | Some(429 | 500..) => ErrorKind::Transient,
        Some(_) => ErrorKind::Corrupt,
    }
}

/// True when no request was sent because the configuration holds no usable credentials. A provider that
/// failed (an identity server that is down, a session that can be renewed) is passing trouble instead.
fn lacks_credentials(error: &(dyn StdError + 'static)) -> bool {
    causes(error).find_map(|cause| cause.downcast_ref::<CredentialsError>()).is_some_and(|credentials| {
        matches!(
            credentials,
            CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_grouped_by_what_the_caller_can_do() {
        for (code, status, kind) in [
            (Some("NoSuchKey"), 404, ErrorKind::NotFound),
            (None, 404, ErrorKind::NotFound),
            (None, 200, ErrorKind::Corrupt),
            (Some("PreconditionFailed"), 412, ErrorKind::Precondition),
            (Some("ConditionalRequestConflict"), 409, ErrorKind::Transient),
            (Some("BucketAlreadyExists"), 409, ErrorKind::Invalid),
            (Some("AccessDenied"), 403, ErrorKind::Denied),
            (Some("ExpiredToken"), 400, ErrorKind::Denied),
            (None, 403, ErrorKind::Denied),
            (Some("SlowDown"), 503, ErrorKind::Transient),
            (Some("RequestTimeout"), 400, ErrorKind::Transient),
            (None, 429, ErrorKind::Transient),
            (None, 500, ErrorKind::Transient),
            (None, 502, ErrorKind::Transient),
            (None, 507, ErrorKind::Full),
            (Some("InvalidEncryptionAlgorithmError"), 400, ErrorKind::Encryption),
            (Some("QuotaExceeded"), 403, ErrorKind::Full),
            (Some("InvalidRange"), 416, ErrorKind::Invalid),
            (Some("NotImplemented"), 501, ErrorKind::Unsupported),
            (Some("MethodNotAllowed"), 405, ErrorKind::Unsupported),
            (None, 405, ErrorKind::Unsupported),
            (None, 501, ErrorKind::Unsupported),
            (Some("PermanentRedirect"), 301, ErrorKind::Invalid),
        ] {
            assert_eq!(kind_of_reply(code, status), kind, "{code:?} {status}");
        }
        assert_eq!(kind_of_garbage(Some(503)), ErrorKind::Transient);
        assert_eq!(kind_of_garbage(Some(200)), ErrorKind::Corrupt);
    }

    #[test]
    fn the_key_services_throttling_is_told_from_the_stores() {
        for (code, message, throttle) in [
            ("SlowDown", "Please reduce your request rate.", Some(Throttle::Store)),
            (
                "SlowDown",
                "Please reduce your request rate for operations involving AWS KMS.",
                Some(Throttle::Kms),
            ),
            (
                "ThrottlingException",
                "You have exceeded the rate at which you may call KMS.",
                Some(Throttle::Kms),
            ),
            ("KMS.ThrottlingException", "Rate exceeded", Some(Throttle::Kms)),
            ("InternalError", "KMS", None),
        ] {
            assert_eq!(throttle_of(Some(code), Some(message)), throttle, "{code} {message}");
            let kms = KmsTrouble::of(Some(code), 400, Some(message));
            let kind = kms.map_or_else(|| kind_of_reply(Some(code), 400), |trouble| trouble.kind);
            assert_eq!(kind, ErrorKind::Transient, "{code}");
        }
        assert_eq!(throttle_of(None, Some("SlowDown")), None);
    }
}
