//! From options and the standard AWS configuration (environment, profiles, SSO, instance and web identities)
//! to what a client of AWS needs, and to one rule for every line.

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};

use super::S3Options;
use super::transport::{Clients, EndpointError, check_endpoint, clients};
use crate::object::error::{BucketError, BucketResult, ErrorKind};

/// Signed for where nothing names a region; servers other than AWS do not care.
pub(super) const FALLBACK_REGION: &str = "us-east-1";

/// The configuration, and the clients that keep the rules of `--tls-min`, `--ca-bundle` and `--insecure-http`.
pub(super) struct Configured {
    pub shared: SdkConfig,
    pub clients: Clients,
}

/// Reads the configuration for `what`, which errors name. Credentials are looked for with the first request.
///
/// # Errors
/// `Invalid` for an endpoint that is no http(s) URL or a CA bundle that cannot be used; `Insecure` for plain HTTP
/// to another machine.
pub(super) async fn configure(what: &str, options: &S3Options) -> BucketResult<Configured> {
    let invalid = |why: String| BucketError::new(ErrorKind::Invalid, "open", what, why);
    let insecure_http = options.transport.insecure_http;
    let check = |url: &str| {
        check_endpoint(url, insecure_http).map_err(|error| {
            let kind = match &error {
                EndpointError::Unsafe(_) => ErrorKind::Insecure,
                EndpointError::NoUrl(_) => ErrorKind::Invalid,
            };
            BucketError::new(kind, "open", what, error)
        })
    };
    if let Some(url) = &options.endpoint_url {
        check(url)?;
    }
    let clients = clients(&options.transport).map_err(|error| invalid(error.to_string()))?;
    let shared = load(options, &clients).await.map_err(invalid)?;
    // Whatever else names an endpoint (a variable for one service, a profile's section) meets the same rule
    // when the connection is made.
    if let Some(url) = shared.endpoint_url() {
        check(url)?;
    }
    Ok(Configured { shared, clients })
}

/// The same for another service of AWS: a configuration whose connections keep the rules, with a region.
///
/// # Errors
/// As [`configure`].
pub async fn aws_configuration(what: &str, options: &S3Options) -> BucketResult<SdkConfig> {
    let Configured { shared, clients } = configure(what, options).await?;
    let region = region_of(&shared);
    Ok(shared.into_builder().http_client(clients.store).region(region).build())
}

/// The region, or what is signed for where nothing names one.
pub(super) fn region_of(shared: &SdkConfig) -> Region {
    shared.region().cloned().unwrap_or_else(|| Region::from_static(FALLBACK_REGION))
}

async fn load(options: &S3Options, clients: &Clients) -> Result<SdkConfig, String> {
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
