//! POSIX semantics on a volume, free of FUSE: one file per operation.
//!
//! [`Filesystem`] is what an adapter talks to. What the kernel's VFS does anyway (permission checks, path
//! walking, locks, sticky directories) is left to it; `docs/semantics.md` says who does what.

mod access_rule;
pub mod acl;
pub mod attr;
pub mod caller;
mod chores;
pub mod content;
pub mod cookie;
pub mod errno;
pub mod error;
pub mod filesystem;
mod ghost;
pub mod handles;
pub mod inode_table;
mod name;
pub mod ops;
mod set_id;

pub use access_rule::AccessTimes;
pub use attr::{Attr, Entry};
pub use caller::Caller;
pub use content::Content;
pub use errno::errno;
pub use error::FsError;
pub use filesystem::{Filesystem, FsOptions};
pub use handles::Handle;
pub use ops::{BLOCK, Changed, Changes, Listed, RenameMode, SetTime, Statfs};

pub use crate::meta::record::{FileKind, MAX_NAME, MAX_XATTR};
