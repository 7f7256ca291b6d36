//! `hushfs fsck`: verifies a volume from the outside.

use anyhow::{Context, Result};
use clap::Args;
use parking_lot::Mutex;

use super::bucket_args::S3Args;
use super::exit::Exit;
use super::opening::open_volume;
use super::progress::Progress;
use super::size::{count, show_size};
use super::unlock::{Challenge, UnlockArgs};
use super::{logging, runtime};
use crate::base::SystemClock;
use crate::object::Location;
use crate::volume::{FsckReport, Volume, fsck};

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
    /// s3://bucket[/prefix] or file:///folder
    #[arg(value_name = "BUCKET")]
    bucket: Location,
    /// Open every chunk of every file, too: reads all data of the volume
    #[arg(long)]
    data: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    s3: S3Args,
    #[command(flatten)]
    unlock: UnlockArgs,
}

/// Runs the check and prints its report.
///
/// # Errors
/// What keeps the check from running at all; problems found are no error but an exit code.
pub fn run(args: &FsckArgs) -> Result<Exit> {
    logging::start(logging::COMMAND);
    let report = check(args).with_context(|| format!("checking {}", args.bucket))?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", describe(&report, args.data));
    }
    Ok(if report.problem_count == 0 { Exit::Success } else { Exit::ProblemsFound })
}

fn check(args: &FsckArgs) -> Result<FsckReport> {
    let runtime = runtime::start()?;
    let ask = |challenge: &Challenge| args.unlock.credential(challenge);
    let opened = runtime.block_on(open_volume(&args.bucket, &args.s3, ask))?;
    let environment = {
        let _inside = runtime.enter();
        opened.reading(opened.store.patient())
    };
    let volume = runtime.block_on(Volume::open(environment, opened.volume_options(true)))?;
    let clock = SystemClock;
    let progress = Mutex::new(Progress::new("fsck", &clock));
    let report = fsck(&volume, args.data, &|done, total| progress.lock().things(done, total, "segment"));
    drop(progress);
    runtime.block_on(volume.close())?;
    Ok(report?)
}

fn describe(report: &FsckReport, data: bool) -> String {
    let opened =
        if data { format!("{} opened", report.frames) } else { "not opened; --data does that".to_owned() };
    let mut text = format!(
        "log entries  {}\ntree         {} in {}\ninodes       {}\nnames        {}\nsegments     {}\nchunks       {} ({opened})\nobjects      {}\n",
        report.entries,
        count(report.nodes, "node"),
        count(report.packs, "pack"),
        report.inodes,
        report.dentries,
        report.segments,
        report.chunks,
        show_size(report.bytes),
    );
    if report.stray_objects > 0 {
        let strays = count(report.stray_objects, "object");
        text.push_str(&format!("{strays} not needed any more (gc deletes them)\n"));
    }
    if report.foreign_objects > 0 {
        text.push_str(&format!("{} not hushfs's\n", count(report.foreign_objects, "object")));
    }
    for problem in &report.problems {
        text.push_str(&format!("PROBLEM: {problem}\n"));
    }
    match report.problem_count {
        0 => text.push_str("clean\n"),
        found => text.push_str(&format!("{} found\n", count(found, "problem"))),
    }
    text
}
