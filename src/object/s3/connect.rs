//! From options and the standard AWS configuration to a client.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    Builder, RequestChecksumCalculation, ResponseChecksumValidation, StalledStreamProtectionConfig,
};
use tokio::sync::OnceCell;

use super::configuration::{Configured, configure, region_of};
use super::counted::Counted;
use super::customer_key::{CustomerKeysNeedTls, RepeatedHeaders};
use super::limits::PATIENCE;
use super::replies::ReplyLimit;
use super::{S3Bucket, S3Options};
use crate::object::Buffers;
use crate::object::encryption::Encryption;
use crate::object::error::BucketResult;

/// Time for the TCP and TLS handshakes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A body that does not move for this long has stalled.
const STALL_GRACE: Duration = Duration::from_secs(20);

impl S3Bucket {
    /// Reads the AWS configuration (environment, profiles, SSO, instance and web identities) and makes a
    /// client for `bucket`, confined to `prefix` (empty, or without leading and trailing slash). Nothing
    /// is asked of the store yet, and credentials are looked for with the first request.
    ///
    /// # Errors
    /// `Invalid` for an endpoint that is no http(s) URL or a CA bundle that cannot be used; `Insecure` for
    /// plain HTTP to another machine.
    pub async fn connect(bucket: &str, prefix: &str, options: &S3Options) -> BucketResult<Self> {
        let Configured { shared, clients } = configure(bucket, options).await?;
        let on_localhost = shared.endpoint_url().is_some_and(names_localhost);
        let (requests, encryption) = (Counted::default(), Encryption::default());
        let config = Builder::from(&shared)
            .region(region_of(&shared))
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
            .interceptor(CustomerKeysNeedTls(encryption.clone()))
            .interceptor(RepeatedHeaders)
            .interceptor(ReplyLimit)
            .interceptor(requests.clone())
            .build();
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Self {
            client: Client::from_conf(config),
            bucket: bucket.to_owned(),
            prefix,
            link: clients.link,
            encryption,
            requests,
            default: OnceCell::new(),
            patience: PATIENCE,
            bare_etags: AtomicBool::new(false),
            buffers: Buffers::default(),
            signs_all: AtomicBool::new(false),
        })
    }
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
    use crate::object::error::ErrorKind;

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
