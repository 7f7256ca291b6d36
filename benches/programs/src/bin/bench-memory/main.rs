//! An in-memory filesystem that answers every request from a map: the floor of FUSE itself.
//!
//! ```text
//! bench-memory MOUNTPOINT
//! ```
//!
//! It is mounted as hushfs mounts (threads, cloned descriptors, request sizes, write-back cache, long timeouts) and runs
//! until it is unmounted. What a measurement on hushfs takes longer than here is hushfs's; the rest is the kernel's and
//! the FUSE library's.

mod adapter;
mod content;
mod node;
mod tree;

use std::path::Path;
use std::process::ExitCode;

use fuser::{MountOption, SessionACL};

use self::adapter::Adapter;

/// As many as hushfs uses by itself.
const THREADS: usize = 16;

fn main() -> ExitCode {
    let Some(mountpoint) = std::env::args_os().nth(1) else {
        eprintln!("usage: bench-memory MOUNTPOINT");
        return ExitCode::from(2);
    };
    match serve(Path::new(&mountpoint)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-memory: {}: {error}", mountpoint.display());
            ExitCode::FAILURE
        }
    }
}

fn serve(mountpoint: &Path) -> std::io::Result<()> {
    let mut config = fuser::Config::default();
    config.mount_options = vec![
        MountOption::FSName("memory".to_owned()),
        MountOption::CUSTOM("subtype=bench-memory".to_owned()),
        MountOption::DefaultPermissions,
        MountOption::NoDev,
        MountOption::NoSuid,
    ];
    config.acl = SessionACL::Owner;
    config.n_threads = Some(THREADS);
    config.clone_fd = true;
    fuser::Session::new(Adapter::default(), mountpoint, &config)?.run()
}
