//! `hushfs unlock`: opens a volume once and keeps its key on this machine.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

use super::keep::Keeper;
use super::place::{KeepIn, Shown};
use super::{limit, show};
use crate::cli::bucket_args::S3Args;
use crate::cli::exit::Exit;
use crate::cli::kdf::Kdf;
use crate::cli::opening::{Opened, open_volume};
use crate::cli::unlock::{NewPassphraseArgs, UnlockArgs};
use crate::cli::{logging, report, runtime};
use crate::keyring::KeptNote;
use crate::object::Location;

const EXAMPLES: &str = "\
Examples:
  hushfs unlock s3://my-bucket/home                       (the Secret Service; the kernel, where there is none)
  hushfs unlock s3://my-bucket/home --keep-in kernel --for 8h
  hushfs unlock s3://my-bucket/home --kms=alias/hushfs --keep-in file   (KMS once, then a passphrase)
  hushfs unlock --show                                    (what is kept, and where)

Afterwards mount, fsck, gc, quota and key ask nothing. An option that names a way to unlock always goes before
the kept key. Forget it: hushfs lock s3://my-bucket/home";

/// Keep a volume's key on this machine, so that no command asks for it again
///
/// Opens the volume with its own passphrase, or whatever is named below, and keeps the volume key in one place.
/// Whoever can use that place as you can open the volume then. In the Secret Service your login password guards it
/// when you are away; in the kernel it is gone after a restart, and after a day (--for says otherwise), but not when
/// you log out. In a file it is wrapped under a passphrase that is good on this machine only, and is asked for
/// instead: for a volume that is otherwise opened with KMS, a hardware key or a passphrase that is to be typed rarely.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct UnlockCommandArgs {
    /// s3://bucket[/prefix] or file:///folder
    #[arg(value_name = "BUCKET", required_unless_present = "show")]
    bucket: Option<Location>,
    /// Where the key is kept [default: secret-service where there is one, else kernel]
    #[arg(long, value_enum, value_name = "PLACE", conflicts_with = "show")]
    keep_in: Option<KeepIn>,
    /// Forget the key after so long: 30m, 8h, 7d; 0 for no limit [default: 1d in the kernel, else no limit]
    #[arg(long = "for", value_name = "DURATION", value_parser = limit::parse, conflicts_with = "show")]
    limit: Option<Duration>,
    /// Only show which keys are kept, and where: never the keys themselves
    #[arg(long)]
    show: bool,
    /// Print JSON
    #[arg(long, requires = "show")]
    json: bool,
    /// How hard guessing the passphrase of a file shall be
    #[arg(long, value_enum, default_value_t = Kdf::Calibrated)]
    kdf: Kdf,
    #[command(flatten)]
    passphrase: NewPassphraseArgs,
    #[command(flatten)]
    s3: S3Args,
    #[command(flatten)]
    unlock: UnlockArgs,
}

/// Unlocks and keeps, or shows.
///
/// # Errors
/// Those of unlocking; those of the place.
pub fn run(args: &UnlockCommandArgs) -> Result<Exit> {
    logging::start(logging::COMMAND);
    match &args.bucket {
        bucket if args.show => show::run(bucket.as_ref(), &args.s3, args.json)?,
        Some(bucket) => {
            runtime::start()?.block_on(unlock(args, bucket)).with_context(|| format!("unlocking {bucket}"))?
        }
        None => {}
    }
    Ok(Exit::Success)
}

async fn unlock(args: &UnlockCommandArgs, bucket: &Location) -> Result<()> {
    // A key that is kept already does not prolong its own life: the volume's credential is asked for again.
    let opened = open_volume(bucket, &args.s3, |challenge| args.unlock.own_credential(challenge)).await?;
    let keeper = Keeper::choose(args.keep_in, &args.passphrase, args.kdf, &opened).await?;
    let note = match keeper.keep(&opened, args.limit).await {
        Err(error) if args.keep_in.is_none() && keeper.is_service() => {
            eprintln!("hushfs: {}; trying the kernel keyring.", report::describe(&error));
            Keeper::kernel()?.keep(&opened, args.limit).await?
        }
        kept => kept?,
    };
    announce(bucket, &opened, &note);
    Ok(())
}

fn announce(bucket: &Location, opened: &Opened, note: &KeptNote) {
    let limit = show::left(note, opened.store.clock.now().secs);
    eprintln!("the key of {bucket} is kept in {}{limit}; forget it: hushfs lock {bucket}", Shown(note.place));
}
