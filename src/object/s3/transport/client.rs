//! The connections under the SDK's own traits: reuse, and errors in its words.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::ErrorKind;
use hyper_util::client::legacy::connect::{CaptureConnection, HttpInfo, capture_connection};
use hyper_util::client::legacy::{Client, Error as HyperError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use parking_lot::Mutex;

use super::connector::{ConnectTimeout, Connector};
use super::refusal::{causes, refusal};

/// How long an idle connection is kept. A server that closes its end earlier is noticed by the pool.
const IDLE: Duration = Duration::from_secs(60);

/// HTTP clients for the SDK: one for each set of time-outs that it asks for.
pub(super) struct HyperClient {
    connector: Connector,
    made: Mutex<HashMap<Timeouts, SharedHttpConnector>>,
}

/// For connecting, and for the head of an answer.
type Timeouts = (Option<Duration>, Option<Duration>);

impl HyperClient {
    pub fn new(connector: Connector) -> Self {
        Self { connector, made: Mutex::default() }
    }
}

impl fmt::Debug for HyperClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HyperClient")
    }
}

impl HttpClient for HyperClient {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        let timeouts = (settings.connect_timeout(), settings.read_timeout());
        let make =
            || SharedHttpConnector::new(Pool::new(self.connector.with_timeout(timeouts.0), timeouts.1));
        self.made.lock().entry(timeouts).or_insert_with(make).clone()
    }
}

/// Connections that are kept and used again.
struct Pool {
    client: Client<Connector, SdkBody>,
    /// From the end of a request to the head of its answer.
    read_timeout: Option<Duration>,
}

/// The server took too long to answer.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {0:?}")]
struct ReadTimeout(Duration);

impl Pool {
    fn new(connector: Connector, read_timeout: Option<Duration>) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Self { client, read_timeout }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pool")
    }
}

impl HttpConnector for Pool {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into()))),
        };
        let connection = capture_connection(&mut request);
        if let Some(capture) = request.extensions().get::<CaptureSmithyConnection>() {
            capture.set_connection_retriever(move || metadata(&connection));
        }
        let answer = self.client.request(request);
        let limit = self.read_timeout;
        HttpConnectorFuture::new(async move {
            let response = match limit {
                Some(limit) => tokio::time::timeout(limit, answer)
                    .await
                    .map_err(|_elapsed| ConnectorError::timeout(ReadTimeout(limit).into()))?,
                None => answer.await,
            };
            let response = response.map_err(translate)?;
            HttpResponse::try_from(response.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// What the SDK needs to give up a connection that behaves badly.
fn metadata(connection: &CaptureConnection) -> Option<ConnectionMetadata> {
    let kept = connection.clone();
    let addresses = {
        let connected = connection.connection_metadata();
        let mut extras = http::Extensions::new();
        connected.as_ref()?.get_extras(&mut extras);
        extras.remove::<HttpInfo>()
    };
    let poison = move || {
        if let Some(connected) = kept.connection_metadata().as_ref() {
            connected.poison();
        }
    };
    let mut builder = ConnectionMetadata::builder().proxied(false).poison_fn(poison);
    builder
        .set_local_addr(addresses.as_ref().map(HttpInfo::local_addr))
        .set_remote_addr(addresses.as_ref().map(HttpInfo::remote_addr));
    Some(builder.build())
}

/// Who is to blame for a failed request, which decides whether it is repeated.
fn translate(error: HyperError) -> ConnectorError {
    let has = |is: fn(&(dyn StdError + 'static)) -> bool| causes(&error).any(is);
    if refusal(&error).is_some() {
        ConnectorError::user(error.into())
    } else if has(|cause| cause.is::<ConnectTimeout>()) {
        ConnectorError::timeout(error.into())
    } else if error.is_connect() || has(|cause| cause.is::<std::io::Error>()) {
        ConnectorError::io(error.into())
    } else {
        // The server closed the connection in the middle, or just before it was used again.
        ConnectorError::other(error.into(), Some(ErrorKind::TransientError))
    }
}
