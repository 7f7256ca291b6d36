//! The kernel's side: requests of /dev/fuse in, replies out. The only code that names `fuser`.
//!
//! - [`options`]: what can be given with `-o`, and its defaults;
//! - [`session`]: mounting, and the threads that serve a mount;
//! - `adapter`: one method per request, thin; grouped in `attr`, `dir`, `file` and `xattr`;
//! - `lanes`: which thread serves a request, and what a panic becomes;
//! - `takers`, `lookout`: the threads that take requests, and how each waits for its next;
//! - [`notify`]: tells the kernel what other machines changed;
//! - `replies`: what the library logs and nobody needs;
//! - [`mounts`]: what is mounted where, and unmounting.

mod adapter;
mod attr;
mod convert;
mod dir;
mod file;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod init;
mod lanes;
mod lookout;
pub mod mounts;
pub mod notify;
pub mod options;
mod pages;
mod pool;
mod refusals;
mod replies;
pub mod session;
mod space;
mod takers;
mod xattr;

pub use init::negotiate;
pub use mounts::{MountInfo, is_mounted, ours, remount, show_at, unmount, until_gone};
pub use options::{Access, MountConfig, OptionError, shown};
pub use replies::says_unawaited;
pub use session::{MountError, Mounted, mount};
