//! The contents of open and dirty files.
use std::sync::Arc;
use crate::base::{Ino, Timestamp};
use crate::volume::{DirtySource, Permit, Volume, VolumeError};

/// Errors of fs/, grouped as errno needs them. (Owner of fs/ defines the full enum in fs/error.rs.)
pub use super::error::FsError;

/// What getattr must show instead of the record while data is dirty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirtyAttr { pub size: u64, pub mtime: Timestamp, pub ctime: Timestamp, /// Bytes not yet allocated in the record.
    pub extra_allocated: u64 }

pub struct Content { }
impl Content {
    pub fn new(_volume: Arc<Volume>) -> Arc<Content> { todo!() }
    /// Size and times of a file with dirty data; None: the record is right.
    pub fn dirty_attr(&self, _ino: Ino) -> Option<DirtyAttr> { todo!() }
    /// Up to `len` bytes from `offset`; short at the end of the file only.
    pub fn read(&self, _ino: Ino, _offset: u64, _len: u32) -> Result<Vec<u8>, FsError> { todo!() }
    /// Writes at `offset` (clears set-id bits if `kill_priv`). Waits for room first; takes its own permit.
    pub fn write(&self, _ino: Ino, _offset: u64, _data: &[u8], _kill_priv: bool) -> Result<(), FsError> { todo!() }
    /// Appends atomically; returns the offset written at.
    pub fn append(&self, _ino: Ino, _data: &[u8], _kill_priv: bool) -> Result<u64, FsError> { todo!() }
    /// ftruncate/truncate: sets the size; times as POSIX says; `perm` if set-id bits go.
    pub fn truncate(&self, _ino: Ino, _size: u64, _perm: Option<u16>) -> Result<(), FsError> { todo!() }
    /// fallocate(2) with its mode bits.
    pub fn fallocate(&self, _ino: Ino, _mode: i32, _offset: u64, _len: u64) -> Result<(), FsError> { todo!() }
    /// SEEK_DATA / SEEK_HOLE; None: ENXIO.
    pub fn seek(&self, _ino: Ino, _offset: u64, _hole: bool) -> Result<Option<u64>, FsError> { todo!() }
    /// copy_file_range: shares whole chunks, copies ragged ends; returns bytes copied.
    pub fn copy_range(&self, _from: Ino, _from_offset: u64, _to: Ino, _to_offset: u64, _len: u64) -> Result<u64, FsError> { todo!() }
    /// Turns the dirty data of one file into pending ops (before operations that need the record to be true, e.g. setattr of times, unlink of the last name is not one).
    pub fn settle(&self, _ino: Ino, _permit: &Permit<'_>) -> Result<(), FsError> { todo!() }
    /// The inode is gone for good (reaped): forget its dirty data.
    pub fn discard(&self, _ino: Ino) { todo!() }
}
impl DirtySource for Content {
    fn drain(&self, _volume: &Volume, _permit: &Permit<'_>) -> Result<(), VolumeError> { todo!() }
    fn dirty_bytes(&self) -> u64 { todo!() }
}
