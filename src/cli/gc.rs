//! `hushfs gc`: deletes what nothing needs.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

use super::bucket_args::BucketArgs;
use super::exit::Exit;
use super::opening::{Opened, host_name, open_volume};
use super::progress::Progress;
use super::size::{count, show_size};
use super::unlock::UnlockArgs;
use super::{logging, runtime, single_writer};
use crate::base::SystemClock;
use crate::keyring::{LocalError, VolumeLock};
use crate::volume::{Environment, GcReport, gc};

const EXAMPLES: &str = "\
Examples:
  hushfs gc --dry-run s3://my-bucket/home
  hushfs gc file:///srv/bucket --passphrase-file ~/.hushfs-pass";

/// Delete objects that nothing needs any more
///
/// Marks everything that the current state, snapshots and other machines' mounts need, rewrites segments
/// that are mostly dead, and deletes the rest. What other machines may still read is only marked and
/// deleted by a later run, when the grace period is over.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct GcArgs {
    #[command(flatten)]
    bucket: BucketArgs,
    /// Only say what would be deleted
    #[arg(long)]
    dry_run: bool,
    /// Hours that dead objects stay for other machines' readers [default: 24, or 0 when no other machine
    /// has the volume mounted]
    #[arg(long, value_name = "HOURS")]
    grace: Option<u32>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    unlock: UnlockArgs,
}

/// Runs the collection and prints its report.
///
/// # Errors
/// `InUse` where a single-writer volume is locked elsewhere; those of the volume.
pub fn run(args: &GcArgs) -> Result<Exit> {
    logging::start(logging::COMMAND);
    let report = runtime::start()?.block_on(collect(args))?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", describe(&report, args.dry_run));
    }
    Ok(Exit::Success)
}

async fn collect(args: &GcArgs) -> Result<GcReport> {
    let opened =
        open_volume(&args.bucket.bucket, &args.bucket.s3, |volume| args.unlock.credential(volume)).await?;
    let lock = lock_on_this_machine(&opened)?;
    let mounted_here = lock.is_none();
    if !opened.unlocked.settings().single_writer || args.dry_run || mounted_here {
        return sweep(args, &opened.environment(opened.store.patient()), mounted_here).await;
    }
    let (held, bucket) = single_writer::hold(
        opened.store.patient(),
        Arc::clone(&opened.store.clock),
        opened.machine(),
        &format!("{} (gc)", host_name()),
    )
    .await?;
    let report = sweep(args, &opened.environment(Arc::new(bucket)), mounted_here).await;
    held.release().await;
    report
}

/// `None` when a mount on this machine has the volume, which gc may run beside.
fn lock_on_this_machine(opened: &Opened) -> Result<Option<VolumeLock>> {
    match opened.keyring.lock_volume(opened.unlocked.volume()) {
        Ok(lock) => Ok(Some(lock)),
        Err(LocalError::AlreadyMounted { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn sweep(args: &GcArgs, environment: &Environment, mounted_here: bool) -> Result<GcReport> {
    let clock = SystemClock;
    let progress = Mutex::new(Progress::new("gc", &clock));
    let show = |done, total| {
        if let Ok(mut progress) = progress.lock() {
            progress.things(done, total, "object");
        }
    };
    let grace = args.grace.map(|hours| Duration::from_secs(u64::from(hours) * 3600));
    gc(environment, args.dry_run, grace, mounted_here, &show)
        .await
        .with_context(|| format!("collecting garbage in {}", args.bucket.bucket))
}

fn describe(report: &GcReport, dry_run: bool) -> String {
    let verb = if dry_run { "would delete" } else { "deleted" };
    let mut text = format!(
        "{verb} {} ({}); {} ({}) stay\n",
        count(report.objects, "object"),
        show_size(report.bytes),
        count(report.kept_objects, "object"),
        show_size(report.kept_bytes)
    );
    if report.rewritten_bytes > 0 {
        text.push_str(&format!("rewrote {} of mostly dead segments\n", show_size(report.rewritten_bytes)));
    }
    if report.condemned > 0 {
        text.push_str(&format!(
            "{} may still be read by other machines; a gc after the grace period deletes them\n",
            count(report.condemned, "object")
        ));
    }
    text
}
