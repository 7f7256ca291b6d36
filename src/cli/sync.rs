//! `hushfs sync`: waits until everything is in the bucket.

use std::path::PathBuf;

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
    order(connection, &Request::Sync { timeout_secs: args.timeout }, "sync", |waiting| {
        format!(
            "still missing in the bucket: {}; the volume stays mounted and goes on trying",
            describe(waiting)
        )
    })
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
