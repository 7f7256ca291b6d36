//! `--new-volume-key`: after a loss, another volume key and nothing of the old that opens it.

use anyhow::{Context, Result};
use tokio::runtime::Runtime;

use super::RotateArgs;
use crate::cli::confirm::confirm;
use crate::cli::exit::{Exit, refuse};
use crate::cli::key::change::Editing;
use crate::cli::key::choose::kind_name;
use crate::cli::key::new_key::NewKey;
use crate::cli::maintenance::Here;
use crate::cli::opening::Opened;
use crate::cli::recovery_page::RecoveryPage;
use crate::keyring::{Credential, NewSlot, NewSlotKey, NewVolumeKey, OldData, UnlockedVolume, VolumeHeader};

/// Said before anything happens.
const CANNOT_UNDO: &str = "\
What this cannot undo: whoever had the old volume key may have kept it, with the keys of all epochs until now. With those
they can read what is sealed under them, in the bucket until --reencrypt has moved it and in any copy they made. Older
copies of the object \"volume\" (versions in the bucket, backups) still open with the old passphrases and keys: delete
those that you can.
Mounts of other machines stop writing, and what they have not stored yet is lost: unmount them first.";

/// Replaces the volume key; the volume that is returned is open under the new one, and this machine knows it so.
///
/// # Errors
/// `InUse` while it is mounted here; those of the new keys' sources and of the store.
pub fn replace(runtime: &Runtime, here: &Here, editing: Editing, args: &RotateArgs) -> Result<Editing> {
    if matches!(here, Here::Mounted(_)) {
        return Err(refuse(
            Exit::InUse,
            "the volume is mounted on this machine, and under a new volume key that mount could write no more: unmount \
             it first (hushfs unmount)",
        ));
    }
    ask(&editing.opened, args)?;
    runtime.block_on(exchange(editing, args))
}

fn ask(opened: &Opened, args: &RotateArgs) -> Result<()> {
    let kinds: Vec<String> =
        opened.unlocked.slots().iter().map(kind_name).map(|kind| kind.to_string()).collect();
    eprintln!("All present keys stop opening the volume: {}.\n{CANNOT_UNDO}", kinds.join(", "));
    if args.yes {
        return Ok(());
    }
    let question = format!("Make a new volume key for {}?", args.bucket);
    confirm(&question, "give --yes to go on without being asked")
}

async fn exchange(editing: Editing, args: &RotateArgs) -> Result<Editing> {
    let opened = &editing.opened;
    let random = opened.store.random.clone();
    let mut keys = new_keys(opened, args).await?;
    for key in &keys {
        warn_of_old(opened, &key.slot().credential())?;
    }
    let recovery = NewKey::recovery_code(opened);
    let new = NewVolumeKey::generate(opened.unlocked.volume(), random.as_ref())?;
    if let NewSlot { id, key: NewSlotKey::RecoveryCode(code) } = recovery.slot() {
        // Before the header: a page that opens nothing is waste paper, a volume without its page may be lost.
        let page = RecoveryPage::of(opened, new.fingerprint(), code, id);
        match &args.new.output {
            Some(path) => page.save(path)?,
            None => page.print()?,
        }
    }
    keys.push(recovery);
    let old = if args.reencrypt { OldData::Moves } else { OldData::Stays };
    let mut next: Option<UnlockedVolume> = None;
    let change = |opened: &Opened| {
        let slots: Vec<NewSlot<'_>> = keys.iter().map(NewKey::slot).collect();
        let header = opened.unlocked.with_new_volume_key(&new, &slots, old, random.as_ref())?;
        // Each new key must open the very bytes that are about to replace the header.
        let decoded = VolumeHeader::decode(&header.bytes)?;
        for slot in &slots {
            decoded.unlock(&slot.credential())?;
        }
        next = Some(header.unlocked);
        Ok(header.bytes)
    };
    let replaced =
        editing.replace(change).await.context("the recovery page that was just made opens nothing")?;
    if let Some(next) = next {
        replaced.opened.adopt_volume_key(&next)?;
    }
    println!("the volume has a new volume key; its fingerprint is {}", new.fingerprint());
    println!("other machines are to be told so once: --fingerprint {}", new.fingerprint());
    let first = keys.first().context("there is no new key")?;
    Editing::opened_with(replaced.opened, first.slot().credential()).await
}

/// The same passphrase or key file may be given again, if it is another one that got lost.
fn warn_of_old(opened: &Opened, new: &Credential) -> Result<()> {
    for slot in tokio::task::block_in_place(|| opened.unlocked.slots_of(new))? {
        eprintln!(
            "hushfs: warning: what was given as new is what opens the slot {slot} now: whoever has it opens the volume \
             with it from now on, too"
        );
    }
    Ok(())
}

/// What is to open the volume, the recovery code aside; at least one.
async fn new_keys(opened: &Opened, args: &RotateArgs) -> Result<Vec<NewKey>> {
    let new = &args.new;
    let mut keys = Vec::new();
    if let Some(path) = &new.new_key_file {
        keys.push(NewKey::key_file(path, opened)?);
    }
    if let Some(key) = &new.new_kms {
        keys.push(NewKey::kms(key, &args.unlock.kms_server, &args.s3, opened).await?);
    }
    if let Some(recipient) = &new.new_age {
        keys.push(NewKey::age(recipient, opened)?);
    }
    if new.new_passphrase || args.passphrase.is_named() || keys.is_empty() {
        keys.push(NewKey::passphrase(&args.passphrase, new.kdf, opened)?);
    }
    Ok(keys)
}
