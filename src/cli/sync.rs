//! `hushfs sync`: waits until everything is in the bucket.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use clap::Args;

use super::control::{Connection, Request};
use super::exit::{Exit, refuse};
use super::progress::{Progress, describe};
use super::unlock::IgnoredUnlockArgs;
use super::{logging, paths};
use crate::base::SystemClock;
use crate::cli::control::Waiting;

const EXAMPLES: &str = "\
Example:
  hushfs sync ~/sealed && echo everything is in the bucket";

/// How long the kernel may take to hand over what it caches.
const PATIENCE: Duration = Duration::from_secs(30);

/// Wait until everything is in the bucket; the volume stays mounted
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct SyncArgs {
    mountpoint: PathBuf,
    /// Give up when nothing has moved for so long
    #[arg(long, value_name = "SECONDS", default_value_t = 150)]
    timeout: u64,
    #[command(flatten)]
    ignored: IgnoredUnlockArgs,
}

/// Gives the order and shows its progress.
///
/// # Errors
/// `NotMounted`; `NotAllStored` with what is missing.
pub fn run(args: &SyncArgs) -> Result<Exit> {
    logging::start(logging::COMMAND);
    let mountpoint = paths::canonical_mountpoint(&args.mountpoint)
        .map_err(|error| refuse(Exit::NotMounted, format!("{}: {error}", args.mountpoint.display())))?;
    let Some(connection) = Connection::open(&mountpoint)? else {
        return Err(refuse(Exit::NotMounted, format!("no hushfs is mounted at {}", mountpoint.display())));
    };
    hand_over(&mountpoint);
    order(connection, &Request::Sync { timeout_secs: args.timeout }, "sync", |waiting| {
        format!(
            "still missing in the bucket: {}; the volume stays mounted and goes on trying",
            describe(waiting)
        )
    })
}

/// Makes the kernel hand over what it caches of written files, open ones and their times included
/// (syncfs(2)). In a thread of its own: while the bucket is away the kernel may wait for long, and the order
/// that follows then says what is missing.
fn hand_over(mountpoint: &Path) {
    let (done, ended) = std::sync::mpsc::channel();
    let folder = mountpoint.to_owned();
    std::thread::spawn(move || {
        let synced = std::fs::File::open(folder)
            .and_then(|folder| rustix::fs::syncfs(folder).map_err(std::io::Error::from));
        if done.send(synced).is_err() {
            log::debug!("the kernel handed over late");
        }
    });
    match ended.recv_timeout(PATIENCE) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => log::warn!("the kernel could not hand over all it caches: {error}"),
        Err(_) => log::warn!("the kernel still holds written data: the mount takes no more for now"),
    }
}

/// Gives an order, shows its progress and says how it ended. `remedy` tells what is missing and what to
/// do, for an order that did not get everything into the bucket.
///
/// # Errors
/// The order's failure, with its exit code.
pub fn order(
    connection: Connection,
    request: &Request,
    title: &'static str,
    remedy: impl FnOnce(&Waiting) -> String,
) -> Result<Exit> {
    let clock = SystemClock;
    let mut progress = Progress::new(title, &clock);
    let mut last = Waiting::default();
    let outcome = connection.order(request, |waiting| {
        progress.waiting(waiting);
        last = waiting.clone();
    })?;
    drop(progress);
    match outcome.exit {
        Exit::Success => {
            if !outcome.message.is_empty() {
                eprintln!("hushfs: {}", outcome.message);
            }
            Ok(Exit::Success)
        }
        Exit::NotAllStored => {
            Err(refuse(Exit::NotAllStored, format!("{title}: {}; {}", outcome.message, remedy(&last))))
        }
        exit => Err(refuse(exit, format!("{title}: {}", outcome.message))),
    }
}
