//! The kernel's side of a mount, in the words of this layer.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use anyhow::{Context, Result};

use super::order::MountOrder;
use crate::cli::exit::{Exit, refuse};
use crate::fuse;
use crate::volume::Volume;

/// A session with the kernel that has begun.
pub struct Session(fuse::Session);

/// Mounts; the directory can be used when it returns.
///
/// # Errors
/// Those of fusermount3 and the kernel.
pub fn mount(volume: &Arc<Volume>, order: &MountOrder) -> Result<Session> {
    let config = fuse::MountConfig {
        source: order.bucket.clone(),
        mountpoint: order.mountpoint.clone(),
        read_only: order.kernel.read_only,
        allow_other: order.kernel.allow_other,
    };
    let session = fuse::mount(Arc::clone(volume), &config);
    session.map(Session).with_context(|| format!("mounting at {}", order.mountpoint.display()))
}

impl Session {
    /// Calls `then` once when the session has ended, however it ended.
    ///
    /// # Errors
    /// When there is no thread to wait in.
    pub fn when_ended(self, then: impl FnOnce() + Send + 'static) -> Result<()> {
        let wait = move || {
            if let Err(error) = self.0.join() {
                log::error!("the session with the kernel: {error}");
            }
            then();
        };
        thread::Builder::new()
            .name("session".to_owned())
            .spawn(wait)
            .context("waiting for the session's end")?;
        Ok(())
    }
}

/// True when a FUSE filesystem is mounted there.
///
/// # Errors
/// When the table of mounts cannot be read.
pub fn is_mounted(mountpoint: &Path) -> Result<bool> {
    fuse::is_mounted(mountpoint).with_context(|| format!("looking for mounts at {}", mountpoint.display()))
}

/// Unmounts a filesystem that nobody uses.
///
/// # Errors
/// `Busy` while files below it are open or a process has its working directory there.
pub fn unmount(mountpoint: &Path) -> Result<()> {
    fuse::unmount(mountpoint, false).map_err(|error| {
        let show = mountpoint.display();
        if error.kind() == std::io::ErrorKind::ResourceBusy {
            return refuse(
                Exit::Busy,
                format!("{show} is in use; `fuser -vm {show}` says by whom; close that and unmount again"),
            );
        }
        anyhow::Error::new(error).context(format!("unmounting {show}"))
    })
}

/// Takes a filesystem out of the tree at once; it ends when its last file is closed.
///
/// # Errors
/// When the kernel refuses.
pub fn detach(mountpoint: &Path) -> Result<()> {
    fuse::unmount(mountpoint, true).with_context(|| format!("detaching {}", mountpoint.display()))
}
