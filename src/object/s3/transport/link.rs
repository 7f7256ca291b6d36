//! What the connections to the store have agreed upon, for `status` and `bucket audit`.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::{ClientConnection, ProtocolVersion};
use serde::{Deserialize, Serialize};

/// The newest connection's protection; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Link(Arc<Mutex<LinkStatus>>);

/// How the store is being talked to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "protection", rename_all = "kebab-case")]
pub enum LinkStatus {
    /// No connection was made yet (or the bucket is a folder).
    #[default]
    None,
    /// Without TLS.
    PlainHttp {
        /// The other end is this machine.
        loopback: bool,
        /// `--insecure-http` was given, whether it was needed or not.
        #[serde(default)]
        insecure_http: bool,
    },
    /// With a certificate that was verified.
    Tls {
        /// `1.2` or `1.3`.
        version: String,
        /// The cipher suite, in IANA's words.
        cipher: String,
        /// `--insecure-http` was given, which this connection did not need.
        #[serde(default)]
        insecure_http: bool,
    },
}

impl Link {
    /// The newest connection.
    pub fn status(&self) -> LinkStatus {
        self.0.lock().clone()
    }

    pub(super) fn note(&self, status: LinkStatus) {
        *self.0.lock() = status;
    }
}

impl LinkStatus {
    /// What a handshake agreed upon, and whether plain HTTP would have done as well.
    pub(super) fn of(connection: &ClientConnection, insecure_http: bool) -> Self {
        let version = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "1.3".to_owned(),
            Some(ProtocolVersion::TLSv1_2) => "1.2".to_owned(),
            other => format!("{other:?}"),
        };
        let cipher = connection.negotiated_cipher_suite();
        let cipher = cipher.and_then(|suite| suite.suite().as_str()).unwrap_or("unknown").to_owned();
        Self::Tls { version, cipher, insecure_http }
    }
}

impl fmt::Display for LinkStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("no connection"),
            Self::PlainHttp { loopback, insecure_http } => {
                let way = if *loopback { " within this machine" } else { ", NOT PROTECTED on its way" };
                let option = if *insecure_http { " (--insecure-http)" } else { "" };
                write!(f, "plain HTTP{way}{option}")
            }
            Self::Tls { version, cipher, insecure_http } => {
                let option = if *insecure_http { ", plain HTTP allowed (--insecure-http)" } else { "" };
                write!(f, "TLS {version} ({cipher}){option}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn insecure_http_shows_in_every_status() {
        let shown = |loopback, insecure_http| LinkStatus::PlainHttp { loopback, insecure_http }.to_string();
        assert_eq!(shown(true, false), "plain HTTP within this machine");
        assert_eq!(shown(true, true), "plain HTTP within this machine (--insecure-http)");
        assert_eq!(shown(false, true), "plain HTTP, NOT PROTECTED on its way (--insecure-http)");
        let tls = |insecure_http| {
            let (version, cipher) = ("1.3".to_owned(), "AES".to_owned());
            LinkStatus::Tls { version, cipher, insecure_http }.to_string()
        };
        assert_eq!(tls(false), "TLS 1.3 (AES)");
        assert_eq!(tls(true), "TLS 1.3 (AES), plain HTTP allowed (--insecure-http)");
    }
}
