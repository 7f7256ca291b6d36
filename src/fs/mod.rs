//! POSIX semantics on a volume, free of FUSE: one file per operation.
pub mod content;
