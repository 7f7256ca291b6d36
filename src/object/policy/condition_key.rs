//! The condition keys of policies that hushfs knows (IAM's and S3's service authorization references). Letters may be
//! of either case.

/// Whether the request came over TLS.
pub const SECURE: &str = "aws:SecureTransport";
/// The version of TLS.
pub const TLS_VERSION: &str = "s3:TlsVersion";
/// The algorithm that a write asks for.
pub const SSE: &str = "s3:x-amz-server-side-encryption";
/// The KMS key of a write.
pub const KMS_KEY: &str = "s3:x-amz-server-side-encryption-aws-kms-key-id";
/// The algorithm of a write with a key of the customer's.
pub const CUSTOMER: &str = "s3:x-amz-server-side-encryption-customer-algorithm";
/// What a list is asked for.
pub const PREFIX: &str = "s3:prefix";
