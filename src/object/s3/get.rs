//! GetObject and HeadObject.

use std::ops::Range;
use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;

use super::error::translate;
use super::limits::MAX_BODY;
use super::sse::{read_encrypted, said};
use super::{S3Bucket, length, timestamp, unquote};
use crate::object::Buffers;
use crate::object::bucket::{ETag, Fetched, ObjectInfo, Watch};
use crate::object::encryption::{CustomerKey, EncryptionRules, StoredEncryption};
use crate::object::error::{BucketError, BucketResult, ErrorKind};
use crate::object::key::check_key;
use crate::object::range::{check_range, resolve_range};

/// Enough of an object for the header of a sealed one.
const START_LEN: u64 = 128;

/// An answer to a GET that was judged.
struct Got {
    fetched: Fetched,
    said: StoredEncryption,
    sent: Option<Arc<CustomerKey>>,
    storage_class: Option<String>,
}

/// The beginning of an object and what is needed to copy it.
pub(super) struct Start {
    pub bytes: Bytes,
    pub etag: ETag,
    pub object_len: u64,
    pub said: StoredEncryption,
    /// The customer key that it was read with.
    pub sent: Option<Arc<CustomerKey>>,
    /// As the server names it; `None` for the usual one.
    pub storage_class: Option<String>,
}
/// Memory that is taken before anything came, in bytes.
const TRUSTED_LEN: u64 = 9 << 20;

/// Where a body lies in its object.
pub(super) struct Extent {
    pub start: u64,
    pub len: u64,
    pub object_len: u64,
}

impl S3Bucket {
    pub(super) async fn get_object(
        &self,
        key: &str,
        range: Option<Range<u64>>,
        watch: &Watch<'_>,
    ) -> BucketResult<Fetched> {
        check_key("get", key)?;
        if let Some(range) = &range {
            check_range(key, range)?;
        }
        let range = range.as_ref();
        let attempt = |rules, sent| self.get_once(key, range, watch, rules, sent);
        self.with_customer_key(key, attempt).await.map(|got| got.fetched)
    }

    /// The first bytes of an object, and what the answer says about it.
    pub(super) async fn read_start(&self, key: &str) -> BucketResult<Start> {
        let range = 0..START_LEN;
        let attempt = |rules, sent| self.get_once(key, Some(&range), &|_| {}, rules, sent);
        let got = self.with_customer_key(key, attempt).await?;
        Ok(Start {
            bytes: got.fetched.bytes,
            etag: got.fetched.etag,
            object_len: got.fetched.object_len,
            said: got.said,
            sent: got.sent,
            storage_class: got.storage_class,
        })
    }

    /// The same without a byte of the object: the key service behind the store is not asked.
    pub(super) async fn look_at(&self, key: &str) -> BucketResult<Start> {
        self.with_customer_key(key, |rules, sent| self.look_once(key, rules, sent)).await
    }

    async fn get_once(
        &self,
        key: &str,
        range: Option<&Range<u64>>,
        watch: &Watch<'_>,
        rules: EncryptionRules,
        sent: Option<Arc<CustomerKey>>,
    ) -> BucketResult<Got> {
        let request = self.client.get_object().bucket(&self.bucket).key(self.full_key(key));
        let request = read_encrypted!(request.set_range(range.map(header)), sent.as_deref());
        let asking = async { request.send().await.map_err(|error| translate("get", key, error)) };
        let reply = self.within("get", key, 0, asking).await?;

        let said = said!(reply);
        self.judge_read("get", key, &rules, sent.as_deref(), &said)?;
        let storage_class = reply.storage_class().map(|class| class.as_str().to_owned());
        let len = length("get", key, reply.content_length())?;
        let extent = extent_of(key, reply.content_range(), len)?;
        if len > MAX_BODY {
            return Err(corrupt(key, format!("a body of {len} bytes was announced")));
        }
        let etag = unquote("get", key, reply.e_tag())?;
        let wanted = resolve_range(key, range, extent.object_len)?;
        let receiving = receive(key, reply.body, &extent, &wanted, &self.buffers, watch);
        let bytes = self.within("get", key, len, receiving).await?;
        Ok(Got { fetched: Fetched { bytes, etag, object_len: extent.object_len }, said, sent, storage_class })
    }

    pub(super) async fn head_object(&self, key: &str) -> BucketResult<ObjectInfo> {
        check_key("head", key)?;
        self.with_customer_key(key, |rules, sent| async { Ok(self.head_once(key, rules, sent).await?.0) })
            .await
    }

    async fn look_once(
        &self,
        key: &str,
        rules: EncryptionRules,
        sent: Option<Arc<CustomerKey>>,
    ) -> BucketResult<Start> {
        let (info, storage_class) = self.head_once(key, rules, sent.clone()).await?;
        let ObjectInfo { len, etag, encryption, .. } = info;
        Ok(Start { bytes: Bytes::new(), etag, object_len: len, said: encryption, sent, storage_class })
    }

    async fn head_once(
        &self,
        key: &str,
        rules: EncryptionRules,
        sent: Option<Arc<CustomerKey>>,
    ) -> BucketResult<(ObjectInfo, Option<String>)> {
        let request = self.client.head_object().bucket(&self.bucket).key(self.full_key(key));
        let request = read_encrypted!(request, sent.as_deref());
        let asking = async { request.send().await.map_err(|error| translate("head", key, error)) };
        let reply = self.within("head", key, 0, asking).await?;
        let said = said!(reply);
        self.judge_read("head", key, &rules, sent.as_deref(), &said)?;
        let info = ObjectInfo {
            len: length("head", key, reply.content_length())?,
            etag: unquote("head", key, reply.e_tag())?,
            modified: timestamp(reply.last_modified()),
            encryption: said,
        };
        Ok((info, reply.storage_class().map(|class| class.as_str().to_owned())))
    }
}

