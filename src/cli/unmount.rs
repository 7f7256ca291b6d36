//! `hushfs unmount`: waits until everything is in the bucket and takes the filesystem away.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use super::control::{Connection, Gone, Request};
use super::exit::{Exit, refuse};
use super::mount::{kernel, places};
use super::progress::describe;
use super::sync::order;
use super::unlock::IgnoredUnlockArgs;
use super::{logging, paths};

const EXAMPLES: &str = "\
Examples:
  hushfs unmount ~/sealed
  hushfs unmount --timeout 600 ~/sealed     (a bucket that is slow to answer)
  hushfs unmount --force ~/sealed           (gives up on what is not in the bucket)";

/// Wait until everything is in the bucket, then unmount
///
/// When the bucket is away, or files are in use, says what is missing or who uses them, and leaves the volume
/// mounted. `fusermount3 -u` and `umount` do without the waiting at first: the process writes what is left after the
/// directory is gone.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct UnmountArgs {
    mountpoint: PathBuf,
    /// Give up when nothing has moved for so long; the volume stays mounted then
    #[arg(long, value_name = "SECONDS", default_value_t = 150)]
    timeout: u64,
    /// Unmount even if that loses what is not in the bucket; programs that use files go on with those until they
    /// close them
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    ignored: IgnoredUnlockArgs,
}

/// Gives the order and shows its progress.
///
/// # Errors
/// `NotMounted`, `Busy`, `NotAllStored` with what is missing.
pub fn run(args: &UnmountArgs) -> Result<Exit> {
    logging::start(logging::COMMAND);
    let mountpoint = paths::canonical_mountpoint(&args.mountpoint)
        .map_err(|error| refuse(Exit::NotMounted, format!("{}: {error}", args.mountpoint.display())))?;
    let Some(connection) = Connection::open(&mountpoint)? else {
        return remove_leftover(&mountpoint);
    };
    let others = places::others(&mountpoint)?;
    if let Some(other) = others.first() {
        return take_one_away(args, connection, &mountpoint, other);
    }
    let request = Request::Unmount { force: args.force, timeout_secs: args.timeout };
    let ordered = order(connection, &request, "unmount", |waiting| {
        if args.force {
            return format!("at the end there were {}", describe(waiting));
        }
        format!(
            "still missing in the bucket: {}; {} stays mounted and goes on trying. Wait and unmount again, \
             or give up on it with --force",
            describe(waiting),
            mountpoint.display()
        )
    });
    match ordered {
        // It was dying while it was asked.
        Err(error) if error.is::<Gone>() && Connection::open(&mountpoint)?.is_none() => {
            log::debug!("{error}");
            remove_leftover(&mountpoint)
        }
        ordered => ordered,
    }
}

/// One of several places: everything is put into the bucket, and the others stay.
fn take_one_away(args: &UnmountArgs, connection: Connection, place: &Path, other: &Path) -> Result<Exit> {
    if args.force {
        kernel::detach(place)?;
    } else {
        order(connection, &Request::Sync { timeout_secs: args.timeout }, "unmount", |waiting| {
            format!(
                "still missing in the bucket: {}; {} stays mounted and goes on trying",
                describe(waiting),
                place.display()
            )
        })?;
        kernel::unmount(place)?;
    }
    eprintln!("hushfs: the volume is still mounted at {}", other.display());
    Ok(Exit::Success)
}

/// A mount whose process died without unmounting: only the kernel's side is left.
fn remove_leftover(mountpoint: &Path) -> Result<Exit> {
    if !kernel::mounted_at(mountpoint)?.is_some_and(|mount| mount.is_ours()) {
        return Err(refuse(Exit::NotMounted, format!("no hushfs is mounted at {}", mountpoint.display())));
    }
    kernel::detach(mountpoint)?;
    eprintln!(
        "hushfs: the process that served {} had died; what it had not put into the bucket is lost \
         (everything before the last completed fsync or sync is there)",
        mountpoint.display()
    );
    Ok(Exit::Success)
}
