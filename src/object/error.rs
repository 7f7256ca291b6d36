//! Errors of the bucket, grouped by what the caller can do.

use std::error::Error as StdError;
use std::fmt;

/// What the caller can do about a failed request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The object (or the bucket) is not there.
    NotFound,
    /// The condition of a conditional write did not hold: somebody else was first, or it was us and
    /// the reply was lost.
    Precondition,
    /// Passing trouble (network, time-out, throttling, 5xx): the same request may succeed later.
    Transient,
    /// The credentials do not allow this.
    Denied,
    /// The store (or the disk under it) is full.
    Full,
    /// The request can never succeed as it is (bad name, range outside the object).
    Invalid,
    /// This server does not know the request, or what it asks for.
    Unsupported,
    /// The connection would not be safe: plain HTTP, a certificate that does not hold, TLS that is too old.
    /// Nothing was sent.
    Insecure,
    /// The server does not encrypt at rest as it was asked to, or says something else.
    Encryption,
    /// The store answered something that contradicts itself or the protocol.
    Corrupt,
}

/// Who asks for fewer requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Throttle {
    /// The store itself.
    Store,
    /// The key service behind it (SSE-KMS, DSSE-KMS).
    Kms,
}

/// A failed request: what was tried, on which key, why.
#[derive(Debug)]
pub struct BucketError {
    pub kind: ErrorKind,
    /// The request in one word: get, put, head, list, delete.
    pub operation: &'static str,
    /// The key (relative to the prefix) or, for lists, the prefix.
    pub key: String,
    /// Set when the trouble is that too much was asked for; the kind is `Transient` then.
    pub throttle: Option<Throttle>,
    pub source: Box<dyn StdError + Send + Sync>,
}

/// What requests return.
pub type BucketResult<T> = Result<T, BucketError>;

impl BucketError {
    /// Builds an error from its parts; `source` may be a plain string.
    pub fn new(
        kind: ErrorKind,
        operation: &'static str,
        key: impl Into<String>,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self { kind, operation, key: key.into(), throttle: None, source: source.into() }
    }

    /// Notes who asked for fewer requests.
    #[must_use]
    pub fn throttled_by(self, throttle: Option<Throttle>) -> Self {
        Self { throttle, ..self }
    }
}

impl fmt::Display for BucketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            ErrorKind::NotFound => "is not in the bucket",
            ErrorKind::Precondition => "was changed by somebody else first",
            ErrorKind::Transient => "could not be reached for now",
            ErrorKind::Denied => "is not allowed with these credentials",
            ErrorKind::Full => "does not fit: the store is full",
            ErrorKind::Invalid => "was refused as invalid",
            ErrorKind::Unsupported => "is nothing that this server knows",
            ErrorKind::Insecure => "was not sent: the connection would not be safe",
            ErrorKind::Encryption => "is not encrypted at rest as it must be",
            ErrorKind::Corrupt => "was answered with nonsense",
        };
        write!(f, "{} of {:?} {what}", self.operation, self.key)
    }
}

impl StdError for BucketError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self.source.as_ref())
    }
}
