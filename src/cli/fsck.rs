//! `hushfs fsck`: verifies a volume from the outside.

use std::sync::Mutex;

use anyhow::{Context, Result};
use clap::Args;

use super::bucket_args::BucketArgs;
use super::exit::Exit;
use super::opening::open_volume;
use super::progress::Progress;
use super::size::{count, show_size};
use super::unlock::UnlockArgs;
use super::{logging, runtime};
use crate::base::SystemClock;
use crate::volume::{FsckReport, fsck};

const EXAMPLES: &str = "\
Examples:
  hushfs fsck s3://my-bucket/home
  hushfs fsck --data file:///srv/bucket --passphrase-file ~/.hushfs-pass";

/// Verify every object that the volume needs
///
/// Reads the log and the tree, opens every node and compares what they refer to with what the bucket
/// holds. Changes nothing, and may run while the volume is mounted.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct FsckArgs {
    #[command(flatten)]
    bucket: BucketArgs,
    /// Open every chunk of every file, too: reads all data of the volume
    #[arg(long)]
    data: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    unlock: UnlockArgs,
}

/// Runs the check and prints its report.
///
/// # Errors
/// What keeps the check from running at all; problems found are no error but an exit code.
pub fn run(args: &FsckArgs) -> Result<Exit> {
    logging::start(logging::COMMAND);
    let report = runtime::start()?.block_on(check(args))?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", describe(&report, args.data));
    }
    Ok(if report.problems.is_empty() { Exit::Success } else { Exit::ProblemsFound })
}

async fn check(args: &FsckArgs) -> Result<FsckReport> {
    let location = &args.bucket.bucket;
    let opened = open_volume(location, &args.bucket.s3, |volume| args.unlock.credential(volume)).await?;
    let environment = opened.environment(opened.store.patient());
    let clock = SystemClock;
    let progress = Mutex::new(Progress::new("fsck", &clock));
    let show = |done, total| {
        if let Ok(mut progress) = progress.lock() {
            progress.things(done, total, "object");
        }
    };
    fsck(&environment, args.data, &show).await.with_context(|| format!("checking {location}"))
}

fn describe(report: &FsckReport, data: bool) -> String {
    let chunks = if data { "chunks opened" } else { "chunks (not opened; --data does)" };
    let mut text = format!(
        "log entries      {}\ntree packs       {} ({})\ninodes           {}\nsegments         {}\n{chunks}  {}\nbytes            {}\n",
        report.entries,
        report.packs,
        count(report.nodes, "node"),
        report.inodes,
        report.segments,
        report.chunks,
        show_size(report.bytes),
    );
    if report.stray_objects > 0 {
        text.push_str(&format!(
            "{} not needed (interrupted uploads or garbage); gc removes them\n",
            count(report.stray_objects, "object")
        ));
    }
    for problem in &report.problems {
        text.push_str(&format!("PROBLEM: {problem}\n"));
    }
    match report.problems.len() {
        0 => text.push_str("clean\n"),
        found => text.push_str(&format!("{} found\n", count(found as u64, "problem"))),
    }
    text
}
