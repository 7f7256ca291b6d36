//! How much of a reply is read.
//!
//! The SDK takes every reply that is not an object's content (listings, errors, confirmations) into memory as a whole,
//! however long it is. A store that streams for ever must cost neither memory nor more than the request's time, so
//! those bodies end with an error at a length that no honest one has. The content of objects has bounds of its own
//! (`get.rs`).

use std::error::Error as StdError;

use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use http_body_util::{LengthLimitError, Limited};

use super::transport::causes;

/// Longest reply that is not an object's content, in bytes. A listing of 1,000 keys of 1,024 bytes, each byte of which
/// is escaped, has some 10 MiB.
const MAX_REPLY: usize = 16 << 20;

/// Whether a reply was ended because it was too long.
pub(super) fn is_endless(error: &(dyn StdError + 'static)) -> bool {
    causes(error).any(|cause| cause.is::<LengthLimitError>())
}

/// Ends replies that are too long.
#[derive(Debug)]
pub(super) struct ReplyLimit;

impl Intercept for ReplyLimit {
    fn name(&self) -> &'static str {
        "ReplyLimit"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let asks_for_content = config.load::<Metadata>().is_some_and(|request| request.name() == "GetObject");
        if !(asks_for_content && context.response().status().is_success()) {
            let response = context.response_mut();
            let body = response.take_body();
            *response.body_mut() = SdkBody::from_body_1_x(Limited::new(body, MAX_REPLY));
        }
        Ok(())
    }
}
