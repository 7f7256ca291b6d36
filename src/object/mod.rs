//! The bucket: one small trait, its backends and its decorators. The only layer that talks to a store.
//!
//! Invariants: keys are relative to the volume's prefix; nothing above this folder names an S3 type;
//! every error carries the key and its cause, grouped by what the caller can do about it.

pub mod bucket;
pub mod error;

pub use bucket::{Bucket, Condition, ETag, Fetched, Listed, ObjectInfo, Page};
pub use error::{BucketError, BucketResult, ErrorKind};
