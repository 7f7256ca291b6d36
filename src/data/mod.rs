//! Chunks on their way to and from the bucket: segments, uploads with back-pressure, caches, spool.
//!
//! ```text
//! place ─► segment_builder ─► in_flight ─► uploader (sealing, spool) ─► bucket
//! read  ─► in_flight, chunk_cache ─► fetcher (flights, disk_cache, range_plan, read_ahead, line) ─► bucket
//! ```
//!
//! Invariants:
//! - A chunk has its place (segment, number) before it is sealed, and never another one.
//! - M1: [`DataStore::uploaded`] returns a segment's record only after the bucket acknowledged its PUT.
//! - A segment is sealed once; every attempt to upload it sends identical bytes.
//! - M7: every buffer, cache and queue is bounded by [`DataConfig`] or by a constant next to it.
//! - Nothing read from the bucket, the spool or the disk cache is handed out before its tag was verified.
//! - Plain bytes never reach the local disk: spool and disk cache hold sealed bytes.
//!
//! Failure behaviour: a bucket that is away costs nothing that was accepted: segments wait in memory, then
//! in the spool, then writers wait ([`DataStore::room`]); uploads are tried again until they succeed. A
//! local disk that is full or broken makes reads and writes slower, never wrong. Damage in the bucket is
//! [`DataError::Tampered`]; damage in the disk cache is fetched again.
//!
//! Locks: each file's mutex is held for memory operations only, never across an await, and nothing else is
//! locked under it, with two exceptions: `flights` looks into the chunk cache, and the disk cache has a
//! writer lock that is held while files change (disk_cache.rs has the order).

mod arrival;
mod byte_lru;
mod chunk_cache;
mod config;
mod counters;
mod disk_cache;
mod disk_index;
mod error;
mod fetcher;
mod flights;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod in_flight;
mod line;
mod object_fetch;
mod opening;
mod pace;
mod range_fetch;
mod range_plan;
mod read_ahead;
mod records;
mod sealing;
mod segment_builder;
mod spool;
mod spooling;
mod status;
mod store;
mod uncached;
mod uploader;

pub use config::DataConfig;
pub use error::DataError;
pub use fetcher::Want;
pub use status::DataStatus;
pub use store::DataStore;

pub use crate::meta::record::segment_key;

#[cfg(test)]
mod tests;
