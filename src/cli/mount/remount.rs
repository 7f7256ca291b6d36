//! `mount -o remount`: changes how a volume is mounted that is mounted already, as mount(8) asks for it.
//!
//! The kernel does it, and the process that serves the mount goes on; it is told of access times, which are its own for all
//! places of the mount. What else is decided in that process (who may use it, caches) stays as it is.

use anyhow::Result;
use rustix::process::geteuid;

use super::{MountArgs, kernel};
use crate::cli::control::{Connection, Request};
use crate::cli::exit::{Exit, refuse};
use crate::cli::{logging, paths, sync};
use crate::fuse::{MountConfig, MountInfo};

/// How long nothing may move until a mount that has become read-only is reported as not stored.
const PATIENCE_SECS: u64 = 150;

/// Remounts as `args` say, and `config` after them. Access times stay as they are where no option is about them, as the kernel
/// has it for disks. When it returns after `ro`, everything is in the bucket.
///
/// # Errors
/// `NotMounted`; `Usage` and `InUse` for `rw` of a volume that others write; `Denied` and `Busy` of the kernel; `NotAllStored`.
pub fn run(args: &MountArgs, config: &MountConfig) -> Result<Exit> {
    logging::start(logging::COMMAND);
    let show = args.mountpoint.display();
    let nothing = || refuse(Exit::NotMounted, format!("no hushfs is mounted at {show}"));
    let mountpoint = paths::canonical_mountpoint(&args.mountpoint)
        .map_err(|error| refuse(Exit::NotMounted, format!("{show}: {error}")))?;
    kernel::mounted_at(&mountpoint)?.filter(MountInfo::is_ours).ok_or_else(nothing)?;
    let open = || Connection::open(&mountpoint)?.ok_or_else(nothing);
    if !config.read_only && open()?.status()?.read_only {
        // Asked first: whoever cannot remount must not keep others from writing.
        if !geteuid().is_root() {
            return Err(kernel::only_root_remounts(&args.mountpoint));
        }
        sync::order(open()?, &Request::BeginWriting, "remount", |_| "it stays read-only".to_owned())?;
    }
    kernel::remount(&mountpoint, config, config.names_access_times)?;
    if config.names_access_times {
        let options = config.access_times();
        sync::order(open()?, &Request::Remount { options }, "remount", |_| String::new())?;
    }
    if !config.read_only {
        return Ok(Exit::Success);
    }
    sync::order(open()?, &Request::Sync { timeout_secs: PATIENCE_SECS }, "remount", |waiting| {
        format!("still missing in the bucket: {}; it goes on trying", crate::cli::progress::describe(waiting))
    })
}
