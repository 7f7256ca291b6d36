//! `hushfs key add`: one more way to open a volume.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

use super::change::Editing;
use super::new_key::{NewKeyArgs, opens_already};
use crate::cli::bucket_args::S3Args;
use crate::cli::exit::{Exit, refuse};
use crate::cli::kdf::Kdf;
use crate::cli::opening::Opened;
use crate::cli::recovery_page::RecoveryPage;
use crate::cli::runtime;
use crate::cli::unlock::{NewPassphraseArgs, UnlockArgs};
use crate::keyring::{MAX_SLOTS, NewSlotKey, SlotKind, VolumeHeader};
use crate::object::Location;

const EXAMPLES: &str = "\
Examples:
  hushfs key add --new-passphrase s3://my-bucket/home
  hushfs key add --new-recovery-code --output recovery.txt file:///srv/bucket --key-file ~/home.key
  hushfs key add --new-key-file /etc/hushfs/home.key s3://my-bucket/home
  hushfs key add --new-kms alias/hushfs s3://my-bucket/home
  hushfs key add --new-age age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p s3://my-bucket/home";

/// Add a key slot: one more way to open the volume
///
/// The flags that begin with --new say what is added, the others how to unlock the volume now. With KMS, the key
/// never leaves KMS: it wraps a secret of the slot, each use names volume and slot and stands in the audit trail.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct AddArgs {
    /// s3://bucket[/prefix] or file:///folder
    #[arg(value_name = "BUCKET")]
    bucket: Location,
    #[command(flatten)]
    new: NewKeyArgs,
    /// Write the recovery page to FILE (new, mode 0600) instead of the terminal
    #[arg(long, value_name = "FILE", requires = "new_recovery_code")]
    output: Option<PathBuf>,
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

/// Unlocks, makes the key, adds its slot.
///
/// # Errors
/// Those of unlocking, of the new key's source, and of the store.
pub fn run(args: &AddArgs) -> Result<Exit> {
    args.new.check(&args.passphrase)?;
    // Known to clap as well, which lets it pass beside another kind.
    if args.output.is_some() && !args.new.new_recovery_code {
        return Err(refuse(Exit::Usage, "--output is for the page of --new-recovery-code"));
    }
    runtime::start()?.block_on(add(args)).with_context(|| format!("adding a key slot to {}", args.bucket))?;
    Ok(Exit::Success)
}

async fn add(args: &AddArgs) -> Result<()> {
    let editing = Editing::begin(&args.bucket, &args.s3, &args.unlock).await?;
    let opened = &editing.opened;
    if opened.unlocked.slots().len() >= MAX_SLOTS {
        return Err(refuse(
            Exit::Usage,
            "the volume has 32 key slots, the most there can be; remove one first",
        ));
    }
    let servers = (&args.unlock.kms_server, &args.s3);
    let new = args.new.make(&args.passphrase, args.kdf, servers, opened).await?;
    new.check_unused(opened, None)?;
    let (slot, credential) = (new.slot(), new.slot().credential());
    let page = match slot.key {
        NewSlotKey::RecoveryCode(code) => Some(RecoveryPage::new(opened, code, slot.id)),
        NewSlotKey::Passphrase { .. } | NewSlotKey::KeyFile(_) | NewSlotKey::Kms(_) | NewSlotKey::Age(_) => {
            None
        }
    };
    // Before the slot: a page without a slot is waste paper, a slot without its page is a loss noticed too late.
    if let (Some(page), Some(path)) = (&page, &args.output) {
        page.save(path)?;
    }
    editing
        .replace(|opened: &Opened| {
            let random = opened.store.random.as_ref();
            let made = opened.unlocked.new_slot(&slot, random)?;
            if let Some(twin) = opened.unlocked.slots().iter().find(|other| other.has_key_of(&made)) {
                return Err(opens_already(twin.id()));
            }
            let slots = [opened.unlocked.slots(), &[made]].concat();
            let bytes = opened.unlocked.reseal(&slots, random)?;
            // The new key must open the very bytes that are about to replace the header.
            VolumeHeader::decode(&bytes)?.unlock(&credential)?;
            Ok(bytes)
        })
        .await?;
    if let (Some(page), None) = (&page, &args.output) {
        page.print()?;
    }
    eprintln!("added {} {}", credential.kind().map_or("key slot", SlotKind::word), slot.id);
    Ok(())
}
