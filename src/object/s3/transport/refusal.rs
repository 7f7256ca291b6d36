//! Was a connection refused because it would not have been safe? And what can be done about it?

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use rustls::{AlertDescription, CertificateError, Error as TlsError};

use super::Unsafe;

/// How the library that judges certificates calls one of an authority in the place of a server's (RFC 5280, 4.2.1.9).
const AUTHORITY_AS_SERVER: &str = "CaUsedAsEndEntity";

/// An error and everything behind it. (An `io::Error` hides what it was made of from `source`.)
pub(in crate::object::s3) fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref::<std::io::Error>() {
        Some(io) => io.get_ref().map(|inner| inner as &(dyn StdError + 'static)),
        None => error.source(),
    })
}

/// Why `error` means that no safe connection can be had, in words for the user. `None` for all trouble
/// that may pass: a line that broke in the handshake among other things.
pub fn refusal(error: &(dyn StdError + 'static)) -> Option<String> {
    causes(error).find_map(|cause| {
        if let Some(ours) = cause.downcast_ref::<Unsafe>() {
            return Some(ours.to_string());
        }
        cause.downcast_ref::<TlsError>().and_then(of_tls)
    })
}

/// What the layers of the SDK and of HTTP say of every error behind them.
const SAYS_NOTHING: [&str; 9] = [
    "dispatch failure",
    "service error",
    "response error",
    "io error",
    "user error",
    "timeout",
    "other",
    "client error (Connect)",
    "client error (SendRequest)",
];

/// Why no answer that makes sense came, in one plain line.
pub fn plainly(error: &(dyn StdError + 'static)) -> String {
    let lacking = causes(error).any(|cause| {
        let credentials = cause.downcast_ref::<CredentialsError>();
        matches!(credentials, Some(CredentialsError::CredentialsNotLoaded(_)))
    });
    if lacking {
        return "no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile \
                (--profile), or log in (aws sso login)"
            .to_owned();
    }
    let mut line = String::new();
    for cause in causes(error) {
        let said = cause.to_string();
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        if SAYS_NOTHING.contains(&said.as_str()) || line.contains(&said) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&said);
    }
    if line.is_empty() { error.to_string() } else { line }
}

fn of_tls(error: &TlsError) -> Option<String> {
    match error {
        TlsError::InvalidCertificate(why) => Some(of_certificate(why)),
        TlsError::PeerIncompatible(_)
        | TlsError::AlertReceived(AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure) => {
            Some(format!(
                "the server offers no TLS version and cipher that are accepted here ({error}); it needs TLS 1.2, \
                 or what --tls-min says"
            ))
        }
        TlsError::InvalidMessage(_) => {
            Some(format!("the server does not speak TLS ({error}); is this the right port?"))
        }
        TlsError::NoCertificatesPresented | TlsError::PeerMisbehaved(_) => {
            Some(format!("the server does not follow TLS: {error}"))
        }
        _ => None,
    }
}

fn of_certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => {
            "the server's certificate is not signed by an authority that is trusted here; for a private \
             authority give its certificate with --ca-bundle (or AWS_CA_BUNDLE)"
                .to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("the server's certificate is for another name: {error}")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("the server's certificate has expired, or this machine's clock is wrong: {error}")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("the server's certificate is not valid yet, or this machine's clock is wrong: {error}")
        }
        CertificateError::Other(why) if why.0.to_string() == AUTHORITY_AS_SERVER => {
            "the server shows the certificate of an authority (CA:TRUE), which no server may use as its own; let the \
             authority sign one for the server, or make one that signs nothing but itself: openssl req -x509 -addext \
             basicConstraints=critical,CA:FALSE -addext subjectAltName=DNS:NAME ..."
                .to_owned()
        }
        other => format!("the server's certificate is not acceptable: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_refusal_is_found_however_deep_it_is_wrapped() {
        let tls = TlsError::InvalidCertificate(CertificateError::UnknownIssuer);
        let wrapped = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, tls));
        assert!(refusal(&wrapped).unwrap().contains("--ca-bundle"));
        assert!(refusal(&io::Error::other(Unsafe::NobodyTrusted)).unwrap().contains("ca-certificates"));
    }

    #[test]
    fn an_error_is_told_in_one_line_without_the_layers_that_say_nothing() {
        let refused =
            io::Error::new(io::ErrorKind::ConnectionRefused, "Connection refused\n  (os error 111)");
        let wrapped = io::Error::other(Wrapped("dispatch failure", Wrapped("io error", refused)));
        assert_eq!(plainly(&wrapped), "Connection refused (os error 111)");
        assert_eq!(plainly(&io::Error::other("dispatch failure")), "dispatch failure");
        let unset = CredentialsError::not_loaded("environment variable not set");
        assert!(plainly(&Wrapped("dispatch failure", unset)).contains("--profile"));
    }

    #[derive(Debug)]
    struct Wrapped<E>(&'static str, E);

    impl<E> std::fmt::Display for Wrapped<E> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }

    impl<E: StdError + 'static> StdError for Wrapped<E> {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.1)
        }
    }

    #[test]
    fn a_handshake_that_broke_off_may_be_tried_again() {
        assert_eq!(refusal(&io::Error::new(io::ErrorKind::UnexpectedEof, "tls handshake eof")), None);
        assert_eq!(refusal(&io::Error::other(TlsError::DecryptError)), None);
        let internal = TlsError::AlertReceived(AlertDescription::InternalError);
        assert_eq!(refusal(&io::Error::other(internal)), None);
    }
}
