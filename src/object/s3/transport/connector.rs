//! Makes one connection: name, TCP, proxy, TLS, each with its check.

use std::error::Error as StdError;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tower_service::Service;

use super::link::{Link, LinkStatus};
use super::plain::PlainHttp;
use super::stream::Stream;
use super::{TlsConfig, Unsafe};

/// Silence on an idle connection after which the kernel asks whether the other end is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);

type BoxError = Box<dyn StdError + Send + Sync>;

/// Makes connections; clones share everything.
#[derive(Clone)]
pub(super) struct Connector {
    tcp: HttpConnector,
    tls: TlsConfig,
    plain: PlainHttp,
    proxies: Arc<Matcher>,
    link: Link,
    /// For TCP and TLS together.
    timeout: Option<Duration>,
}

/// Connecting took too long.
#[derive(Debug, thiserror::Error)]
#[error("no connection within {0:?}")]
pub(super) struct ConnectTimeout(Duration);

impl Connector {
    pub fn new(tls: TlsConfig, plain: PlainHttp, link: Link) -> Self {
        let mut tcp = HttpConnector::new();
        // Nagle's algorithm would hold back the end of a request until the server's delayed ACK: 40 ms each.
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(KEEPALIVE));
        tcp.enforce_http(false);
        Self { tcp, tls, plain, proxies: Arc::new(Matcher::from_env()), link, timeout: None }
    }

    /// The same, with a limit to how long connecting may take.
    pub fn with_timeout(&self, timeout: Option<Duration>) -> Self {
        Self { timeout, ..self.clone() }
    }

    async fn connect(self, uri: Uri) -> Result<TokioIo<Stream>, BoxError> {
        // Of an endpoint that only the SDK has read: a variable for S3 alone, a section of a profile.
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(Unsafe::Userinfo.into());
        }
        let connecting = async {
            match uri.scheme_str() {
                Some("https") => self.connect_tls(&uri).await,
                _ => self.connect_plain(&uri).await,
            }
        };
        let connected = match self.timeout {
            Some(limit) => tokio::time::timeout(limit, connecting)
                .await
                .unwrap_or_else(|_elapsed| Err(ConnectTimeout(limit).into())),
            None => connecting.await,
        };
        connected.map(TokioIo::new)
    }

    fn allows_plain_http(&self) -> bool {
        self.plain == PlainHttp::Anywhere
    }

    /// Straight to the server: a proxy would take it off this machine.
    async fn connect_plain(&self, uri: &Uri) -> Result<Stream, BoxError> {
        self.plain.permits(uri)?;
        let tcp = self.tcp.clone().call(uri.clone()).await?.into_inner();
        let peer = tcp.peer_addr()?.ip();
        self.plain.permits_peer(peer)?;
        self.link.note(LinkStatus::PlainHttp {
            loopback: peer.to_canonical().is_loopback(),
            insecure_http: self.allows_plain_http(),
        });
        Ok(Stream::Plain(tcp))
    }

    async fn connect_tls(&self, uri: &Uri) -> Result<Stream, BoxError> {
        let config = self.tls.as_ref().ok_or(Unsafe::NobodyTrusted)?;
        let host = uri.host().unwrap_or_default();
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let name = ServerName::try_from(bare.to_owned())?;
        let tcp = match self.proxies.intercept(uri) {
            Some(proxy) => self.tunnel(&proxy, uri).await?,
            None => self.tcp.clone().call(uri.clone()).await?.into_inner(),
        };
        let tls = TlsConnector::from(Arc::clone(config)).connect(name, tcp).await?;
        self.link.note(LinkStatus::of(tls.get_ref().1, self.allows_plain_http()));
        Ok(Stream::Tls(Box::new(tls)))
    }

    /// A way through the proxy (RFC 9110, 9.3.6), which sees the server's name and sealed bytes.
    async fn tunnel(&self, proxy: &Intercept, uri: &Uri) -> Result<TcpStream, BoxError> {
        if proxy.uri().scheme_str() != Some("http") {
            // Without the URL's user name and password.
            let shown = proxy.uri().scheme_str().unwrap_or("without a scheme");
            return Err(Unsafe::Proxy(shown.to_owned()).into());
        }
        let mut tunnel = Tunnel::new(proxy.uri().clone(), self.tcp.clone());
        if let Some(credentials) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(credentials.clone());
        }
        Ok(tunnel.call(uri.clone()).await?.into_inner())
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}
