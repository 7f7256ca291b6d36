//! The trait that every store and every decorator implements.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;

use super::encryption::StoredEncryption;
use super::error::{BucketError, BucketResult, ErrorKind};
use crate::base::Timestamp;

/// The store's opaque name for one version of an object, without quotes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ETag(pub String);

/// When a put may take effect. The store decides it atomically.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Only when no object has the key (`If-None-Match: *`).
    CreateOnly,
    /// Only when the object is still this version (`If-Match`).
    Matches(ETag),
    /// Always. For throw-away keys and locks only: nothing of the format is overwritten blindly.
    Overwrite,
}

/// What a get returns.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The whole object, or exactly the range asked for (cut at the object's end).
    pub bytes: Bytes,
    pub etag: ETag,
    /// Length of the whole object in bytes.
    pub object_len: u64,
}

/// What a head returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    pub len: u64,
    pub etag: ETag,
    pub modified: Timestamp,
    /// What the server says about its own encryption; empty where there is none.
    pub encryption: StoredEncryption,
}

/// What became of an object that was to be encrypted anew by the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reencryption {
    /// It has the encryption already: one read.
    Already,
    /// It was copied onto itself: one read and one copy.
    Moved,
    /// The store refused to copy it, so it was fetched and written again: two reads and one write, not counting the
    /// attempt to copy.
    Rewritten,
}

/// One object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub key: String,
    pub len: u64,
    pub modified: Timestamp,
}

/// Part of a listing, in ascending byte order of keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    pub objects: Vec<Listed>,
    /// True when keys after the last one exist: ask again with `after` set to it.
    pub more: bool,
}

/// Sees the bytes of a get while they come: each time all of them from the beginning. Where the get is repeated it begins
/// again, and two attempts may be under way at once. A store whose answers come in one piece shows nothing before it
/// returns them. Called on the runtime's threads: to be quick about it.
pub type Watch<'a> = dyn Fn(&[u8]) + Send + Sync + 'a;

/// A flat, strongly consistent store of whole objects. Keys are relative, `/`-separated, without
/// leading slash, `.` or `..` parts.
///
/// All methods may be called from many tasks at once. A future that is dropped may or may not have
/// taken effect.
#[async_trait]
pub trait Bucket: Send + Sync + 'static {
    /// Reads an object, or the bytes `range` of it (half open; cut at the object's end; a range that
    /// starts at or past the end is `Invalid`).
    ///
    /// # Errors
    /// `NotFound`, `Invalid`, `Transient`, `Denied`; `Corrupt` when the body is shorter than announced.
    async fn get(&self, key: &str, range: Option<Range<u64>>) -> BucketResult<Fetched> {
        self.get_watched(key, range, &|_| {}).await
    }

    /// As [`Self::get`], and shows `watch` what has come so far.
    ///
    /// # Errors
    /// As [`Self::get`].
    async fn get_watched(
        &self,
        key: &str,
        range: Option<Range<u64>>,
        watch: &Watch<'_>,
    ) -> BucketResult<Fetched>;

    /// Writes a whole object; durable in the store when it returns.
    ///
    /// # Errors
    /// `Precondition` when `condition` does not hold, `Transient`, `Denied`, `Full`.
    async fn put(&self, key: &str, body: Bytes, condition: Condition) -> BucketResult<ETag>;

    /// Length, version and age of an object.
    ///
    /// # Errors
    /// `NotFound`, `Transient`, `Denied`.
    async fn head(&self, key: &str) -> BucketResult<ObjectInfo>;

    /// The keys that start with `prefix` and are greater than `after`, ascending, at most `limit`
    /// (1..=1000) of them.
    ///
    /// # Errors
    /// `Transient`, `Denied`; `NotFound` when the bucket itself does not exist.
    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> BucketResult<Page>;

    /// Deletes objects, 1,000 to a request where the store can; a key that is not there is no error.
    ///
    /// # Errors
    /// The first key that could not be deleted; others may have been.
    async fn delete(&self, keys: &[String]) -> BucketResult<()>;

    /// Has the server encrypt an object as new ones are encrypted, without its bytes leaving the store.
    ///
    /// # Errors
    /// `Invalid` for a store that does not encrypt; `NotFound`; `Precondition` when the object was replaced
    /// meanwhile; `Encryption`, `Transient`, `Denied`.
    async fn reencrypt(&self, key: &str) -> BucketResult<Reencryption> {
        let why = "this store has no encryption at rest of its own";
        Err(BucketError::new(ErrorKind::Invalid, "reencrypt", key, why))
    }

    /// What a user would recognise: `s3://bucket/prefix` or `file:///folder`.
    fn describe(&self) -> String;
}
