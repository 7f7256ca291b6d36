//! `hushfs key rotate`: new keys for what is written from now on, for everything, or for the volume as a whole.
//!
//! Invariants: a rotation is one conditional replacement of the header and then an entry in the log under the new
//! epoch; whatever is interrupted is finished by the same command. The keys of old epochs are dropped only when
//! nothing that anybody may need is sealed under them.

mod new_volume_key;
mod reencrypt;
mod words;
mod worker;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use tokio::runtime::Runtime;

use super::change::Editing;
use crate::base::Epoch;
use crate::cli::bucket_args::S3Args;
use crate::cli::exit::{Exit, refuse};
use crate::cli::kdf::Kdf;
use crate::cli::maintenance::Here;
use crate::cli::opening::Opened;
use crate::cli::runtime;
use crate::cli::size::size_parser;
use crate::cli::unlock::{NewPassphraseArgs, UnlockArgs};
use crate::keyring::OldData;
use crate::object::Location;
use worker::Worker;

const EXAMPLES: &str = "\
Examples:
  hushfs key rotate s3://my-bucket/home
  hushfs key rotate s3://my-bucket/home --reencrypt --limit-rate 10M
  hushfs key rotate s3://my-bucket/home --new-volume-key --new-key-file /etc/hushfs/new.key --reencrypt";

/// Rotate keys: a new epoch for all that is written from now on
///
/// Every mount, here and elsewhere, follows by itself. What is in the bucket already stays under its old keys, and
/// whoever has the volume key reads both, unless:
///
/// --reencrypt moves old data to the new epoch, too. The volume stays in use meanwhile. Stopped at any moment, it goes
/// on when it is given again, from any machine. In the end the old keys are dropped from the volume.
///
/// --new-volume-key is for after a loss: a passphrase that somebody else knows, a stolen machine. All present keys stop
/// opening the volume; it opens with the new ones that you give and with a new recovery code.
///
/// What no rotation can undo: somebody who had the keys can have kept them, with what they opened until then. Older copies
/// of objects (versions in the bucket, backups) stay as they are, and older copies of the object "volume" still open.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RotateArgs {
    /// s3://bucket[/prefix] or file:///folder
    #[arg(value_name = "BUCKET")]
    bucket: Location,
    /// Move everything that is sealed under older keys to the new ones
    #[arg(long)]
    reencrypt: bool,
    /// Move at most SIZE bytes in a second, such as 10M
    #[arg(long, value_name = "SIZE", value_parser = size_parser(), requires = "reencrypt")]
    limit_rate: Option<u64>,
    /// Hours that old objects stay for other machines [default: 24, or 0 when no other machine has the volume
    /// mounted; 1 at least while one has, or never unmounted it]
    #[arg(long, value_name = "HOURS", requires = "reencrypt")]
    grace: Option<u32>,
    /// Replace the volume key, and all that opens the volume
    #[arg(long)]
    new_volume_key: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    new: NewKeysArgs,
    #[command(flatten)]
    passphrase: NewPassphraseArgs,
    #[command(flatten)]
    s3: S3Args,
    #[command(flatten)]
    unlock: UnlockArgs,
}

/// What opens the volume under its new volume key.
#[derive(Debug, Args)]
#[command(
    next_help_heading = "With --new-volume-key: what opens the volume from now on (a passphrase if none is given)"
)]
struct NewKeysArgs {
    /// A passphrase, which the terminal asks for twice (or one of the sources below), beside the others
    #[arg(long, requires = "new_volume_key")]
    new_passphrase: bool,
    /// The key in FILE, which is made (mode 0600) if it is missing
    #[arg(long, value_name = "FILE", requires = "new_volume_key")]
    new_key_file: Option<PathBuf>,
    /// A symmetric key of AWS KMS: an ARN, id or alias
    #[arg(long, value_name = "KEY-ID", requires = "new_volume_key")]
    new_kms: Option<String>,
    /// An age recipient: age1… of age-keygen, or of a plugin such as age-plugin-yubikey
    #[arg(long, value_name = "RECIPIENT", requires = "new_volume_key")]
    new_age: Option<String>,
    /// How hard guessing the new passphrase shall be
    #[arg(long, value_enum, default_value_t = Kdf::Calibrated)]
    kdf: Kdf,
    /// Write the recovery page to FILE (new, mode 0600) instead of the terminal
    #[arg(long, value_name = "FILE", requires = "new_volume_key")]
    output: Option<PathBuf>,
}

