//! `hushfs key passwd`: a new passphrase instead of the old one, in one replacement of the header.

use anyhow::{Context, Result};
use clap::Args;

use super::change::{Editing, warn_of_twins};
use super::choose::{choose, kind_name};
use super::new_key::NewKey;
use crate::cli::bucket_args::S3Args;
use crate::cli::exit::{Exit, refuse};
use crate::cli::kdf::Kdf;
use crate::cli::opening::Opened;
use crate::cli::runtime;
use crate::cli::unlock::{NewPassphraseArgs, UnlockArgs};
use crate::keyring::{Slot, SlotId, SlotKind, UnlockedVolume, VolumeHeader};
use crate::object::Location;

const EXAMPLES: &str = "\
Examples:
  hushfs key passwd s3://my-bucket/home
  hushfs key passwd file:///srv/bucket --passphrase-file old --new-passphrase-file new
  hushfs key passwd s3://my-bucket/home --recovery-code   (the passphrase is lost)";

/// Change a passphrase
///
/// Replaces the passphrase that opens the volume now; opened with something else, the only passphrase there is, or
/// that of --slot. No data is written again. What it cannot undo: an older copy of the object "volume" (a version
/// in the bucket, a backup) still opens with the old passphrase.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct PasswdArgs {
    /// s3://bucket[/prefix] or file:///folder
    #[arg(value_name = "BUCKET")]
    bucket: Location,
    /// The passphrase slot to replace: its id or the beginning of it
    #[arg(long, value_name = "ID")]
    slot: Option<String>,
    #[command(flatten)]
    passphrase: NewPassphraseArgs,
    /// How hard guessing the new passphrase shall be
    #[arg(long, value_enum, default_value_t = Kdf::Calibrated)]
    kdf: Kdf,
    #[command(flatten)]
    s3: S3Args,
    #[command(flatten)]
    unlock: UnlockArgs,
}

/// Unlocks, asks for the new passphrase, replaces the slot.
///
/// # Errors
/// `Usage` when it is not clear which slot is meant; those of unlocking and of the store.
pub fn run(args: &PasswdArgs) -> Result<Exit> {
    runtime::start()?
        .block_on(change(args))
        .with_context(|| format!("changing the passphrase of {}", args.bucket))?;
    Ok(Exit::Success)
}

async fn change(args: &PasswdArgs) -> Result<()> {
    let editing = Editing::begin(&args.bucket, &args.s3, &args.unlock).await?;
    let old = slot_to_replace(&editing.opened.unlocked, args.slot.as_deref())?;
    let twins = editing.twins(old)?;
    let new = NewKey::passphrase(&args.passphrase, args.kdf, &editing.opened)?;
    // The slot's own passphrase may be given again: its slot gets today's cost then.
    new.check_unused(&editing.opened, Some(old))?;
    editing
        .replace(|opened: &Opened| {
            let random = opened.store.random.as_ref();
            let mut slots = opened.unlocked.slots().to_vec();
            let place = slots.iter_mut().find(|slot| slot.id() == old).ok_or_else(|| {
                refuse(Exit::Failure, format!("somebody else has removed the slot {old} just now"))
            })?;
            *place = opened.unlocked.new_slot(&new.slot(), random)?;
            let bytes = opened.unlocked.reseal(&slots, random)?;
            // The new passphrase must open the very bytes that are about to replace the header.
            VolumeHeader::decode(&bytes)?.unlock(&new.slot().credential())?;
            Ok(bytes)
        })
        .await?;
    eprintln!("the passphrase is changed; older copies of the object \"volume\" still open with the old one");
    warn_of_twins(&args.bucket, &twins);
    Ok(())
}

fn slot_to_replace(unlocked: &UnlockedVolume, named: Option<&str>) -> Result<SlotId> {
    let slots = unlocked.slots();
    if let Some(named) = named {
        let id = choose(slots, named)?;
        return match slots.iter().find(|slot| slot.id() == id) {
            Some(slot) if is_passphrase(slot) => Ok(id),
            other => Err(refuse(
                Exit::Usage,
                format!("the slot {id} is no passphrase but {}", other.map(kind_name).unwrap_or_default()),
            )),
        };
    }
    let opened_by = slots.iter().find(|slot| Some(slot.id()) == unlocked.opened_by() && is_passphrase(slot));
    let all: Vec<&Slot> = slots.iter().filter(|slot| is_passphrase(slot)).collect();
    match (opened_by, all.as_slice()) {
        (Some(slot), _) => Ok(slot.id()),
        (None, [slot]) => Ok(slot.id()),
        (None, []) => Err(refuse(
            Exit::Usage,
            "the volume has no passphrase to change; give it one: hushfs key add --new-passphrase",
        )),
        (None, _) => Err(refuse(
            Exit::Usage,
            "the volume has several passphrases; say which is to be replaced: --slot ID (see hushfs key list)",
        )),
    }
}

fn is_passphrase(slot: &Slot) -> bool {
    slot.kind() == Some(SlotKind::Passphrase)
}
