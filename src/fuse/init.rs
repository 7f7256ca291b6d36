//! What is agreed with the kernel when a mount starts.

use std::time::Duration;

use fuser::{InitFlags, KernelConfig};

/// Largest read or write in one request, in bytes. Kernels allow four times as much, which costs as much processor time for the
/// same bytes; but each write that waits for its turn is in memory, and so is the order that many at once upset.
const MAX_WRITE: u32 = 256 << 10;
/// Requests in flight that nobody waits for one by one (write-back, read-ahead).
const MAX_BACKGROUND: u16 = 64;

/// Asked for where the kernel has it; each is safe to do without.
const WANTED: [InitFlags; 13] = [
    // Many requests of one file at a time.
    InitFlags::FUSE_ASYNC_READ,
    InitFlags::FUSE_ASYNC_DIO,
    InitFlags::FUSE_BIG_WRITES,
    InitFlags::FUSE_MAX_PAGES,
    // Lookups and listings of one directory side by side.
    InitFlags::FUSE_PARALLEL_DIROPS,
    // Listings bring attributes along, always: told to decide by itself (FUSE_READDIRPLUS_AUTO), the kernel asks for them while
    // somebody looks at entries between two pieces of a listing, and du(1), tar(1) and cp(1) look at them all afterwards.
    InitFlags::FUSE_DO_READDIRPLUS,
    InitFlags::FUSE_CACHE_SYMLINKS,
    // Cached pages stay until told otherwise: changes from elsewhere are announced precisely.
    InitFlags::FUSE_EXPLICIT_INVAL_DATA,
    // Access control lists are checked by the kernel; the umask is left to us, because a default list
    // replaces it.
    InitFlags::FUSE_POSIX_ACL,
    InitFlags::FUSE_DONT_MASK,
    // Set-id bits are taken away here. It spares a question about security.capability before every write.
    InitFlags::FUSE_HANDLE_KILLPRIV_V2,
    // "." and ".." can be looked up: what exporting over NFS needs.
    InitFlags::FUSE_EXPORT_SUPPORT,
    InitFlags::FUSE_HAS_IOCTL_DIR,
];

/// Sets up the connection. Locks are not asked for, so the kernel keeps them itself; nor is O_TRUNC within
/// open, so that the kernel truncates by a request that carries its times.
pub fn negotiate(config: &mut KernelConfig, writeback: bool) {
    let writeback = writeback.then_some(InitFlags::FUSE_WRITEBACK_CACHE);
    for flag in WANTED.into_iter().chain(writeback) {
        if let Err(missing) = config.add_capabilities(flag) {
            log::info!("the kernel does not have {missing:?}; going on without it");
        }
    }
    // Each of these gives back the nearest value the library takes.
    if let Err(nearest) = config.set_max_write(MAX_WRITE) {
        log::info!("requests are limited to {nearest} bytes");
    }
    if let Err(nearest) = config.set_max_background(MAX_BACKGROUND) {
        log::info!("background requests are limited to {nearest}");
    }
    if let Err(nearest) = config.set_time_granularity(Duration::from_nanos(1)) {
        log::info!("times are kept in steps of {nearest:?}");
    }
}
