//! `hushfs gc`: deletes what nothing needs.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use parking_lot::Mutex;

use super::bucket_args::S3Args;
use super::control::{Collected, Request};
use super::encryption::{SseArgs, note_mount_writes};
use super::exit::Exit;
use super::maintenance::{Here, Session, connect};
use super::opening::open_volume;
use super::progress::Progress;
use super::size::{count, show_size};
use super::unlock::{Challenge, UnlockArgs};
use super::{logging, runtime};
use crate::base::SystemClock;
use crate::object::Location;
use crate::volume::{GcRequest, gc};

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
    /// s3://bucket[/prefix] or file:///folder
    #[arg(value_name = "BUCKET")]
    bucket: Location,
    /// Only say what would be deleted
    #[arg(long)]
    dry_run: bool,
    /// Hours that dead objects stay for other machines [default: 24, or 0 when no other machine has the volume
    /// mounted; 1 at least while one has, or never unmounted it]
    #[arg(long, value_name = "HOURS")]
    grace: Option<u32>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    sse: SseArgs,
    #[command(flatten)]
    s3: S3Args,
    #[command(flatten)]
    unlock: UnlockArgs,
}

/// Runs the collection and prints its report.
///
/// # Errors
/// `InUse` where somebody else has locked the volume; those of the volume.
pub fn run(args: &GcArgs) -> Result<Exit> {
    logging::start(logging::COMMAND);
    let report = collect(args).with_context(|| format!("collecting garbage in {}", args.bucket))?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", describe(&report, args.dry_run));
    }
    Ok(Exit::Success)
}

fn collect(args: &GcArgs) -> Result<Collected> {
    let chosen = args.sse.chosen_for(&args.bucket, &args.s3)?;
    let runtime = runtime::start()?;
    let ask = |challenge: &Challenge| args.unlock.credential(challenge);
    let mut opened = runtime.block_on(open_volume(&args.bucket, &args.s3, ask))?;
    let _lock = match runtime.block_on(Here::find(&opened))? {
        Here::Free(lock) => lock,
        Here::Mounted(volume) => {
            note_mount_writes(chosen.as_ref());
            return collect_by_mount(args, &volume.to_string());
        }
    };
    runtime.block_on(opened.write_as(chosen, &args.s3))?;
    let clock = SystemClock;
    let progress = Mutex::new(Progress::new("gc", &clock));
    let show = |done, total| progress.lock().things(done, total, "step");
    let request = GcRequest { dry_run: args.dry_run, grace: args.grace(), mounted_here: false };

    let session = runtime.block_on(Session::begin(&opened, args.dry_run, "gc"))?;
    let report = gc(&session.volume, request, &show);
    let ended = runtime.block_on(session.end());
    let report = report?;
    ended?;
    Ok(report.into())
}

/// The mount on this machine collects itself: it knows what it is about to write.
fn collect_by_mount(args: &GcArgs, volume: &str) -> Result<Collected> {
    let connection = connect(volume)?;
    let clock = SystemClock;
    let mut progress = Progress::new("gc", &clock);
    let grace_secs = args.grace().map(|grace| grace.as_secs());
    let request = Request::Gc { dry_run: args.dry_run, grace_secs };
    connection.collect(&request, |done, total| progress.things(done, total, "step"))
}

impl GcArgs {
    fn grace(&self) -> Option<Duration> {
        self.grace.map(|hours| Duration::from_secs(u64::from(hours) * 3600))
    }
}

fn describe(report: &Collected, dry_run: bool) -> String {
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
    if report.foreign > 0 {
        text.push_str(&format!("{} not hushfs's, left alone\n", count(report.foreign, "object")));
    }
    if report.condemned > 0 {
        text.push_str(&format!(
            "{} may still be needed by other machines, or by a commit that is still to come; a gc after the grace period (a \
             week for what no commit has named) deletes them\n",
            count(report.condemned, "object")
        ));
    }
    text
}
