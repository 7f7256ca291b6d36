//! The arguments that name a bucket, and how an S3 server is reached.

use std::path::PathBuf;

use clap::Args;

use crate::object::{S3Options, TlsMin, TransportOptions};

/// How to reach S3, beyond the standard AWS configuration.
#[derive(Debug, Clone, Default, Args, serde::Serialize, serde::Deserialize)]
#[command(
    next_help_heading = "S3 (beyond the standard AWS configuration: environment, profiles, SSO, roles)"
)]
pub struct S3Args {
    /// The server, for S3-compatible stores (also AWS_ENDPOINT_URL)
    #[arg(long, value_name = "URL")]
    pub endpoint_url: Option<String>,
    /// The region (also AWS_REGION or the profile)
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
    /// The profile of ~/.aws/config to use
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Write the bucket's name into the path instead of the host name
    #[arg(long)]
    pub path_style: bool,
    /// The oldest TLS version to accept: 1.2 or 1.3
    #[arg(long, value_name = "VERSION", default_value_t)]
    pub tls_min: TlsMin,
    /// Trust only the certificate authorities in FILE, in PEM (also AWS_CA_BUNDLE) [default: the system's]
    #[arg(long, value_name = "FILE")]
    pub ca_bundle: Option<PathBuf>,
    /// Permit plain HTTP to another machine: names, sizes and times show, credentials can be replayed
    #[arg(long)]
    pub insecure_http: bool,
}

impl S3Args {
    /// What the S3 backend is told.
    pub fn options(&self) -> S3Options {
        S3Options {
            endpoint_url: self.endpoint_url.clone(),
            region: self.region.clone(),
            profile: self.profile.clone(),
            path_style: self.path_style,
            transport: TransportOptions {
                tls_min: self.tls_min,
                ca_bundle: self.ca_bundle.clone(),
                insecure_http: self.insecure_http,
            },
        }
    }

    /// The server's address where it is not AWS: part of a place's name, because two servers can each
    /// have a bucket of the same name.
    pub fn endpoint(&self) -> Option<String> {
        let variable = |name| std::env::var(name).ok().filter(|url: &String| !url.is_empty());
        self.endpoint_url
            .clone()
            .or_else(|| variable("AWS_ENDPOINT_URL_S3"))
            .or_else(|| variable("AWS_ENDPOINT_URL"))
    }
}
