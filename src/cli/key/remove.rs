//! `hushfs key remove`: takes one key slot away.

use anyhow::{Context, Result};
use clap::Args;

use super::change::{Editing, warn_of_twins};
use super::choose::{choose, kind_name};
use crate::cli::bucket_args::S3Args;
use crate::cli::confirm::confirm;
use crate::cli::exit::{Exit, refuse};
use crate::cli::opening::Opened;
use crate::cli::runtime;
use crate::cli::unlock::UnlockArgs;
use crate::keyring::{Slot, SlotId};
use crate::object::Location;

const EXAMPLES: &str = "\
Examples:
  hushfs key remove s3://my-bucket/home recovery-code
  hushfs key remove file:///srv/bucket 5f3a91c2 --key-file ~/home.key --yes";

/// What nobody can take back, said before and not after.
const CANNOT_UNDO: &str = "\
What this cannot undo: whoever has opened the volume with it may have kept the volume's keys and whatever they
read; and an older copy of the object \"volume\" (a version in the bucket, a backup) still opens with it. If it fell
into wrong hands, delete such copies and make new keys: hushfs key rotate --new-volume-key --reencrypt";

/// Remove a key slot: what it was made for opens the volume no longer
///
/// Says first what removing cannot undo, and asks. The last slot that this version can open stays.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RemoveArgs {
    /// s3://bucket[/prefix] or file:///folder
    #[arg(value_name = "BUCKET")]
    bucket: Location,
    /// The slot: its id or the beginning of it, or its kind if it is the only one of that kind
    #[arg(value_name = "ID|KIND")]
    slot: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    s3: S3Args,
    #[command(flatten)]
    unlock: UnlockArgs,
}

/// Unlocks, asks, removes.
///
/// # Errors
/// `Usage` for a slot that is not there or the last one; those of unlocking and of the store.
pub fn run(args: &RemoveArgs) -> Result<Exit> {
    runtime::start()?
        .block_on(remove(args))
        .with_context(|| format!("removing a key slot of {}", args.bucket))?;
    Ok(Exit::Success)
}

async fn remove(args: &RemoveArgs) -> Result<()> {
    let editing = Editing::begin(&args.bucket, &args.s3, &args.unlock).await?;
    let slots = editing.opened.unlocked.slots();
    let doomed = choose(slots, &args.slot)?;
    let kind = slots.iter().find(|slot| slot.id() == doomed).map(kind_name).unwrap_or_default();
    without(slots, doomed)?;
    eprintln!("{CANNOT_UNDO}.");
    if !args.yes {
        let question = format!("Remove the slot {doomed} ({kind}) of {}?", args.bucket);
        tokio::task::block_in_place(|| confirm(&question, "give --yes to remove without being asked"))?;
    }
    let twins = editing.twins(doomed)?;
    editing
        .replace(|opened: &Opened| {
            let left = without(opened.unlocked.slots(), doomed)?;
            Ok(opened.unlocked.reseal(&left, opened.store.random.as_ref())?)
        })
        .await?;
    println!("removed {kind} {doomed}");
    warn_of_twins(&args.bucket, &twins);
    Ok(())
}

/// The slots that stay.
fn without(slots: &[Slot], doomed: SlotId) -> Result<Vec<Slot>> {
    let left: Vec<Slot> = slots.iter().filter(|slot| slot.id() != doomed).cloned().collect();
    if left.len() == slots.len() {
        return Err(refuse(Exit::Failure, format!("somebody else has removed the slot {doomed} just now")));
    }
    if !left.iter().any(|slot| slot.kind().is_some()) {
        return Err(refuse(
            Exit::Usage,
            format!(
                "the slot {doomed} is the last one that this version of hushfs can open; without it nobody could \
                 open the volume again. Add another first: hushfs key add"
            ),
        ));
    }
    Ok(left)
}
