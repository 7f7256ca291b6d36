//! Commands that work on a volume without a mount point: with a session of their own, or through this
//! machine's mount, which alone may write for the machine while it lives.

use std::sync::Arc;

use anyhow::{Context, Result};

use super::control::{Connection, MountStatus, live_sockets};
use super::exit::{Exit, refuse};
use super::mount::kernel;
use super::opening::{Opened, host_name};
use super::single_writer::{self, HeldLock};
use super::turn;
use crate::base::VolumeId;
use crate::keyring::{Attempt, VolumeLock};
use crate::volume::Volume;

/// A session of a command; nothing of the volume is kept on disk here.
pub struct Session {
    pub volume: Arc<Volume>,
    lock: Option<HeldLock>,
}

impl Session {
    /// Opens the volume, which the caller has locked on this machine; `purpose` is what others see in the
    /// lock of a single writer.
    ///
    /// # Errors
    /// Those of the volume; the lock's, when another machine has it.
    pub async fn begin(opened: &Opened, read_only: bool, purpose: &str) -> Result<Self> {
        let options = opened.volume_options(read_only);
        if read_only {
            let volume = Volume::open(opened.reading(opened.store.patient()), options).await?;
            return Ok(Self { volume, lock: None });
        }
        let bucket = opened.working_bucket();
        if !opened.unlocked.settings().single_writer {
            let volume = Volume::open(opened.environment(bucket), options).await?;
            return Ok(Self { volume, lock: None });
        }
        let label = format!("{} ({purpose})", host_name());
        let clock = Arc::clone(&opened.store.clock);
        let (held, fenced) = single_writer::hold(bucket, clock, opened.machine(), &label).await?;
        let volume = Volume::open(opened.environment(Arc::new(fenced)), options).await?;
        Ok(Self { volume, lock: Some(held) })
    }

    /// Commits, closes and gives the lock back, whether closing works or not.
    ///
    /// # Errors
    /// Why something is not in the bucket.
    pub async fn end(self) -> Result<()> {
        let closed = self.volume.close().await;
        if let Some(held) = self.lock {
            held.release().await;
        }
        Ok(closed?)
    }
}

/// What goes on with the volume on this machine.
pub enum Here {
    /// Nothing, and nothing begins while this is held.
    Free(VolumeLock),
    /// A mount has it.
    Mounted(VolumeId),
}

impl Here {
    /// Locks the volume, or finds that a mount has; one that was unmounted and is still storing is waited for.
    ///
    /// # Errors
    /// `InUse` when another process keeps it; those of the local keyring.
    pub async fn find(opened: &Opened) -> Result<Self> {
        let volume = opened.unlocked.volume();
        let contender = match opened.keyring.attempt_lock(volume)? {
            Attempt::Held(lock) => return Ok(Self::Free(lock)),
            Attempt::Contended(contender) => contender,
        };
        // A mount answers until all is stored, but serves nobody when it is shown nowhere any more.
        let shown = |device: &str| kernel::places_of(device).map(|places| !places.is_empty());
        if let Some(mount) = mount_of(&volume.to_string())?
            && shown(&mount.device)?
        {
            return Ok(Self::Mounted(volume));
        }
        let bucket = opened.store.location.to_string();
        let warn = &mut |warning: &str| {
            log::warn!("{warning}");
            Ok(())
        };
        if let Some(lock) = turn::wait(&contender, &bucket, warn).await? {
            return Ok(Self::Free(lock));
        }
        // Another mount namespace may show it.
        match mount_of(&volume.to_string())? {
            Some(_) => Ok(Self::Mounted(volume)),
            None => Err(turn::kept_elsewhere(&bucket, &contender)),
        }
    }
}

/// The mount of this user that has the volume for writing, if there is one.
fn mount_of(volume: &str) -> Result<Option<MountStatus>> {
    for stream in live_sockets().context("looking for the mount")? {
        match Connection::new(stream).status() {
            Ok(status) if status.volume == volume && !status.read_only => return Ok(Some(status)),
            Ok(_) => {}
            // It may just have been unmounted.
            Err(error) => log::warn!("a mount does not answer: {error:#}"),
        }
    }
    Ok(None)
}

/// A conversation with the mount that has the volume.
///
/// # Errors
/// `InUse` when no mount of this user has it.
pub fn connect(volume: &str) -> Result<Connection> {
    let mount = mount_of(volume)?.ok_or_else(in_use)?;
    Connection::open(&mount.mountpoint)?.ok_or_else(in_use)
}

fn in_use() -> anyhow::Error {
    let why =
        "another process of this machine has the volume locked (another user's mount, or another command)";
    refuse(Exit::InUse, why)
}
