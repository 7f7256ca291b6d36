//! POSIX semantics on a volume, free of FUSE: one file per operation.
pub mod content;
pub mod errno;
pub mod error;
