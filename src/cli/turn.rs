//! One writer of a volume on this machine at a time, and waiting for one's turn.
//!
//! umount(8) returns when the directory is gone. The process that served it then still stores what is left, and
//! holds the volume until that is in the bucket. A mount or a command that follows at once waits for it. Where the
//! volume is really mounted, another mount is refused at once, and a command goes through that mount.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::exit::{Exit, refuse};
use super::mount::kernel;
use crate::base::VolumeId;
use crate::keyring::{Attempt, Contender, LocalError, LocalKeyring, VolumeLock};

/// How long a process may take to say that it is leaving, or a command to be done with the volume.
const GRACE: Duration = Duration::from_secs(5);
/// How long a process that is leaving is waited for, after that.
const PATIENCE: Duration = Duration::from_secs(145);

/// Takes `volume`, which is in `bucket`, for a mount. `warn` tells the user what is waited for.
///
/// # Errors
/// `InUse` when another process keeps it.
pub async fn take(
    keyring: &LocalKeyring,
    volume: VolumeId,
    bucket: &str,
    warn: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<VolumeLock> {
    let contender = match keyring.attempt_lock(volume)? {
        Attempt::Held(lock) => return Ok(lock),
        Attempt::Contended(contender) => contender,
    };
    if kernel::is_written(bucket)? {
        return Err(mounted_already(bucket, &contender));
    }
    wait(&contender, bucket, warn).await?.ok_or_else(|| kept_elsewhere(bucket, &contender))
}

/// Waits for a process that is leaving, and a moment for one that does not say so: `None` when it stays.
///
/// # Errors
/// `InUse` when it does not come to its end; those of `warn`.
pub async fn wait(
    contender: &Contender,
    bucket: &str,
    warn: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<Option<VolumeLock>> {
    let mut free = wait_aside(contender.try_clone()?)?;
    let begun = Instant::now();
    if let Ok(free) = timeout(GRACE, &mut free).await {
        return taken(free, begun).map(Some);
    }
    let Some(holder) = contender.holder().filter(|holder| holder.leaving) else { return Ok(None) };
    warn(&format!(
        "what was written to {bucket} before it was unmounted is still being stored by process {}; waiting for it",
        holder.pid.map_or_else(|| "?".to_owned(), |pid| pid.to_string())
    ))?;
    match timeout(PATIENCE, free).await {
        Ok(free) => taken(free, begun).map(Some),
        Err(_) => Err(refuse(
            Exit::InUse,
            format!(
                "what was written to {bucket} before it was unmounted is not stored yet{}; its log says why; \
                 try again later",
                by(contender)
            ),
        )),
    }
}

type Free = oneshot::Receiver<Result<VolumeLock, LocalError>>;

/// Waits in a thread of its own, which ends with the process if its turn never comes.
fn wait_aside(contender: Contender) -> Result<Free> {
    let (done, free) = oneshot::channel();
    let wait = move || {
        if done.send(contender.wait()).is_err() {
            log::debug!("the volume is free, but nobody waits any more");
        }
    };
    thread::Builder::new().name("turn".to_owned()).spawn(wait).context("waiting for the volume")?;
    Ok(free)
}

fn taken(
    free: Result<Result<VolumeLock, LocalError>, oneshot::error::RecvError>,
    begun: Instant,
) -> Result<VolumeLock> {
    let lock = free.context("waiting for the volume")??;
    log::info!("waited {:?} for an earlier mount to be stored", begun.elapsed());
    Ok(lock)
}

fn mounted_already(bucket: &str, contender: &Contender) -> anyhow::Error {
    refuse(
        Exit::InUse,
        format!(
            "the volume in {bucket} is mounted on this machine already{} (`hushfs status` says where); a second \
             mount can only be --read-only",
            by(contender)
        ),
    )
}

/// It is mounted nowhere that this process can see, and its process does not end.
pub fn kept_elsewhere(bucket: &str, contender: &Contender) -> anyhow::Error {
    refuse(
        Exit::InUse,
        format!(
            "the volume in {bucket} is still in use on this machine{}: by a command, or in another mount namespace (a \
             container or sandbox that began while it was mounted, see `lsns -t mnt`); try again when that has ended",
            by(contender)
        ),
    )
}

fn by(contender: &Contender) -> String {
    let pid = contender.holder().and_then(|holder| holder.pid);
    pid.map(|pid| format!(" by process {pid}")).unwrap_or_default()
}
