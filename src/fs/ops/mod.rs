//! The file operations, one file each, as methods of [`super::filesystem::Filesystem`].

mod access_time;
mod create;
mod data;
mod exclusive;
mod foreign;
mod getattr;
mod last_link;
mod link;
mod list;
mod lookup;
mod make;
mod mkdir;
mod mknod;
mod open;
mod readlink;
mod rename;
mod rmdir;
mod setattr;
mod statfs;
mod symlink;
mod sync;
mod unlink;
mod xattr;
mod xattr_acl;

pub use foreign::Changed;
pub use list::Listed;
pub use rename::RenameMode;
pub use setattr::{Changes, SetTime};
pub use statfs::{BLOCK, Statfs};
