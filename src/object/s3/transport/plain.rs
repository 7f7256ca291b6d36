//! Where plain HTTP may go.
//!
//! A name proves nothing: `localhost` is believed only if the connection really ends on this machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::Uri;

use super::Unsafe;

/// The metadata services of EC2, ECS and EKS, which speak plain HTTP by design: link-local (or a unique
/// local address of the instance's own hypervisor), not routed.
const METADATA: [IpAddr; 5] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
];

/// The rule for requests without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PlainHttp {
    /// Only to this machine.
    Loopback,
    /// Also to the metadata services, for credentials.
    LoopbackOrMetadata,
    /// The user insists.
    Anywhere,
}

impl PlainHttp {
    /// Judges a URL before a connection is made.
    pub fn permits(self, uri: &Uri) -> Result<(), Unsafe> {
        let host = uri.host().unwrap_or_default();
        let fine = match (self, address(host)) {
            (Self::Anywhere, _) => true,
            (_, Some(address)) => self.permits_address(address),
            (_, None) => host.eq_ignore_ascii_case("localhost"),
        };
        if fine { Ok(()) } else { Err(Unsafe::PlainHttp(host.to_owned())) }
    }

    /// Judges where a connection really went, before a byte is sent.
    pub fn permits_peer(self, peer: IpAddr) -> Result<(), Unsafe> {
        if self.permits_address(peer) { Ok(()) } else { Err(Unsafe::PlainHttp(peer.to_string())) }
    }

    fn permits_address(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        match self {
            Self::Loopback => address.is_loopback(),
            Self::LoopbackOrMetadata => address.is_loopback() || METADATA.contains(&address),
            Self::Anywhere => true,
        }
    }
}

/// The address that a URL's host is written as, IPv6 in brackets.
fn address(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    bare.unwrap_or(host).parse().ok()
}

/// Judges the endpoint that the user named, so that the message comes before anything else happens.
///
/// # Errors
/// A text for people, when it is no URL of a server; `Unsafe` as text where plain HTTP may not be used.
pub(in crate::object::s3) fn check_endpoint(url: &str, insecure_http: bool) -> Result<(), EndpointError> {
    let server = url.split_once("://").map_or(url, |(_, rest)| rest);
    if server.split('/').next().is_some_and(|authority| authority.contains('@')) {
        return Err(Unsafe::Userinfo.into());
    }
    let no_url = |why: &str| EndpointError::NoUrl(format!("the endpoint {url:?} {why}"));
    if !(url.starts_with("http://") || url.starts_with("https://")) {
        return Err(no_url("does not begin with http:// or https://"));
    }
    let uri: Uri = url.parse().map_err(|error| no_url(&format!("is no URL: {error}")))?;
    if url.contains(['?', '#']) {
        return Err(no_url("has a query or fragment, which a server's address has not"));
    }
    let (host, authority) = (uri.host().unwrap_or_default(), uri.authority().map_or("", |all| all.as_str()));
    if authority.len() > host.len() && uri.port_u16().is_none() {
        return Err(no_url("names a port that does not exist"));
    }
    if uri.scheme_str() == Some("http") && !insecure_http {
        PlainHttp::Loopback.permits(&uri)?;
    }
    Ok(())
}

/// What is wrong with an endpoint.
#[derive(Debug, thiserror::Error)]
pub(in crate::object::s3) enum EndpointError {
    #[error("{0}")]
    NoUrl(String),
    #[error(transparent)]
    Unsafe(#[from] Unsafe),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(rule: PlainHttp, url: &str) -> bool {
        rule.permits(&url.parse().unwrap()).is_ok()
    }

    #[test]
    fn plain_http_stays_on_this_machine() {
        for here in [
            "http://127.0.0.1:8333/b",
            "http://127.8.9.1",
            "http://[::1]:80",
            "http://localhost",
            "http://LocalHost:1",
        ] {
            assert!(permits(PlainHttp::Loopback, here), "{here}");
        }
        for elsewhere in [
            "http://s3.example.org",
            "http://localhost.example.org",
            "http://127.0.0.1.example.org",
            "http://10.0.0.1",
            "http://0.0.0.0",
            "http://[::]",
            "http://[fe80::1]",
            "http://169.254.169.254",
            "http://127.1",
            "http://bucket.localhost",
        ] {
            assert!(!permits(PlainHttp::Loopback, elsewhere), "{elsewhere}");
            assert!(permits(PlainHttp::Anywhere, elsewhere), "{elsewhere}");
        }
        assert!(permits(PlainHttp::Loopback, "http://[::ffff:127.0.0.1]"));
    }

    #[test]
    fn only_the_search_for_credentials_may_ask_a_metadata_service() {
        for metadata in [
            "http://169.254.169.254/latest",
            "http://169.254.170.2/v2",
            "http://169.254.170.23",
            "http://[fd00:ec2::254]/",
            "http://[fd00:ec2::23]/",
        ] {
            assert!(permits(PlainHttp::LoopbackOrMetadata, metadata), "{metadata}");
            assert!(!permits(PlainHttp::Loopback, metadata), "{metadata}");
        }
        for other in ["http://169.254.1.1", "http://sts.amazonaws.com", "http://[fd00:ec2::1]"] {
            assert!(!permits(PlainHttp::LoopbackOrMetadata, other), "{other}");
        }
    }

    #[test]
    fn a_localhost_that_is_elsewhere_is_found_out() {
        assert!(PlainHttp::Loopback.permits_peer("192.0.2.1".parse().unwrap()).is_err());
        assert!(PlainHttp::Loopback.permits_peer("127.0.0.1".parse().unwrap()).is_ok());
    }

    #[test]
    fn endpoints_are_judged_before_anything_is_sent() {
        for (url, insecure, why) in [
            ("127.0.0.1:8333", false, "http:// or https://"),
            ("ftp://host", false, "http:// or https://"),
            ("http://minio.example:9000", false, "--insecure-http"),
            ("https://user:geheim@minio.example", false, "do not belong"),
            ("https://user@minio.example", true, "do not belong"),
            ("user:geheim@minio.example", false, "do not belong"),
            ("https://", false, "no URL"),
            ("https://minio.example?x=y", false, "query"),
            ("https://minio.example/#x", false, "query"),
            ("https://minio.example:99999", false, "port"),
            ("https://[::1]:", false, "port"),
        ] {
            let error = check_endpoint(url, insecure).unwrap_err().to_string();
            assert!(error.contains(why) && !error.contains("geheim"), "{url}: {error}");
        }
        check_endpoint("http://minio.example:9000", true).unwrap();
        check_endpoint("https://minio.example:9000/path@x", false).unwrap();
        check_endpoint("http://localhost:9000", false).unwrap();
        check_endpoint("http://[::1]:9000/", false).unwrap();
    }
}
