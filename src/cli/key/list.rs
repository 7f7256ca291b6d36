//! `hushfs key list`: the key slots of a volume, as the bucket tells them or authenticated.

use std::fmt::Write;

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;

use super::choose::kind_name;
use crate::cli::bucket_args::S3Args;
use crate::cli::exit::{Exit, refuse};
use crate::cli::kept;
use crate::cli::opening::Store;
use crate::cli::runtime;
use crate::cli::size::count;
use crate::cli::unlock::{Challenge, UnlockArgs};
use crate::cli::unlocking::unlock_header;
use crate::keyring::{Slot, SlotKind};
use crate::object::Location;

const EXAMPLES: &str = "\
Examples:
  hushfs key list s3://my-bucket/home
  hushfs key list file:///srv/bucket --passphrase-file ~/.hushfs-pass   (authenticated)
  hushfs key list file:///srv/bucket --no-key                           (what the bucket says)
  hushfs key list --json file:///srv/bucket | jq '.slots[].kind'";

/// List the key slots of a volume: what opens it
///
/// Needs no key: the slots stand in the clear in the bucket. Without a key nobody vouches for the list, as
/// whoever can write to the bucket can change it (which is noticed when the volume is opened). With one of the
/// options below, or a key that `hushfs unlock` has kept, the volume is unlocked first and the list is authentic. If
/// that key is kept in a file, its passphrase is asked for, where there is a terminal. --no-key asks nobody.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ListArgs {
    /// s3://bucket[/prefix] or file:///folder
    #[arg(value_name = "BUCKET")]
    bucket: Location,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Do without the volume's key, also where one is kept: shows what the bucket says
    #[arg(long)]
    no_key: bool,
    #[command(flatten)]
    s3: S3Args,
    #[command(flatten)]
    unlock: UnlockArgs,
}

/// The slots of a volume.
#[derive(Debug, Serialize)]
struct Listing {
    volume: String,
    generation: u64,
    /// Whether the volume was unlocked, so that all of this is what its owner wrote.
    authenticated: bool,
    /// Known only where the volume was unlocked.
    fingerprint: Option<String>,
    slots: Vec<ListedSlot>,
}

#[derive(Debug, Serialize)]
struct ListedSlot {
    id: String,
    kind: String,
    /// False for a kind that this version does not know.
    usable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    argon2id: Option<ListedCost>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kms_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_recipient: Option<String>,
}

#[derive(Debug, Serialize)]
struct ListedCost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// Fetches, authenticates if a key was given, and prints.
///
/// # Errors
/// Those of the store and the header; those of unlocking where a key was given.
pub fn run(args: &ListArgs) -> Result<Exit> {
    if args.no_key && args.unlock.names_a_source() {
        return Err(refuse(Exit::Usage, "--no-key and a way to unlock were given; one of them is meant"));
    }
    let listing = runtime::start()?
        .block_on(fetch(args))
        .with_context(|| format!("listing the key slots of {}", args.bucket))?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&listing)?);
    } else {
        print!("{}", describe(&listing)?);
    }
    Ok(Exit::Success)
}

async fn fetch(args: &ListArgs) -> Result<Listing> {
    let store = Store::open(&args.bucket, &args.s3).await?;
    let found = store.header().await?;
    let mut kept = None;
    if !args.no_key && !args.unlock.names_a_source() {
        let challenge = Challenge::new(&args.bucket.to_string(), &found.header, &args.s3);
        kept = tokio::task::block_in_place(|| kept::find_if_somebody_is_there(&challenge))?;
    }
    if kept.is_none() && !args.unlock.names_a_source() {
        let header = found.header;
        return Ok(Listing {
            volume: header.volume().to_string(),
            generation: header.generation(),
            authenticated: false,
            fingerprint: None,
            slots: header.slots().iter().map(ListedSlot::of).collect(),
        });
    }
    let ask = |challenge: &Challenge| match kept.take() {
        Some(kept) => Ok(kept),
        None => args.unlock.credential(challenge),
    };
    let unlocked = unlock_header(store, found, ask).await?.unlocked;
    Ok(Listing {
        volume: unlocked.volume().to_string(),
        generation: unlocked.generation(),
        authenticated: true,
        fingerprint: Some(unlocked.fingerprint().to_string()),
        slots: unlocked.slots().iter().map(ListedSlot::of).collect(),
    })
}

impl ListedSlot {
    fn of(slot: &Slot) -> Self {
        let key = |kind| {
            slot.wrapped_secret()
                .filter(|_| slot.kind() == Some(kind))
                .map(|wrapped| wrapped.key().to_owned())
        };
        Self {
            id: slot.id().to_string(),
            kind: kind_name(slot),
            usable: slot.kind().is_some(),
            argon2id: slot.cost().map(|cost| ListedCost {
                memory_kib: cost.memory_kib,
                passes: cost.passes,
                lanes: cost.lanes,
            }),
            kms_key: key(SlotKind::Kms),
            age_recipient: key(SlotKind::Age),
        }
    }

    fn details(&self) -> String {
        if let Some(cost) = &self.argon2id {
            return format!(
                "Argon2id: {} MiB, {}, {}",
                cost.memory_kib / 1024,
                if cost.passes == 1 { "1 pass".to_owned() } else { format!("{} passes", cost.passes) },
                count(cost.lanes.into(), "lane")
            );
        }
        match (&self.kms_key, &self.age_recipient) {
            (Some(key), _) | (None, Some(key)) => key.clone(),
            (None, None) if self.usable => String::new(),
            (None, None) => "made by a newer hushfs; kept as it is".to_owned(),
        }
    }
}

fn describe(listing: &Listing) -> Result<String> {
    let mut text = String::new();
    writeln!(text, "volume       {}", listing.volume)?;
    if let Some(fingerprint) = &listing.fingerprint {
        writeln!(text, "fingerprint  {fingerprint}")?;
    }
    writeln!(text, "generation   {}\n", listing.generation)?;
    for slot in &listing.slots {
        writeln!(text, "{}", format!("{}  {:13}  {}", slot.id, slot.kind, slot.details()).trim_end())?;
    }
    writeln!(
        text,
        "\n{}",
        if listing.authenticated {
            "Authentic: the volume was unlocked, and this is what its owner wrote."
        } else {
            "Not authenticated: this is what the bucket says. Give a way to unlock to have it checked."
        }
    )?;
    Ok(text)
}
