//! The bucket: one small trait, its backends and its decorators. The only layer that talks to a store.
//!
//! | backend | decorator |
//! | --- | --- |
//! | [`MemoryBucket`]: tests and simulations | [`Retry`]: waits and asks again; lost replies |
//! | [`FolderBucket`]: a folder in full | [`Meter`]: counts requests and bytes |
//! | [`S3Bucket`]: any S3 server | [`Faulty`]: scripted trouble for tests |
//! | | [`Heed`]: asks what is demanded of writes that were denied |
//! | | [`Liar`]: scripted malice for tests |
//!
//! A volume is opened as `Retry(Meter(backend))`: the meter sees every attempt, which is what a store
//! bills. [`probe`] finds out whether a store honours conditional writes; [`lock`] is the second-best
//! for one that does not.
//!
//! Invariants: keys are relative to the volume's prefix; nothing above this folder names an S3 type;
//! every error carries the key and its cause, grouped by what the caller can do about it. One suite
//! (tests/common/object_suite.rs) runs against every backend and every decorator.

mod bounded;
pub mod bucket;
mod buffers;
pub mod encryption;
pub mod error;
pub mod fault;
pub mod folder;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod hedge;
mod heed;
pub mod key;
pub mod liar;
mod listing;
pub mod location;
pub mod lock;
pub mod memory;
pub mod meter;
pub mod open;
pub mod policy;
pub mod probe;
mod range;
pub mod request;
pub mod retry;
pub mod s3;

pub use bounded::get_at_most;
pub use bucket::{Bucket, Condition, ETag, Fetched, Listed, ObjectInfo, Page, Reencryption, Watch};
pub use buffers::{Buffer, Buffers, PAGE};
pub use encryption::{
    CustomerKey, CustomerKeys, Encryption, EncryptionContext, EncryptionReport, EncryptionRules, Mismatch,
    ServerEncryption, ServerEncryptionError, StoredEncryption, is_open,
};
pub use error::{BucketError, BucketResult, ErrorKind, Throttle};
pub use fault::{Fault, Faulty, Gate, Rule};
pub use folder::FolderBucket;
pub use hedge::Hedge;
pub use heed::{Demand, Heed};
pub use liar::Liar;
pub use listing::list_page;
pub use location::{Location, LocationError};
pub use lock::{LockError, WriterLock};
pub use memory::MemoryBucket;
pub use meter::{LoggedRequest, Meter, MeterSnapshot, RequestKind};
pub use open::{Reached, open, open_or_create};
pub use probe::{Probe, probe_conditional_writes, probe_create_only, throw_away_key};
pub use retry::{Retry, RetryPolicy};
pub use s3::transport::{Link, LinkStatus, TlsMin, TransportOptions, plainly, refusal};
pub use s3::{
    BucketDefault, Inspected, LifecycleRule, ObjectLock, PublicAccessBlock, S3Bucket, S3Options, Uploads,
    Versioning, aws_configuration, is_answer,
};
