//! Every operation through the kernel, on a volume in memory, at default mount settings.

#[path = "../common/mount.rs"]
mod mount;

mod attributes;
mod contents;
mod foreign;
mod listing;
mod mounting;
mod names;
mod quota;
mod unlinked;
mod users;
mod xattrs;

use std::io;

/// The errno of a failed call.
fn errno<T: std::fmt::Debug>(result: io::Result<T>) -> i32 {
    result.expect_err("it should have failed").raw_os_error().expect("a system call failed")
}

/// The same for rustix.
fn rustix_errno<T: std::fmt::Debug>(result: rustix::io::Result<T>) -> i32 {
    errno(result.map_err(io::Error::from))
}

/// Asks until it is so; what is waited for is done by threads that nobody waits for.
fn eventually(mut holds: impl FnMut() -> bool) -> bool {
    (0..1000).any(|_| {
        let now = holds();
        if !now {
            std::thread::park_timeout(std::time::Duration::from_millis(10));
        }
        now
    })
}
