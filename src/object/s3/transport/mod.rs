//! How bytes reach the S3 server: HTTP/1.1 over TLS, under rules of our own.
//!
//! The one place that builds an HTTP client; everything that talks to AWS uses it, also the search for
//! credentials. [`Connector`](connector) makes connections, [`HyperClient`] keeps them and speaks for them
//! to the SDK, [`plain`] decides where unprotected HTTP may go, [`tls`] what a server has to prove,
//! [`link`] remembers what was agreed upon.
//!
//! Invariants: certificates are always verified; TLS is 1.2 or newer; a request over plain HTTP leaves only
//! for this machine, for an instance's metadata service (credentials only), or when the user said so; no
//! redirect is ever followed. Proxies are those of the environment (`HTTPS_PROXY`, `NO_PROXY`) and carry
//! TLS end to end; plain HTTP never goes through one. Failure: a connection that would not be safe is an
//! [`Unsafe`], which nobody repeats.

mod client;
mod connector;
mod link;
mod plain;
mod refusal;
mod stream;
mod tls;

use std::path::PathBuf;
use std::sync::Arc;

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use thiserror::Error;

use self::client::HyperClient;
use self::connector::Connector;
pub use self::link::{Link, LinkStatus};
use self::plain::PlainHttp;
pub(super) use self::plain::{EndpointError, check_endpoint};
pub(super) use self::refusal::causes;
pub use self::refusal::{plainly, refusal};
pub use self::tls::TlsMin;

/// What the user can say about connections. The default is safe.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TransportOptions {
    /// `--tls-min`: the oldest TLS version that is accepted.
    pub tls_min: TlsMin,
    /// `--ca-bundle`: the only certificates that are trusted to sign servers', in PEM (else
    /// `AWS_CA_BUNDLE`, else the system's).
    pub ca_bundle: Option<PathBuf>,
    /// `--insecure-http`: plain HTTP to anywhere.
    pub insecure_http: bool,
}

/// Why a connection is not made.
#[derive(Debug, Error)]
pub enum Unsafe {
    /// Plain HTTP to another machine.
    #[error(
        "{0} would be reached by plain HTTP, where everybody on the way can read and change what is sent; \
         use https://, or if you must, --insecure-http"
    )]
    PlainHttp(String),
    /// An endpoint that holds a name and a password.
    #[error(
        "the endpoint holds a user name or password (before the @); credentials do not belong into a URL"
    )]
    Userinfo,
    /// The file of trusted certificates cannot be used.
    #[error("the CA bundle {file}: {why}")]
    Bundle { file: String, why: String },
    /// The system trusts nobody.
    #[error("no certificate authorities are known: install ca-certificates, or give --ca-bundle")]
    NobodyTrusted,
    /// TLS as wanted here cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
    /// The proxy that the environment names cannot be used.
    #[error("the proxy of the environment is {0}; only an http:// proxy can be used")]
    Proxy(String),
}

/// Clients for one store: one for the store itself, one for whoever hands out credentials.
pub(super) struct Clients {
    pub store: SharedHttpClient,
    pub credentials: SharedHttpClient,
    /// What the store's connections agreed upon.
    pub link: Link,
}

/// Builds both clients; certificates are read now.
///
/// # Errors
/// `Bundle`, `Tls`.
pub(super) fn clients(options: &TransportOptions) -> Result<Clients, Unsafe> {
    let config = tls::client_config(options)?;
    let link = Link::default();
    let client = |plain, link| {
        let connector = Connector::new(config.clone(), plain, link);
        SharedHttpClient::new(HyperClient::new(connector))
    };
    let (store_rule, credentials_rule) = match options.insecure_http {
        true => (PlainHttp::Anywhere, PlainHttp::Anywhere),
        false => (PlainHttp::Loopback, PlainHttp::LoopbackOrMetadata),
    };
    Ok(Clients {
        store: client(store_rule, link.clone()),
        credentials: client(credentials_rule, Link::default()),
        link,
    })
}

/// TLS for every connection, or why there is none: an endpoint on loopback needs no authorities.
type TlsConfig = Option<Arc<rustls::ClientConfig>>;
