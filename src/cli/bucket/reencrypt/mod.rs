//! `hushfs bucket reencrypt`: moves what is in the bucket to another encryption at rest.
//!
//! The new kind is written into the volume's settings first, as the one for writing: whoever writes meanwhile writes
//! it, and whoever reads knows it. Then every object is looked at and copied onto itself if it differs, and the
//! listing is repeated until nothing new turns up. Nothing is remembered here: a later run looks at each object once
//! more, which costs a small part of a copy, and holds whatever happened in between. At the end the old kinds leave
//! the settings, so that a server that gives them again is noticed.

mod estimate;
mod moving;
mod passes;

use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

use super::inventory::{self, Inventory};
use super::reach::folder_refused;
use crate::cli::bucket_args::S3Args;
use crate::cli::confirm::confirm;
use crate::cli::encryption::{SseArgs, check_place, settle};
use crate::cli::exit::{Exit, refuse};
use crate::cli::opening::{Opened, Store};
use crate::cli::runtime;
use crate::cli::size::count;
use crate::cli::spot::try_writing;
use crate::cli::unlock::UnlockArgs;
use crate::cli::unlocking::unlock_header;
use crate::keyring::EncryptionSettings;
use crate::object::{Location, ServerEncryption, Versioning};
use crate::volume::{Volume, Writer};
use estimate::Work;
use moving::Outcome;
use passes::{Passes, hosts, keys};

const EXAMPLES: &str = "\
Examples:
  hushfs bucket reencrypt s3://my-bucket/home --sse kms:alias/hushfs --bucket-key --dry-run
  hushfs bucket reencrypt s3://my-bucket/home --sse kms:alias/hushfs --bucket-key
  hushfs bucket reencrypt s3://my-bucket/home --sse customer --yes --passphrase-file ~/.hushfs-pass";

/// After this long nobody writes the old kind any more: writers look at the settings once a minute, and a request
/// ends within a minute.
const EVERYBODY_KNOWS: Duration = Duration::from_secs(120);
/// Failures that are shown one by one.
const SHOWN: usize = 10;

/// Move what is already there to another encryption by the server
///
/// Objects are copied onto themselves within the store; none of their bytes pass through this machine. Says first
/// how many requests that takes and what AWS bills for them, and asks. The volume writes the new kind from then on,
/// on all machines that have it mounted: they learn of it within a minute. The volume stays usable throughout. A run
/// that was stopped goes on where it was when it is started again: what has the new kind already is left alone (a
/// kind is the algorithm and the KMS key; another context or bucket key alone moves nothing). The object "volume"
/// stays outside of SSE-C. Old kinds are accepted until nobody can be writing them any more.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ReencryptArgs {
    /// s3://bucket[/prefix]
    #[arg(value_name = "BUCKET")]
    bucket: Location,
    /// Only say what it would take
    #[arg(long)]
    dry_run: bool,
    /// Do not ask before beginning
    #[arg(long)]
    yes: bool,
    /// Where others have the volume mounted, wait until they know of the new kind (two minutes), and look again
    #[arg(long)]
    wait: bool,
    /// How many objects are moved at the same time
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    parallel: u16,
    #[command(flatten)]
    sse: SseArgs,
    #[command(flatten)]
    s3: S3Args,
    #[command(flatten)]
    unlock: UnlockArgs,
}

/// Estimates, asks, moves.
///
/// # Errors
/// `Usage` for a folder or without a kind; those of the store and of unlocking; the first failure of an object.
pub fn run(args: &ReencryptArgs) -> Result<Exit> {
    let runtime = runtime::start()?;
    runtime.block_on(reencrypt(args)).with_context(|| format!("re-encrypting {}", args.bucket))?;
    Ok(Exit::Success)
}

