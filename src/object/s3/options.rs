//! What the user can say about an S3 server beyond the standard AWS configuration.

use super::transport::TransportOptions;

/// Overrides of the environment and the profile. The default takes everything from those.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct S3Options {
    /// `--endpoint-url`: a server other than AWS (else `AWS_ENDPOINT_URL`, then the profile).
    pub endpoint_url: Option<String>,
    /// `--region` (else `AWS_REGION`, the profile, the instance; `us-east-1` where nothing names one).
    pub region: Option<String>,
    /// `--profile` (else `AWS_PROFILE`).
    pub profile: Option<String>,
    /// `--path-style`: the bucket's name in the path instead of the host name.
    pub path_style: bool,
    /// `--tls-min`, `--ca-bundle`, `--insecure-http`.
    pub transport: TransportOptions,
}
