//! Mounting, and the life of a mount.

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use thiserror::Error;

use super::adapter::Adapter;
use super::lanes::Lanes;
use super::mounts;
use super::notify::Notifications;
use super::options::MountConfig;
use super::pages::Pages;
use super::space::Space;
use super::takers::Takers;
use crate::fs::{AccessTimes, Filesystem};

/// Why a mount could not be made, or how it ended.
#[derive(Debug, Error)]
pub enum MountError {
    /// The place to mount at cannot be used.
    #[error("{}: {source}", .mountpoint.display())]
    Mountpoint { mountpoint: PathBuf, source: io::Error },
    /// The kernel or fusermount3 refused; the reason is theirs.
    #[error("cannot mount at {}: {source}", .mountpoint.display())]
    Refused { mountpoint: PathBuf, source: io::Error },
    /// The kernel alone knows this option, and takes it from root.
    #[error("cannot mount with nosymfollow at {}: {source}", .mountpoint.display())]
    NoSymFollow { mountpoint: PathBuf, source: io::Error },
    /// A thread could not be started.
    #[error("cannot start a thread for the mount: {0}")]
    Thread(io::Error),
    /// The connection to the kernel broke.
    #[error("the connection to the kernel broke: {0}")]
    Connection(io::Error),
    /// The threads that take requests panicked.
    #[error("the mount stopped because of a defect")]
    Panicked,
}

/// A mount that is being served. Dropping it leaves the mount to its threads.
pub struct Mounted {
    mountpoint: PathBuf,
    thread: JoinHandle<io::Result<()>>,
    notifications: Notifications,
    fs: Arc<Filesystem>,
}

/// Mounts `fs` at `mountpoint` and serves it in threads of its own. `fs` must have been made with the same
/// idea of write-back caching as `config`. When this returns, the mount can be used.
///
/// # Errors
/// Why it is not mounted; nothing is left behind then.
pub fn mount(fs: Arc<Filesystem>, mountpoint: &Path, config: &MountConfig) -> Result<Mounted, MountError> {
    let mountpoint = mountpoint
        .canonicalize()
        .map_err(|source| MountError::Mountpoint { mountpoint: mountpoint.to_owned(), source })?;
    let (pages, space) = (Pages::default(), Space::default());
    let takers = Arc::new(Takers::new(config.threads));
    let lanes = Lanes::new(Arc::clone(&takers));
    let adapter = Adapter::new(fs.clone(), lanes, config.ttl, pages.clone(), space.clone());
    let session = fuser::Session::new(adapter, &mountpoint, &config.to_fuser())
        .map_err(|source| MountError::Refused { mountpoint: mountpoint.clone(), source })?;
    pages.connect(session.notifier());
    takers.connect(session.as_fd().try_clone_to_owned().map_err(MountError::Connection)?);
    let notifications =
        Notifications::start(fs.clone(), session.notifier(), space).map_err(MountError::Thread)?;
    fs.volume().set_observer(notifications.observer());
    let thread = serve(session).map_err(MountError::Thread)?;
    let mounted = Mounted { mountpoint, thread, notifications, fs };
    // mount(2) would take it, but neither the library nor fusermount3 knows it.
    if config.nosymfollow
        && let Err(source) = mounts::set_at(mounted.mountpoint(), config)
    {
        let mountpoint = mounted.mountpoint.clone();
        mounted.unmount(false).map_err(MountError::Connection)?;
        mounted.wait()?;
        return Err(MountError::NoSymFollow { mountpoint, source });
    }
    show_access_times(mounted.mountpoint(), config);
    Ok(mounted)
}

/// Has the table of mounts show what the library cannot tell the kernel: mount(8) reads it before it remounts. Only root
/// may; nothing else depends on it.
fn show_access_times(mountpoint: &Path, config: &MountConfig) {
    let untold = config.access_times == AccessTimes::Strict || config.nodiratime;
    if untold
        && rustix::process::geteuid().is_root()
        && let Err(error) = mounts::remount(mountpoint, config, true)
    {
        log::warn!("the table of mounts does not show the rule of access times: {error}");
    }
}

/// Starts the threads that take requests; the one that is returned ends when they all have.
///
/// After the end the library would unmount by path, whatever is mounted there by then: version 0.18 takes a mount that
/// is gone for one that is there (its `is_mounted` reads POLLERR the wrong way round). So what it keeps for that is
/// never dropped; its descriptor of /dev/fuse goes with the process.
fn serve(session: fuser::Session<Adapter>) -> io::Result<JoinHandle<io::Result<()>>> {
    let nothing = std::thread::Builder::new().name("hushfs-session".into()).spawn(|| Ok(()))?;
    let mut background = session.spawn()?;
    let thread = std::mem::replace(&mut background.guard, nothing);
    std::mem::forget(background);
    Ok(thread)
}

impl Mounted {
    /// Where it is mounted, without symlinks.
    pub fn mountpoint(&self) -> &Path {
        &self.mountpoint
    }

    /// Unmounts; see [`mounts::unmount`]. [`Mounted::wait`] returns then.
    pub fn unmount(&self, lazy: bool) -> io::Result<()> {
        mounts::unmount(&self.mountpoint, lazy)
    }

    /// Waits until it is unmounted, by whomever, and background work is finished. The volume can be closed
    /// then.
    ///
    /// # Errors
    /// When it ended for another reason.
    pub fn wait(self) -> Result<(), MountError> {
        let ended = match self.thread.join() {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(MountError::Connection(error)),
            Err(_) => Err(MountError::Panicked),
        };
        // Nobody answers there any more.
        if ended.is_err()
            && let Err(error) = mounts::unmount(&self.mountpoint, true)
        {
            log::warn!("{} stays mounted: {error}", self.mountpoint.display());
        }
        drop(self.notifications);
        self.fs.shutdown();
        ended
    }
}