async fn reencrypt(args: &ReencryptArgs) -> Result<()> {
    let target = args.sse.chosen()?.ok_or_else(|| {
        let why = "say which encryption the objects are to have: --sse bucket, s3, kms[:KEY-ID], dsse[:KEY-ID] or customer";
        refuse(Exit::Usage, why)
    })?;
    if matches!(args.bucket, Location::Folder(_)) {
        return Err(folder_refused(&args.bucket));
    }
    check_place(&target, &args.bucket, &args.s3)?;
    let mut opened = open(args).await?;
    opened.check_log().await?;
    let bucket = opened.store.patient();
    let inventory = inventory::list(bucket.as_ref()).await?;
    let foreign = inventory.found.iter().filter(|found| found.name.is_none()).count();
    if foreign > 0 {
        let foreign = count(foreign as u64, "object");
        println!("{foreign} not hushfs's stay as they are (hushfs bucket audit names them)");
    }
    estimate(&opened, &inventory, &target).await;
    if args.dry_run {
        return Ok(());
    }
    if !args.yes {
        confirm("Begin?", "give --yes, or --dry-run to see the estimate only")?;
    }
    let known = opened.unlocked.settings().encryption.clone();
    settle(&opened.store.encryption, &known, Some(&target), &opened.vault)?;
    // A server that does something else would take the settings all the same, and then nobody could write.
    try_writing(&opened, &target).await?;
    let begun = opened.store.clock.boot();
    opened.change_encryption(|settings| settings.moving_to(&target)).await?;

    let parallel = usize::from(args.parallel);
    let mut passes = Passes::new(&bucket, parallel, &opened.store.clock);
    passes.run(inventory).await?;
    if passes.failed() {
        return Err(failures(passes.outcome, &target));
    }
    let known_by_all = begun.saturating_add(EVERYBODY_KNOWS);
    let writers = other_writers(&opened).await?;
    let nobody_else = passes.outlast(&writers, args.wait, known_by_all).await?;
    if passes.failed() {
        return Err(failures(passes.outcome, &target));
    }
    print!("{}", describe(&passes.outcome, &target));
    if nobody_else {
        forget_old_kinds(&mut opened, &target).await
    } else {
        println!(
            "The volume is in use ({}), so the old kinds stay readable. To have no other accepted, run this again when nobody writes, or with --wait.",
            hosts(&writers)
        );
        Ok(())
    }
}

/// Opens the volume, whatever its objects have: this command is what puts that right.
async fn open(args: &ReencryptArgs) -> Result<Opened> {
    let store = Store::open(&args.bucket, &args.s3).await?;
    store.encryption.accept_anything();
    let found = store.header().await?;
    unlock_header(store, found, |challenge| args.unlock.credential(challenge)).await
}

async fn estimate(opened: &Opened, inventory: &Inventory, target: &ServerEncryption) {
    let versioning = match &opened.store.s3 {
        Some(s3) => match s3.versioning().await {
            Ok(versioning) => Some(versioning == Versioning::On),
            Err(error) => {
                log::info!("whether versioning is on cannot be told: {error}: {}", error.source);
                None
            }
        },
        None => Some(false),
    };
    let known: Vec<ServerEncryption> = opened.unlocked.settings().encryption.all().cloned().collect();
    let mut work = Work { objects: 0, bytes: 0, target, known: &known, versioning };
    for (_, len) in keys(inventory) {
        work.objects += 1;
        work.bytes += len;
    }
    print!("{work}");
}

fn describe(outcome: &Outcome, target: &ServerEncryption) -> String {
    let mut text = format!(
        "moved {} to {}; {} had it already\n",
        count(outcome.moved, "object"),
        target.describe(),
        outcome.already
    );
    if outcome.gone > 0 {
        text.push_str(&format!("{} deleted meanwhile\n", count(outcome.gone, "object")));
    }
    text
}

/// Names what could not be moved; the error of the command is the first of them.
fn failures(outcome: Outcome, target: &ServerEncryption) -> anyhow::Error {
    print!("{}", describe(&outcome, target));
    let (failures, left) = (outcome.failed.len(), outcome.left);
    for error in outcome.failed.iter().take(SHOWN) {
        eprintln!("hushfs: {error}: {}", error.source);
    }
    let stopped = if left > 0 { format!(", {} not looked at", count(left, "object")) } else { String::new() };
    let message = format!(
        "{} could not be moved{stopped}; both kinds can be read, run the command again to go on",
        count(failures as u64, "object")
    );
    match outcome.failed.into_iter().next() {
        Some(first) => anyhow::Error::new(first).context(message),
        None => refuse(Exit::Failure, message),
    }
}

/// Takes the old kinds out of the settings: nobody writes them any more.
async fn forget_old_kinds(opened: &mut Opened, target: &ServerEncryption) -> Result<()> {
    let wanted = EncryptionSettings::only(target.clone());
    if opened.unlocked.settings().encryption != wanted {
        opened.change_encryption(|_| wanted.clone()).await?;
        if *target != ServerEncryption::Bucket {
            println!("Nothing has another encryption now, and no other is accepted from now on.");
        }
    }
    Ok(())
}

async fn other_writers(opened: &Opened) -> Result<Vec<Writer>> {
    let environment = opened.reading(opened.store.patient());
    let volume = Volume::open(environment, opened.volume_options(true)).await?;
    let writers = tokio::task::block_in_place(|| volume.other_writers());
    volume.close().await?;
    Ok(writers?)
}
