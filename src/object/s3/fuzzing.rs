//! What is decoded of S3's answers outside of the SDK, for the targets in `object/fuzzing.rs`.

use super::{error, get, list};

/// Where a body starts in its object, and how long that is.
pub(in crate::object) fn extent_of(content_range: Option<&str>, len: u64) -> Option<(u64, u64)> {
    get::extent_of("k", content_range, len).ok().map(|extent| (extent.start, extent.object_len))
}

/// An ETag without its quotes.
pub(in crate::object) fn unquote(etag: Option<&str>) -> Option<String> {
    super::unquote("get", "k", etag).ok().map(|etag| etag.0)
}

/// What an answer's code and status mean; any pair means something.
pub(in crate::object) fn kind_of_reply(code: Option<&str>, status: u16) {
    let _ = error::kind_of_reply(code, status);
}

/// A name out of a listing.
pub(in crate::object) fn unescape_key(escaped: &str) -> String {
    list::unescape_key(escaped)
}
