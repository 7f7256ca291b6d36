//! Makes the C library's allocator give memory back (M7).
//!
//! Many threads allocate buffers that others free. With glibc's defaults each thread has an arena of its
//! own, and the 16 MiB request buffers of the FUSE threads end up in them: after copying 4 GiB through the
//! default caches a mount had 487 MB resident, with the settings below 209 MB. They are read at the start
//! of a process only (mallopt(3), ENVIRONMENT), so the program starts itself anew with them in place.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Says that the settings were made, whatever they are: a user's own stay.
const MARK: &str = "MALLOC_ARENA_MAX";
/// Few arenas; everything of 1,000,000 bytes and more (segments, packs, request buffers) straight from
/// the kernel and back to it; free memory at the end of the heap is returned from 4 MB on.
const SETTINGS: [(&str, &str); 3] =
    [(MARK, "4"), ("MALLOC_MMAP_THRESHOLD_", "1000000"), ("MALLOC_TRIM_THRESHOLD_", "4000000")];

/// Replaces the process by itself with the settings, once. Before anything else: no thread runs, no secret
/// is in memory, descriptors stay open.
///
/// # Errors
/// When the program cannot be started again; it works without, only larger.
pub fn settle(arguments: &[OsString]) -> io::Result<()> {
    if env::var_os(MARK).is_some() {
        return Ok(());
    }
    let mut again = Command::new(env::current_exe()?);
    if let Some((name, rest)) = arguments.split_first() {
        again.arg0(name).args(rest);
    }
    Err(again.envs(SETTINGS).exec())
}