/// Unlocks and rotates.
///
/// # Errors
/// Those of unlocking, of the store and of the volume; `InUse` where somebody else has locked the volume.
pub fn run(args: &RotateArgs) -> Result<Exit> {
    if args.passphrase.is_named() && !args.new_volume_key {
        return Err(refuse(
            Exit::Usage,
            "a new passphrase goes with --new-volume-key; to change one alone: hushfs key passwd",
        ));
    }
    let runtime = runtime::start()?;
    rotate(&runtime, args).with_context(|| format!("rotating the keys of {}", args.bucket))?;
    Ok(Exit::Success)
}

fn rotate(runtime: &Runtime, args: &RotateArgs) -> Result<()> {
    let mut editing = runtime.block_on(Editing::begin(&args.bucket, &args.s3, &args.unlock))?;
    let here = runtime.block_on(Here::find(&editing.opened))?;
    if args.new_volume_key {
        editing = new_volume_key::replace(runtime, &here, editing, args)?;
    }
    runtime.block_on(editing.opened.write_as(None, &args.s3))?;
    let worker = Worker::begin(runtime, here, &editing.opened)?;
    let outcome = work(runtime, editing, &worker, args);
    // Whatever happened: what was committed is to be closed properly.
    let ended = worker.end();
    outcome.and(ended)
}

fn work(runtime: &Runtime, editing: Editing, worker: &Worker<'_>, args: &RotateArgs) -> Result<()> {
    // Also finishes a rotation that was interrupted.
    let announced = worker.announce()?;
    let goes_on = editing.opened.unlocked.settings().reencrypting;
    match (args.reencrypt, args.new_volume_key) {
        (true, true) => reencrypt::run(runtime, editing, worker, args, announced.now),
        (true, false) if goes_on => {
            println!("{}", words::goes_on(announced.now));
            reencrypt::ask(worker, announced.now, args)?;
            reencrypt::run(runtime, editing, worker, args, announced.now)
        }
        (true, false) => {
            reencrypt::ask(worker, Epoch(announced.now.0.saturating_add(1)), args)?;
            let (editing, new) = begin_epoch(runtime, editing, worker, OldData::Moves)?;
            println!("{}", words::rotated(announced.now, new));
            reencrypt::run(runtime, editing, worker, args, new)
        }
        (false, true) => {
            println!("{}", words::replaced_only(announced.logged, announced.now, &args.bucket));
            Ok(())
        }
        (false, false) if announced.logged < announced.now => {
            println!("{}", words::finished(announced.logged, announced.now, &args.bucket));
            Ok(())
        }
        (false, false) => {
            let (_, new) = begin_epoch(runtime, editing, worker, OldData::Stays)?;
            println!("{}", words::rotated_only(announced.now, new, &args.bucket));
            Ok(())
        }
    }
}

/// Replaces the header by one with a new epoch, and tells everybody.
fn begin_epoch(
    runtime: &Runtime,
    editing: Editing,
    worker: &Worker<'_>,
    old: OldData,
) -> Result<(Editing, Epoch)> {
    let editing = runtime.block_on(async {
        let change =
            |opened: &Opened| Ok(opened.unlocked.with_new_epoch(old, opened.store.random.as_ref())?.bytes);
        editing.replace(change).await?.again().await
    })?;
    let new = worker.announce().context(
        "the header has the new epoch, but others could not be told; the same command finishes that",
    )?;
    Ok((editing, new.now))
}
