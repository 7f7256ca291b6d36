//! `mount -o remount`: changes how a volume is mounted that is mounted already, as mount(8) asks for it.
//!
//! The kernel does it, and the process that serves the mount goes on. What is decided in that process (who may
//! use it, access times, caches) stays as it is.

use std::path::Path;

use anyhow::Result;

use super::kernel;
use crate::cli::control::{Connection, Request};
use crate::cli::exit::{Exit, refuse};
use crate::cli::{logging, paths, sync};
use crate::fs::AccessTimes;
use crate::fuse::MountConfig;

/// How long nothing may move until a mount that has become read-only is reported as not stored.
const PATIENCE_SECS: u64 = 150;

/// Remounts with `config`. When it returns after `ro`, everything is in the bucket.
///
/// # Errors
/// `NotMounted`; `Usage` for what cannot be changed; `Denied` and `Busy` of the kernel; `NotAllStored`.
pub fn run(mountpoint: &Path, config: &MountConfig) -> Result<Exit> {
    logging::start(logging::COMMAND);
    let show = mountpoint.display();
    let nothing = || refuse(Exit::NotMounted, format!("no hushfs is mounted at {show}"));
    let mountpoint = paths::canonical_mountpoint(mountpoint)
        .map_err(|error| refuse(Exit::NotMounted, format!("{show}: {error}")))?;
    let mount =
        kernel::mounted_at(&mountpoint)?.filter(crate::fuse::MountInfo::is_ours).ok_or_else(nothing)?;
    let open = || Connection::open(&mountpoint)?.ok_or_else(nothing);
    if !config.read_only && open()?.status()?.read_only {
        return Err(refuse(
            Exit::Usage,
            format!("{show} was mounted read-only from the start: unmount it and mount it again"),
        ));
    }
    if (config.access_times == AccessTimes::Never) != mount.has("noatime") {
        return Err(refuse(
            Exit::Usage,
            format!("noatime cannot be changed while {show} is mounted: unmount it and mount it again"),
        ));
    }
    kernel::remount(&mountpoint, config)?;
    if !config.read_only {
        return Ok(Exit::Success);
    }
    sync::order(open()?, &Request::Sync { timeout_secs: PATIENCE_SECS }, "remount", |waiting| {
        format!("still missing in the bucket: {}; it goes on trying", crate::cli::progress::describe(waiting))
    })
}
