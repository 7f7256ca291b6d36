//! Errors of KMS, grouped by what the user can do.

use std::error::Error as StdError;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_kms::config::http::HttpResponse;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use thiserror::Error;

use crate::object::plainly;

/// What the user can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KmsErrorKind {
    /// The credentials are missing, expired or not allowed to use the key.
    Denied,
    /// More requests than the account's quota, even after repeating.
    Throttled,
    /// The network, a time-out, or KMS itself is in trouble.
    Unreachable,
    /// There is no such key, or it is disabled, about to be deleted or of another kind.
    Unusable,
    /// The secret was wrapped by another key than the one that was named.
    WrongKey,
    /// What was to be unwrapped is not what KMS wrapped, or not for this volume and slot.
    Altered,
    /// The endpoint is none, or would be reached without protection.
    Endpoint,
    /// KMS answered something that makes no sense.
    Nonsense,
}

/// A failed request: which, on which key, why.
#[derive(Debug, Error)]
#[error("KMS {operation} with the key {key:?}: {kind}")]
pub struct KmsError {
    pub kind: KmsErrorKind,
    /// Encrypt or Decrypt.
    pub operation: &'static str,
    pub key: String,
    pub source: Box<dyn StdError + Send + Sync>,
}

impl fmt::Display for KmsErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KmsErrorKind::Denied => "not permitted with these credentials",
            KmsErrorKind::Throttled => "too many requests for the account's quota; try again later",
            KmsErrorKind::Unreachable => "KMS cannot be reached",
            KmsErrorKind::Unusable => "the key is not there or cannot be used",
            KmsErrorKind::WrongKey => "the slot was made with another key",
            KmsErrorKind::Altered => "the slot holds nothing that KMS has wrapped for this volume and slot",
            KmsErrorKind::Endpoint => "the endpoint is refused",
            KmsErrorKind::Nonsense => "KMS answered with nonsense",
        })
    }
}

impl KmsError {
    pub(super) fn new(
        kind: KmsErrorKind,
        operation: &'static str,
        key: &str,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self { kind, operation, key: key.to_owned(), source: source.into() }
    }

    /// Translates the SDK's error.
    pub(super) fn translate<E>(operation: &'static str, key: &str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let kind = match error {
            SdkError::ServiceError(service) => {
                kind_of_reply(service.err().code(), service.raw().status().as_u16())
            }
            SdkError::TimeoutError(_) => KmsErrorKind::Unreachable,
            SdkError::DispatchFailure(failure) if failure.is_user() => KmsErrorKind::Endpoint,
            SdkError::DispatchFailure(_) if lacks_credentials(error) => KmsErrorKind::Denied,
            SdkError::DispatchFailure(_) => KmsErrorKind::Unreachable,
            SdkError::ResponseError(_) => KmsErrorKind::Nonsense,
            _ => KmsErrorKind::Endpoint,
        };
        let line = match (error.code(), error.message()) {
            (Some(code), message) => format!("{code}: {}", message.unwrap_or("no further message")),
            (None, _) => plainly(error),
        };
        Self::new(kind, operation, key, line)
    }
}

/// True when no request was sent because there are no usable credentials.
fn lacks_credentials(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<CredentialsError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Codes as in the AWS KMS API reference, "Encrypt", "Decrypt" and "Common errors".
fn kind_of_reply(code: Option<&str>, status: u16) -> KmsErrorKind {
    match code.unwrap_or_default() {
        "ThrottlingException" | "Throttling" | "LimitExceededException" | "RequestLimitExceeded" => {
            KmsErrorKind::Throttled
        }
        "AccessDeniedException"
        | "AccessDenied"
        | "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "ExpiredTokenException"
        | "InvalidClientTokenId"
        | "NotAuthorized"
        | "OptInRequired"
        | "InvalidGrantTokenException" => KmsErrorKind::Denied,
        "NotFoundException"
        | "DisabledException"
        | "KMSInvalidStateException"
        | "InvalidKeyUsageException"
        | "InvalidArnException" => KmsErrorKind::Unusable,
        "IncorrectKeyException" => KmsErrorKind::WrongKey,
        "InvalidCiphertextException" => KmsErrorKind::Altered,
        "KMSInternalException"
        | "DependencyTimeoutException"
        | "KeyUnavailableException"
        | "InternalFailure"
        | "ServiceUnavailable" => KmsErrorKind::Unreachable,
        _ => match status {
            401 | 403 => KmsErrorKind::Denied,
            429 => KmsErrorKind::Throttled,
            500.. => KmsErrorKind::Unreachable,
            _ => KmsErrorKind::Unusable,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_grouped_by_what_the_user_can_do() {
        for (code, status, kind) in [
            (Some("ThrottlingException"), 400, KmsErrorKind::Throttled),
            (None, 429, KmsErrorKind::Throttled),
            (Some("AccessDeniedException"), 400, KmsErrorKind::Denied),
            (Some("UnrecognizedClientException"), 400, KmsErrorKind::Denied),
            (None, 403, KmsErrorKind::Denied),
            (Some("NotFoundException"), 400, KmsErrorKind::Unusable),
            (Some("DisabledException"), 400, KmsErrorKind::Unusable),
            (Some("KMSInvalidStateException"), 400, KmsErrorKind::Unusable),
            (Some("IncorrectKeyException"), 400, KmsErrorKind::WrongKey),
            (Some("InvalidCiphertextException"), 400, KmsErrorKind::Altered),
            (Some("KMSInternalException"), 500, KmsErrorKind::Unreachable),
            (None, 503, KmsErrorKind::Unreachable),
            (Some("ValidationException"), 400, KmsErrorKind::Unusable),
        ] {
            assert_eq!(kind_of_reply(code, status), kind, "{code:?} {status}");
        }
    }
}