fn corrupt(key: &str, why: impl Into<String>) -> BucketError {
    BucketError::new(ErrorKind::Corrupt, "get", key, why.into())
}

/// The Range header (RFC 9110, 14.1.2). Its last position is kept where servers with signed integers can
/// follow.
fn header(range: &Range<u64>) -> String {
    let end = range.end.min(i64::MAX as u64);
    format!("bytes={}-{}", range.start, end.saturating_sub(1))
}

/// Reads the Content-Range header (RFC 9110, 14.4), `bytes FIRST-LAST/TOTAL`. Without one the body is the
/// whole object.
pub(super) fn extent_of(key: &str, content_range: Option<&str>, len: u64) -> BucketResult<Extent> {
    let Some(text) = content_range else { return Ok(Extent { start: 0, len, object_len: len }) };
    let parse = || {
        let (positions, total) = text.strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = positions.split_once('-')?;
        Some((first.parse::<u64>().ok()?, last.parse::<u64>().ok()?, total.parse::<u64>().ok()?))
    };
    match parse() {
        Some((first, last, total))
            if first <= last && last < total && last - first == len.wrapping_sub(1) =>
        {
            Ok(Extent { start: first, len, object_len: total })
        }
        _ => Err(corrupt(key, format!("the content range {text:?} does not fit a body of {len} bytes"))),
    }
}

/// Collects the wanted part of a body. Servers may send more than was asked for, never less; what is not wanted is not
/// kept, and what was not announced is not taken. Memory grows with what has come, not with what was announced.
async fn receive(
    key: &str,
    mut body: ByteStream,
    extent: &Extent,
    wanted: &Range<u64>,
    buffers: &Buffers,
    watch: &Watch<'_>,
) -> BucketResult<Bytes> {
    if wanted.start < extent.start || wanted.end > extent.start + extent.len {
        return Err(corrupt(key, "another range was sent than was asked for"));
    }
    let (skip, end) = (wanted.start - extent.start, wanted.end - extent.start);
    let mut bytes = buffers.take_at((end - skip).min(TRUSTED_LEN) as usize, wanted.start);
    let mut received = 0;
    while let Some(part) = body.next().await {
        let part = part.map_err(|error| BucketError::new(ErrorKind::Transient, "get", key, error))?;
        let len = part.len() as u64;
        if len > extent.len - received {
            let why = format!("the body goes on after the {} bytes that were announced", extent.len);
            return Err(corrupt(key, why));
        }
        let inside = |at: u64| at.clamp(skip, end).saturating_sub(received).min(len) as usize;
        bytes.extend_from_slice(&part[inside(received)..inside(received + len)]);
        received += len;
        watch(bytes.as_slice());
    }
    if received != extent.len {
        return Err(corrupt(key, format!("the body ends after {received} of {} bytes", extent.len)));
    }
    Ok(bytes.freeze())
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use http_body::Frame;

    use super::*;

    #[test]
    fn ranges_are_written_inclusively() {
        assert_eq!(header(&(0..1)), "bytes=0-0");
        assert_eq!(header(&(5..u64::MAX)), format!("bytes=5-{}", i64::MAX - 1));
    }

    #[test]
    fn a_content_range_that_contradicts_the_body_is_refused() {
        let extent = extent_of("k", Some("bytes 5-9/20"), 5).unwrap();
        assert_eq!((extent.start, extent.len, extent.object_len), (5, 5, 20));
        for text in ["bytes 5-9/*", "bytes 5-10/20", "bytes 9-5/20", "bytes 5-9/9", "5-9/20", "bytes 0-0/0"] {
            assert!(extent_of("k", Some(text), 5).is_err(), "{text}");
        }
        assert!(extent_of("k", Some("bytes 0-0/5"), 0).is_err());
    }

    /// A body that comes in parts of `step` bytes.
    fn body(bytes: &'static [u8], step: usize) -> ByteStream {
        let parts: Vec<Bytes> = bytes.chunks(step).map(Bytes::from_static).collect();
        ByteStream::from_body_1_x(Parts(parts.into()))
    }

    struct Parts(std::collections::VecDeque<Bytes>);

    impl http_body::Body for Parts {
        type Data = Bytes;
        type Error = std::io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            Poll::Ready(self.0.pop_front().map(|part| Ok(Frame::data(part))))
        }
    }

    #[tokio::test]
    async fn more_than_was_asked_for_is_cut_and_less_is_refused() {
        let whole = Extent { start: 0, len: 5, object_len: 5 };
        for wanted in [0..5, 1..3, 0..1, 4..5] {
            for step in 1..=5 {
                let got = receive("k", body(b"01234", step), &whole, &wanted, &Buffers::default(), &|_| {})
                    .await
                    .unwrap();
                assert_eq!(got, b"01234"[wanted.start as usize..wanted.end as usize], "{wanted:?} by {step}");
            }
        }
        let part = Extent { start: 2, len: 2, object_len: 5 };
        for wanted in [1..3, 3..5] {
            let refused =
                receive("k", body(b"34", 1), &part, &wanted, &Buffers::default(), &|_| {}).await.unwrap_err();
            assert_eq!(refused.kind, ErrorKind::Corrupt);
        }
    }

    #[tokio::test]
    async fn a_body_of_another_length_than_announced_is_refused() {
        for len in [4, 6, MAX_BODY] {
            let extent = Extent { start: 0, len, object_len: len };
            let refused = receive("k", body(b"12345", 2), &extent, &(0..len), &Buffers::default(), &|_| {})
                .await
                .unwrap_err();
            assert_eq!(refused.kind, ErrorKind::Corrupt);
        }
    }
}
