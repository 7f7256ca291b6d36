//! How KMS is reached.

use clap::Args;

use super::challenge::Challenge;
use crate::cli::bucket_args::S3Args;
use crate::kms::KmsOptions;

/// How to reach KMS, beyond the standard AWS configuration and `--profile`.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "AWS KMS (also --region and --profile)")]
pub struct KmsArgs {
    /// The KMS server, where it is not AWS (also AWS_ENDPOINT_URL_KMS); HTTPS, but for this machine
    #[arg(long, value_name = "URL")]
    pub kms_endpoint_url: Option<String>,
    /// The region of KMS, where it is not the bucket's; a key's ARN names its own
    #[arg(long, value_name = "REGION")]
    pub kms_region: Option<String>,
}

impl KmsArgs {
    /// What the KMS client is told.
    pub(in crate::cli) fn options(&self, s3: &S3Args) -> KmsOptions {
        KmsOptions {
            endpoint_url: self.kms_endpoint_url.clone(),
            region: self.kms_region.clone().or_else(|| s3.region.clone()),
            profile: s3.profile.clone(),
            transport: s3.options().transport,
        }
    }

    pub(super) fn options_for(&self, challenge: &Challenge) -> KmsOptions {
        self.options(&challenge.s3)
    }
}
