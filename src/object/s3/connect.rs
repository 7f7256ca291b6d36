//! From options and the standard AWS configuration to a client.

use std::time::Duration;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::{AppName, BehaviorVersion, Region};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    Builder, RequestChecksumCalculation, ResponseChecksumValidation, StalledStreamProtectionConfig,
};

use super::customer_key::{CustomerKeysNeedTls, RepeatedHeaders};
use super::replies::ReplyLimit;
use super::transport::{Clients, EndpointError, check_endpoint, clients};
use super::{S3Bucket, S3Options};
use crate::object::encryption::Encryption;
use crate::object::error::{BucketError, BucketResult, ErrorKind};

/// Time for the TCP and TLS handshakes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A body that does not move for this long has stalled.
const STALL_GRACE: Duration = Duration::from_secs(20);
/// Signed for where nothing names a region; servers other than AWS do not care.
const FALLBACK_REGION: &str = "us-east-1";

impl S3Bucket {
    /// Reads the AWS configuration (environment, profiles, SSO, instance and web identities) and makes a
    /// client for `bucket`, confined to `prefix` (empty, or without leading and trailing slash). Nothing
    /// is asked of the store yet, and credentials are looked for with the first request.
    ///
    /// # Errors
    /// `Invalid` for an endpoint that is no http(s) URL or a CA bundle that cannot be used; `Insecure` for
    /// plain HTTP to another machine.
    pub async fn connect(bucket: &str, prefix: &str, options: &S3Options) -> BucketResult<Self> {
        let invalid = |why: String| BucketError::new(ErrorKind::Invalid, "open", bucket, why);
        let insecure_http = options.transport.insecure_http;
        let check = |url: &str| {
            check_endpoint(url, insecure_http).map_err(|error| {
                let kind = match &error {
                    EndpointError::Unsafe(_) => ErrorKind::Insecure,
                    EndpointError::NoUrl(_) => ErrorKind::Invalid,
                };
                BucketError::new(kind, "open", bucket, error)
            })
        };
        if let Some(url) = &options.endpoint_url {
            check(url)?;
        }
        let clients = clients(&options.transport).map_err(|error| invalid(error.to_string()))?;
        let shared = load(options, &clients).await.map_err(invalid)?;
        // Whatever else names an endpoint (a variable for S3 alone, a profile's service section) meets the
        // same rule when the connection is made.
        if let Some(url) = shared.endpoint_url() {
            check(url)?;
        }
        let on_localhost = shared.endpoint_url().is_some_and(names_localhost);
        let region = shared.region().cloned().unwrap_or_else(|| Region::from_static(FALLBACK_REGION));
        let config = Builder::from(&shared)
            .region(region)
            .http_client(clients.store)
            .force_path_style(options.path_style || on_localhost)
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).build())
            .stalled_stream_protection(
                StalledStreamProtectionConfig::enabled().grace_period(STALL_GRACE).build(),
            )
            // Some servers refuse the trailers that carry unasked-for checksums; objects are sealed anyway.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .interceptor(CustomerKeysNeedTls)
            .interceptor(RepeatedHeaders)
            .interceptor(ReplyLimit)
            .build();
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Self {
            client: Client::from_conf(config),
            bucket: bucket.to_owned(),
            prefix,
            link: clients.link,
            encryption: Encryption::default(),
        })
    }
}

async fn load(options: &S3Options, clients: &Clients) -> Result<aws_config::SdkConfig, String> {
    let name = AppName::new("hushfs").map_err(|error| error.to_string())?;
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .app_name(name)
        .http_client(clients.credentials.clone());
    if let Some(url) = &options.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    if let Some(region) = &options.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(profile) = &options.profile {
        // Said aloud, a profile beats credentials that happen to be in the environment, as in the AWS CLI.
        let credentials = ProfileFileCredentialsProvider::builder().profile_name(profile).build();
        loader = loader.profile_name(profile).credentials_provider(credentials);
    }
    Ok(loader.load().await)
}

/// True for `localhost`, under which no bucket has a host name of its own. (Addresses never get one.)
fn names_localhost(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = host.split(['/', ':']).next().unwrap_or_default();
    host.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_localhost_itself_needs_the_bucket_in_the_path() {
        for url in ["http://localhost:8333", "https://LOCALHOST/x", "http://localhost"] {
            assert!(names_localhost(url), "{url}");
        }
        for url in ["http://localhost.example.org", "http://127.0.0.1:8333", "https://s3.example/localhost"] {
            assert!(!names_localhost(url), "{url}");
        }
    }

    #[tokio::test]
    async fn an_endpoint_without_http_is_refused() {
        let options = S3Options { endpoint_url: Some("127.0.0.1:8333".into()), ..S3Options::default() };
        let error = S3Bucket::connect("bucket", "", &options).await.err().unwrap();
        assert_eq!(error.kind, ErrorKind::Invalid);
    }
}
