//! One mounted volume in several places, all of them the same filesystem: what disks do when a device is mounted
//! again, and `mount --bind`.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rustix::process::geteuid;

use super::kernel;
use super::order::MountOrder;
use crate::cli::control::Connection;
use crate::cli::exit::{Exit, refuse};
use crate::fs::AccessTimes;
use crate::fuse::MountConfig;

/// Shows the volume at the place that `order` names where root has it mounted for writing already; false where
/// that is not so. What is decided by the process that serves it (who may use it, caches, keys) stays as it is.
///
/// # Errors
/// `Usage` for what the first place does not allow; those of the kernel.
pub fn show(order: &MountOrder, config: &MountConfig) -> Result<bool> {
    if order.read_only || !geteuid().is_root() {
        return Ok(false);
    }
    // Only what root mounted: anybody can mount something that calls itself like this bucket.
    let Some(there) = kernel::written_places(&order.bucket)?.into_iter().find(|mount| mount.is_of(0)) else {
        return Ok(false);
    };
    // Without an answer its process is dead, or about to end: another one is needed.
    let Some(connection) = Connection::open(&there.mountpoint)? else { return Ok(false) };
    match connection.status() {
        Ok(status) if status.bucket == order.bucket => {}
        Ok(_) => return Ok(false),
        Err(error) => {
            log::debug!("the mount at {} does not answer any more: {error:#}", there.mountpoint.display());
            return Ok(false);
        }
    }
    if (config.access_times == AccessTimes::Never) != there.has("noatime") {
        let show = there.mountpoint.display();
        return Err(refuse(
            Exit::Usage,
            format!("{} is mounted at {show}: with noatime there and not here, or the reverse", order.bucket),
        ));
    }
    if !kernel::show_at(&there.mountpoint, &order.mountpoint, config)? {
        return Ok(false);
    }
    if std::io::stderr().is_terminal() {
        let (first, second) = (there.mountpoint.display(), order.mountpoint.display());
        eprintln!("hushfs: it was mounted at {first} already; {second} is another place of the same mount");
    }
    Ok(true)
}

/// The other places of what is mounted at `mountpoint`.
///
/// # Errors
/// When the table of mounts cannot be read.
pub fn others(mountpoint: &Path) -> Result<Vec<PathBuf>> {
    let Some(mount) = kernel::mounted_at(mountpoint)?.filter(crate::fuse::MountInfo::is_ours) else {
        return Ok(Vec::new());
    };
    let mut places = kernel::places_of(&mount.device)?;
    places.retain(|place| *place != mountpoint);
    Ok(places)
}
