//! `hushfs mount`: the arguments, and the choice between background and foreground.

mod at_rest;
pub mod background;
mod events;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing;
pub mod kernel;
mod mounted;
mod moving;
mod order;
pub mod places;
mod process;
mod remount;
mod users;
mod writing;

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use self::order::MountOrder;
use self::process::Front;
use super::bucket_args::S3Args;
use super::encryption::SseArgs;
use super::exit::Exit;
use super::logging;
use super::size::size_parser;
use super::unlock::{Challenge, RawCredential, UnlockArgs};
use crate::object::Location;

const EXAMPLES: &str = "\
Examples:
  hushfs mount file:///srv/bucket ~/sealed
  hushfs mount s3://my-bucket/home ~/sealed --region eu-central-1 --passphrase-command 'pass show hushfs'
  hushfs mount -f -o ro s3://my-bucket/home ~/sealed

In /etc/fstab hushfs's own options stand among the others, without the dashes:
  s3://my-bucket/home /srv/home fuse.hushfs _netdev,allow_other,key-file=/etc/hushfs/home.key,cache-size=50G 0 0

The log of a mount in the background is ~/.local/state/hushfs/log/MOUNTPOINT.log; RUST_LOG sets how
much it says. SIGTERM and SIGINT unmount in an orderly way; a second one gives up on the bucket.";

/// Mount a volume as a directory, in the background
///
/// Works without root (fusermount3 must be installed). Returns when the directory can be used.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct MountArgs {
    /// s3://bucket[/prefix] or file:///folder
    #[arg(value_name = "BUCKET")]
    pub bucket: Location,
    /// An existing directory
    pub mountpoint: PathBuf,
    /// Stay in the foreground and log to standard error
    #[arg(short, long)]
    pub foreground: bool,
    /// Mount options, separated by commas: ro, allow_other, noatime, … and options of this command
    /// without their dashes (key-file=FILE)
    #[arg(short, value_name = "OPTIONS", value_delimiter = ',')]
    pub options: Vec<String>,
    /// Change nothing; several read-only mounts of one volume may run beside a writing one
    #[arg(long)]
    pub read_only: bool,
    /// Let other users in, as file modes permit (needs user_allow_other in /etc/fuse.conf, or root)
    #[arg(long, conflicts_with = "allow_root")]
    pub allow_other: bool,
    /// Let root in
    #[arg(long)]
    pub allow_root: bool,
    /// Accept a store that ignores conditional writes: a lock object keeps other writers out
    #[arg(long)]
    pub single_writer: bool,
    /// Folder of the sealed disk cache and of writes that wait [default: ~/.cache/hushfs]
    #[arg(long, value_name = "FOLDER")]
    pub cache_dir: Option<PathBuf>,
    /// How much the disk cache may hold; 0 turns it off
    #[arg(long, value_name = "SIZE", default_value = "10G", value_parser = size_parser())]
    pub cache_size: u64,
    /// Memory for caches and buffers
    #[arg(long, value_name = "SIZE", default_value = "128M", value_parser = size_parser())]
    pub memory: u64,
    /// Changes are in the bucket after so long at the latest, even without fsync
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub commit_interval: u64,
    /// Log of the mount in the background
    #[arg(long, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
    #[command(flatten)]
    pub sse: SseArgs,
    #[command(flatten)]
    pub s3: S3Args,
    #[command(flatten)]
    pub unlock: UnlockArgs,
}

/// Mounts, and returns when the directory can be used (in the foreground: when it is unmounted).
///
/// # Errors
/// Everything that can keep a volume from being mounted.
pub fn run(args: &MountArgs) -> Result<Exit> {
    let config = order::kernel_config(args)?;
    if config.remount {
        return remount::run(args, &config);
    }
    let order = MountOrder::new(args)?;
    if !args.foreground {
        logging::start(logging::COMMAND);
        if places::show(&order, &config)? {
            return Ok(Exit::Success);
        }
        return background::start(&order, &args.unlock, args.log_file.as_deref());
    }
    logging::start(logging::MOUNT);
    process::serve(&order, &mut Terminal { unlock: &args.unlock })
}

/// The user, when the mount stays in the foreground.
struct Terminal<'a> {
    unlock: &'a UnlockArgs,
}

impl Front for Terminal<'_> {
    fn credential(&mut self, challenge: &Challenge) -> Result<RawCredential> {
        self.unlock.credential(challenge)
    }

    fn warn(&mut self, warning: &str) -> Result<()> {
        eprintln!("hushfs: warning: {warning}.");
        Ok(())
    }

    fn mounted(&mut self) -> Result<()> {
        Ok(())
    }
}
