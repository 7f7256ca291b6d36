//! Errors of KMS, grouped by what the user can do.

use std::error::Error as StdError;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_kms::config::http::HttpResponse;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use thiserror::Error;

use crate::object::{BucketError, ErrorKind, plainly, refusal};

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
    /// The endpoint is none.
    Endpoint,
    /// The connection would not be safe: plain HTTP, a certificate that does not hold, TLS that is too old.
    Insecure,
    /// KMS answered something that makes no sense.
    Nonsense,
}

/// A failed request: which, on which key, where, why.
#[derive(Debug, Error)]
#[error("KMS {operation} with the key {key:?}: {kind}{}", check(*.kind, .endpoint))]
pub struct KmsError {
    pub kind: KmsErrorKind,
    /// The server that was asked, as far as it is known.
    pub endpoint: String,
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
            KmsErrorKind::Insecure => "the connection would not be safe",
            KmsErrorKind::Nonsense => "what answered is no KMS, or says what makes no sense",
        })
    }
}

/// What to look at where the server itself may be the trouble.
fn check(kind: KmsErrorKind, endpoint: &str) -> String {
    match kind {
        KmsErrorKind::Unreachable => format!(" (asked: {endpoint}; check the network, and try again later)"),
        KmsErrorKind::Insecure => {
            " (KMS is asked over https:// alone, but within this machine; --insecure-http is for the bucket)"
                .to_owned()
        }
        KmsErrorKind::Nonsense => format!(
            " (asked: {endpoint}; check --kms-endpoint-url, AWS_ENDPOINT_URL_KMS and AWS_ENDPOINT_URL, and for a \
             proxy in between)"
        ),
        _ => String::new(),
    }
}

impl KmsError {
    pub(super) fn new(
        kind: KmsErrorKind,
        operation: &'static str,
        key: &str,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        let endpoint = "an endpoint that is not known".to_owned();
        Self { kind, endpoint, operation, key: key.to_owned(), source: source.into() }
    }

    /// Notes which server was asked.
    pub(super) fn at(self, endpoint: &str) -> Self {
        Self { endpoint: endpoint.to_owned(), ..self }
    }

    /// Of what was refused before anything was sent.
    pub(super) fn of_endpoint(operation: &'static str, key: &str, error: BucketError) -> Self {
        let insecure = error.kind == ErrorKind::Insecure;
        let kind = if insecure { KmsErrorKind::Insecure } else { KmsErrorKind::Endpoint };
        Self::new(kind, operation, key, error.source)
    }

    /// Translates the SDK's error.
    pub(super) fn translate<E>(operation: &'static str, key: &str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
    {
        if let Some(why) = refusal(error) {
            return Self::new(KmsErrorKind::Insecure, operation, key, why);
        }
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
pub(super) fn kind_of_reply(code: Option<&str>, status: u16) -> KmsErrorKind {
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
        named => match status {
            401 | 403 => KmsErrorKind::Denied,
            429 => KmsErrorKind::Throttled,
            500.. => KmsErrorKind::Unreachable,
            // KMS names every error of its own.
            400..500 if !named.is_empty() => KmsErrorKind::Unusable,
            _ => KmsErrorKind::Nonsense,
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
            (None, 400, KmsErrorKind::Nonsense),
            (None, 404, KmsErrorKind::Nonsense),
            (None, 302, KmsErrorKind::Nonsense),
            (Some("Moved"), 307, KmsErrorKind::Nonsense),
            (None, 200, KmsErrorKind::Nonsense),
        ] {
            assert_eq!(kind_of_reply(code, status), kind, "{code:?} {status}");
        }
    }
}
