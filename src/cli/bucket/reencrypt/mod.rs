//! `hushfs bucket reencrypt`: moves what is in the bucket to another encryption at rest.
//!
//! The new kind is written into the volume's settings first, as the one for writing: whoever writes meanwhile writes
//! it, and whoever reads knows it. Then every object is looked at and copied onto itself if it differs, and the
//! listing is repeated until nothing new turns up. Nothing is remembered here: a later run looks at each object once
//! more, which costs a small part of a copy, and holds whatever happened in between. At the end the old kinds leave
//! the settings, so that a server that gives them again is noticed.

mod estimate;
mod moving;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

use super::inventory::{self, Inventory};
use super::reach::folder_refused;
use crate::base::Clock;
use crate::cli::bucket_args::S3Args;
use crate::cli::confirm::confirm;
use crate::cli::encryption::{SseArgs, check_place, settle};
use crate::cli::exit::{Exit, refuse};
use crate::cli::opening::{Opened, Store};
use crate::cli::progress::Progress;
use crate::cli::runtime;
use crate::cli::size::count;
use crate::cli::unlock::UnlockArgs;
use crate::cli::unlocking::unlock_header;
use crate::keyring::EncryptionSettings;
use crate::object::{Bucket, Location, ServerEncryption, Versioning};
use crate::volume::{ObjectName, Volume, Writer};
use estimate::Work;
use moving::{Outcome, move_all};

const EXAMPLES: &str = "\
Examples:
  hushfs bucket reencrypt s3://my-bucket/home --sse kms:alias/hushfs --bucket-key --dry-run
  hushfs bucket reencrypt s3://my-bucket/home --sse kms:alias/hushfs --bucket-key
  hushfs bucket reencrypt s3://my-bucket/home --sse customer --yes --passphrase-file ~/.hushfs-pass";

/// After this long nobody writes the old kind any more: writers look at the settings once a minute, and a request
/// ends within a minute.
const EVERYBODY_KNOWS: Duration = Duration::from_secs(120);
/// Listings that are followed up when others write all the time.
const MOST_PASSES: usize = 5;
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
    let begun = opened.store.clock.boot();
    opened.change_encryption(|settings| settings.moving_to(&target)).await?;

    let parallel = usize::from(args.parallel);
    let mut passes = Passes::new(&bucket, parallel, &opened.store);
    passes.run(inventory).await?;
    if passes.failed() {
        return Err(failures(passes.outcome, &target));
    }
    let known_by_all = begun.saturating_add(EVERYBODY_KNOWS);
    let writers = other_writers(&opened).await?;
    if args.wait && !writers.is_empty() {
        eprintln!("waiting until {} know of it", hosts(&writers));
        tokio::time::sleep(known_by_all.saturating_sub(opened.store.clock.boot())).await;
        passes.run_again().await?;
    }
    if passes.failed() {
        return Err(failures(passes.outcome, &target));
    }
    let Passes { outcome, listed, quiet, .. } = passes;
    print!("{}", describe(&outcome, &target));
    if quiet && (writers.is_empty() || listed >= known_by_all) {
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

/// What is to be moved: the format's own objects, but for the throw-away ones, which are written anew all the time.
fn keys(inventory: &Inventory) -> impl Iterator<Item = (&str, u64)> {
    let lasting = |name: &ObjectName| !matches!(name, ObjectName::Lock | ObjectName::Probe);
    let found = inventory.found.iter().filter(move |found| found.name.as_ref().is_some_and(lasting));
    found.map(|found| (found.object.key.as_str(), found.object.len))
}

/// Passes over the bucket: what is listed is moved, then what was written meanwhile.
struct Passes<'a> {
    bucket: &'a Arc<dyn Bucket>,
    parallel: usize,
    clock: Arc<dyn Clock>,
    seen: BTreeSet<String>,
    outcome: Outcome,
    /// When the last listing began, by the clock that counts from boot.
    listed: Duration,
    /// What turned up last had nothing that had to be moved.
    quiet: bool,
}

impl<'a> Passes<'a> {
    fn new(bucket: &'a Arc<dyn Bucket>, parallel: usize, store: &Store) -> Self {
        let clock = Arc::clone(&store.clock);
        let listed = clock.boot();
        Self {
            bucket,
            parallel,
            clock,
            seen: BTreeSet::new(),
            outcome: Outcome::default(),
            listed,
            quiet: false,
        }
    }

    fn failed(&self) -> bool {
        !self.outcome.failed.is_empty()
    }

    /// Begins with `inventory` and lists again until nothing new turns up that had to be moved.
    async fn run(&mut self, mut inventory: Inventory) -> Result<()> {
        let clock = Arc::clone(&self.clock);
        let mut progress = Progress::new("re-encrypting", clock.as_ref());
        self.quiet = false;
        for round in 0..MOST_PASSES {
            let new = self.unseen(&inventory);
            if new.is_empty() {
                self.quiet = true;
                return Ok(());
            }
            self.seen.extend(new.iter().cloned());
            let (before, total) = (self.outcome.done(), self.seen.len() as u64);
            let show = |done| progress.things(before + done, total, "object");
            let pass = move_all(self.bucket, new, self.parallel, show).await;
            let moved = pass.moved;
            self.outcome += pass;
            if self.failed() {
                return Ok(());
            }
            if round > 0 && moved == 0 {
                self.quiet = true;
                return Ok(());
            }
            inventory = self.list().await?;
        }
        Ok(())
    }

    /// Begins with what is there now.
    async fn run_again(&mut self) -> Result<()> {
        let inventory = self.list().await?;
        self.run(inventory).await
    }

    async fn list(&mut self) -> Result<Inventory> {
        self.listed = self.clock.boot();
        Ok(inventory::list(self.bucket.as_ref()).await?)
    }

    fn unseen(&self, inventory: &Inventory) -> Vec<String> {
        let new = keys(inventory).filter(|(key, _)| !self.seen.contains(*key));
        new.map(|(key, _)| key.to_owned()).collect()
    }
}

/// Who is writing, in words.
fn hosts(writers: &[Writer]) -> String {
    let hosts: BTreeSet<&str> = writers.iter().map(|writer| writer.host.as_str()).collect();
    if hosts.is_empty() {
        "it changed all the time".to_owned()
    } else {
        hosts.into_iter().collect::<Vec<_>>().join(", ")
    }
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
