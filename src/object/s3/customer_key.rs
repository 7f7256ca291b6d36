//! The last look at a request before it leaves: a customer key goes over TLS or not at all. And the first look at
//! an answer.
//!
//! Endpoints come from many places (options, variables, profiles, redirects of a proxy's making); only the
//! request itself tells where it goes. Loopback is no exception: whoever can listen there reads the key, and
//! AWS refuses such requests as well.

use std::fmt;

use aws_sdk_s3::config::interceptors::{
    BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use thiserror::Error;

use crate::object::encryption::Encryption;

/// The headers that carry keys (S3 API, GetObject and CopyObject).
const KEY_HEADERS: [&str; 2] =
    ["x-amz-server-side-encryption-customer-key", "x-amz-copy-source-server-side-encryption-customer-key"];

/// The header that SeaweedFS writes twice into answers to reads.
const MD5_HEADER: &str = "x-amz-server-side-encryption-customer-key-md5";

/// A request with a customer key that would go over plain HTTP. Nothing was sent.
#[derive(Debug, Clone, Error)]
#[error(
    "SSE-C sends the key of each object along with the request, and {endpoint} is plain HTTP, also on this \
     machine; give an https:// endpoint"
)]
pub(super) struct CustomerKeyInTheClear {
    endpoint: String,
}

/// Refuses requests that would show a customer key to everybody on the way; and, while a volume is made that is to have
/// such keys, all others: none of them would help.
pub(super) struct CustomerKeysNeedTls(pub Encryption);

impl fmt::Debug for CustomerKeysNeedTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Intercept for CustomerKeysNeedTls {
    fn name(&self) -> &'static str {
        "CustomerKeysNeedTls"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request();
        let carries_key = KEY_HEADERS.iter().any(|name| request.headers().get(*name).is_some());
        let needs_tls = carries_key || self.0.begins_with_customer_keys();
        match needs_tls && !is_https(request.uri()) {
            true => Err(CustomerKeyInTheClear { endpoint: endpoint_of(request.uri()) }.into()),
            false => Ok(()),
        }
    }
}

/// A header that came several times with the same value counts as one. Different ones are left as they are:
/// the answer cannot be understood then, and that is what it deserves.
#[derive(Debug)]
pub(super) struct RepeatedHeaders;

impl Intercept for RepeatedHeaders {
    fn name(&self) -> &'static str {
        "RepeatedHeaders"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.response_mut().headers_mut();
        let mut values = headers.get_all(MD5_HEADER);
        let Some(first) = values.next().map(str::to_owned) else { return Ok(()) };
        let rest: Vec<&str> = values.collect();
        if !rest.is_empty() && rest.iter().all(|value| *value == first) {
            headers.insert(MD5_HEADER, first);
        }
        Ok(())
    }
}

fn is_https(uri: &str) -> bool {
    uri.split_once("://").is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("https"))
}

/// Scheme, host and port.
fn endpoint_of(uri: &str) -> String {
    let (scheme, rest) = uri.split_once("://").unwrap_or(("http", uri));
    format!("{scheme}://{}", rest.split(['/', '?']).next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_is_https() {
        assert!(is_https("https://127.0.0.1:8333/b") && is_https("HTTPS://host"));
        for uri in ["http://127.0.0.1/https://", "httpss://host", "//host", "https:/host", ""] {
            assert!(!is_https(uri), "{uri}");
        }
        assert_eq!(endpoint_of("http://127.0.0.1:8333/bucket/key?x-id=PutObject"), "http://127.0.0.1:8333");
    }
}
