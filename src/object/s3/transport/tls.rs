//! What a server has to prove: a certificate for its name, by an authority that is trusted here, over
//! TLS 1.2 or 1.3 (RFC 5246, RFC 8446).

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, version};
use serde::{Deserialize, Serialize};

use super::{TlsConfig, TransportOptions, Unsafe};

/// The variable that the AWS tools take a CA bundle from.
const BUNDLE_VARIABLE: &str = "AWS_CA_BUNDLE";
/// HTTP/1.1 and nothing else: S3 has no HTTP/2, and one connection per request in flight is faster.
const ALPN: &[u8] = b"http/1.1";

/// What is offered for each oldest version.
const UP_FROM_12: &[&SupportedProtocolVersion] = &[&version::TLS13, &version::TLS12];
const UP_FROM_13: &[&SupportedProtocolVersion] = &[&version::TLS13];

/// The oldest TLS version that is accepted. Nothing older than 1.2 ever is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TlsMin {
    #[default]
    #[serde(rename = "1.2")]
    V12,
    #[serde(rename = "1.3")]
    V13,
}

impl TlsMin {
    fn versions(self) -> &'static [&'static SupportedProtocolVersion] {
        match self {
            Self::V12 => UP_FROM_12,
            Self::V13 => UP_FROM_13,
        }
    }
}

impl fmt::Display for TlsMin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V12 => "1.2",
            Self::V13 => "1.3",
        })
    }
}

impl FromStr for TlsMin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "1.2" => Ok(Self::V12),
            "1.3" => Ok(Self::V13),
            "1.0" | "1.1" => Err(format!("TLS {text} is broken and never used; write 1.2 or 1.3")),
            _ => Err("write 1.2 or 1.3".to_owned()),
        }
    }
}

/// The TLS settings of every connection; `None` when the system trusts no authority at all, which is only
/// a failure once TLS is needed.
///
/// # Errors
/// `Bundle` for a file of certificates that is unreadable, empty or damaged.
pub(super) fn client_config(options: &TransportOptions) -> Result<TlsConfig, Unsafe> {
    let variable = std::env::var_os(BUNDLE_VARIABLE).filter(|file| !file.is_empty());
    let roots = match options.ca_bundle.clone().or_else(|| variable.map(Into::into)) {
        Some(file) => bundle(&file)?,
        None => system_roots(),
    };
    if roots.is_empty() {
        return Ok(None);
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(options.tls_min.versions())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(Some(Arc::new(config)))
}

fn bundle(file: &Path) -> Result<RootCertStore, Unsafe> {
    let bad = |why: String| Unsafe::Bundle { file: file.display().to_string(), why };
    let mut roots = RootCertStore::empty();
    let found = CertificateDer::pem_file_iter(file).map_err(|error| bad(error.to_string()))?;
    for (number, certificate) in (1..).zip(found) {
        let certificate = certificate.map_err(|error| bad(format!("certificate {number}: {error}")))?;
        roots.add(certificate).map_err(|error| {
            log::debug!("certificate {number} of {}: {error}", file.display());
            bad(format!("certificate {number} is none of an authority that can be understood"))
        })?;
    }
    if roots.is_empty() {
        return Err(bad("it holds no certificate in PEM".to_owned()));
    }
    Ok(roots)
}

/// Those of the system (or of `SSL_CERT_FILE` and `SSL_CERT_DIR`). Some that cannot be read are no reason
/// to trust none.
fn system_roots() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        log::warn!("the system's certificates: {error}");
    }
    let mut roots = RootCertStore::empty();
    let (_taken, ignored) = roots.add_parsable_certificates(found.certs);
    if ignored > 0 {
        log::debug!("{ignored} of the system's certificates cannot be understood");
    }
    roots
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_bundle(contents: &[u8]) -> Result<TlsConfig, Unsafe> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), contents).unwrap();
        client_config(&TransportOptions {
            ca_bundle: Some(file.path().to_owned()),
            ..TransportOptions::default()
        })
    }

    #[test]
    fn a_bundle_without_certificates_is_refused_by_name() {
        let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let cut = "-----BEGIN CERTIFICATE-----\nAAAA\n";
        for contents in ["", "no certificate", damaged, cut] {
            let error = with_bundle(contents.as_bytes()).err().unwrap().to_string();
            assert!(error.starts_with("the CA bundle /"), "{contents:?}: {error}");
        }
        let missing =
            TransportOptions { ca_bundle: Some("/no/such.pem".into()), ..TransportOptions::default() };
        assert!(client_config(&missing).err().unwrap().to_string().contains("/no/such.pem"));
    }

    #[test]
    fn old_tls_cannot_even_be_asked_for() {
        assert_eq!("1.2".parse(), Ok(TlsMin::V12));
        assert_eq!("1.3".parse(), Ok(TlsMin::V13));
        for old in ["1.1", "1.0", "ssl3", "", "2"] {
            assert!(old.parse::<TlsMin>().is_err(), "{old}");
        }
    }
}
