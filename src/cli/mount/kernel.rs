//! The kernel's side of a mount, in the words of this layer.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::order::MountOrder;
use super::users;
use crate::base::SystemClock;
use crate::cli::exit::{Exit, refuse};
use crate::fs::Filesystem;
use crate::fs::content::Content;
use crate::fuse;
use crate::volume::Volume;

/// The part of the memory that written data may take before it is on its way to the bucket, in sixteenths; caches and waiting
/// segments have three quarters ([`crate::volume::VolumeOptions::memory`]). Two thirds of it can be what threads are about to write
/// (`fuse/init.rs`): the rest must still hold what the kernel sends out of order, or files lie in their segments in pieces.
const DIRTY_SHARE: u64 = 3;

/// How long what is mounted may take to disappear when somebody unmounts it at this moment.
const UNMOUNTING: Duration = Duration::from_millis(500);

/// True when `word` is a mount option, for the kernel or for mount(8).
pub fn knows(word: &str) -> bool {
    fuse::MountConfig::new("").apply(word).is_ok()
}

/// The defaults and `options`, which are separated by commas.
///
/// # Errors
/// The first option that is not known.
pub fn config(source: &str, options: &str) -> Result<fuse::MountConfig> {
    let mut config = fuse::MountConfig::new(source);
    config.apply(options)?;
    Ok(config)
}

/// Mounts; the directory can be used when it returns. `then` is called once when the session has
/// ended, however it ended.
///
/// # Errors
/// Those of fusermount3 and the kernel; nothing is mounted then.
pub fn mount(
    volume: &Arc<Volume>,
    order: &MountOrder,
    then: impl FnOnce() + Send + 'static,
) -> Result<Arc<Filesystem>> {
    let config = config(&order.bucket, &order.options)?;
    let content = Content::new(Arc::clone(volume), order.memory / 16 * DIRTY_SHARE);
    let fs = Filesystem::new(Arc::clone(volume), content, config.fs_options())
        .context("starting the filesystem")?;
    let session = fuse::mount(Arc::clone(&fs), &order.mountpoint, &config).map_err(with_advice)?;
    let wait = move || {
        if let Err(error) = session.wait() {
            log::error!("{error}");
        }
        then();
    };
    thread::Builder::new().name("session".to_owned()).spawn(wait).context("waiting for the session's end")?;
    Ok(fs)
}

/// What is wrong when a mount is refused, with what to do about the usual reasons.
fn with_advice(error: fuse::MountError) -> anyhow::Error {
    let text = error.to_string();
    let advice = if text.contains("user_allow_other") {
        "root has to put the line user_allow_other into /etc/fuse.conf, or leave allow_other out"
    } else if matches!(&error, fuse::MountError::Refused { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
    {
        "is fuse3 installed, and is there a /dev/fuse?"
    } else if matches!(error, fuse::MountError::NoSymFollow { .. }) {
        "only root can ask for it: leave nosymfollow out"
    } else if text.contains("ermission denied") {
        "this user has to own the mount point, and to be allowed to open /dev/fuse"
    } else {
        return error.into();
    };
    anyhow::Error::new(error).context(advice)
}

/// Changes how it is mounted: what the kernel can change; the rule of access times only if `access_times`.
///
/// # Errors
/// `Denied` for ordinary users, `Busy` for `ro` while a file is open for writing.
pub fn remount(mountpoint: &Path, config: &fuse::MountConfig, access_times: bool) -> Result<()> {
    fuse::remount(mountpoint, config, access_times).map_err(|error| {
        let show = mountpoint.display();
        match error.kind() {
            std::io::ErrorKind::PermissionDenied => only_root_remounts(mountpoint),
            std::io::ErrorKind::ResourceBusy => refuse(
                Exit::Busy,
                format!("a file below {show} is open for writing; `fuser -vm {show}` says by whom"),
            ),
            _ => anyhow::Error::new(error).context(format!("remounting {show}")),
        }
    })
}

/// What an ordinary user is told.
pub fn only_root_remounts(mountpoint: &Path) -> anyhow::Error {
    let show = mountpoint.display();
    refuse(Exit::Denied, format!("only root can remount {show}: unmount it and mount it again"))
}

/// What is mounted there: its kind and its source.
///
/// # Errors
/// When the table of mounts cannot be read.
pub fn mounted_at(mountpoint: &Path) -> Result<Option<fuse::MountInfo>> {
    fuse::is_mounted(mountpoint).with_context(|| format!("looking for mounts at {}", mountpoint.display()))
}

/// Lets an unmount that is just beginning at `path` (absolute) come to its end. The table of mounts tells: whoever looks
/// at the path itself stands in the mount at that moment, and keeps it from being unmounted.
///
/// # Errors
/// When the table of mounts cannot be read.
pub fn let_unmount(path: &Path) -> Result<()> {
    let ours = || Ok(fuse::ours()?.into_iter().find(|mount| mount.mountpoint == path));
    fuse::until_gone(&SystemClock, UNMOUNTING, ours).map(drop).context("looking for mounts")
}

/// Whether `bucket` is mounted for writing somewhere and stays so, while an unmount that is just beginning is waited for.
///
/// # Errors
/// When the table of mounts cannot be read.
pub fn is_written(bucket: &str) -> Result<bool> {
    let places = || written(bucket).map(|places| places.into_iter().next());
    Ok(fuse::until_gone(&SystemClock, UNMOUNTING, places).context("looking for mounts")?.is_some())
}

/// Every place where `bucket` is mounted for writing, as far as this process can see.
///
/// # Errors
/// When the table of mounts cannot be read.
pub fn written_places(bucket: &str) -> Result<Vec<fuse::MountInfo>> {
    written(bucket).context("looking for mounts")
}

fn written(bucket: &str) -> std::io::Result<Vec<fuse::MountInfo>> {
    let source = fuse::shown(bucket);
    let mut mounts = fuse::ours()?;
    mounts.retain(|mount| mount.source == source && !mount.has("ro"));
    Ok(mounts)
}

/// Every place where the filesystem `device` is shown, the newest first.
///
/// # Errors
/// When the table of mounts cannot be read.
pub fn places_of(device: &str) -> Result<Vec<PathBuf>> {
    let mounts = fuse::ours().context("looking for mounts")?;
    Ok(mounts
        .into_iter()
        .rev()
        .filter(|mount| mount.device == device)
        .map(|mount| mount.mountpoint)
        .collect())
}

/// Shows what is mounted at `mountpoint` at `place`, too; false when it was unmounted meanwhile.
///
/// # Errors
/// When the kernel refuses; only root may.
pub fn show_at(mountpoint: &Path, place: &Path, config: &fuse::MountConfig) -> Result<bool> {
    match fuse::show_at(mountpoint, place, config) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| {
            format!("showing what is mounted at {} at {}", mountpoint.display(), place.display())
        }),
    }
}

/// Unmounts a filesystem that nobody uses.
///
/// # Errors
/// `Busy` while files below it are open or a process has its working directory there.
pub fn unmount(mountpoint: &Path) -> Result<()> {
    fuse::unmount(mountpoint, false).map_err(|error| {
        let show = mountpoint.display();
        if error.kind() == std::io::ErrorKind::ResourceBusy {
            let users = users::of(&[mountpoint.to_owned()]);
            return refuse(Exit::Busy, format!("{show} is in use by {users}; close that and unmount again"));
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
