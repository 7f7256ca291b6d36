//! `hushfs quota`: shows and sets how much a volume may hold.

use std::fmt::Write;

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;

use super::bucket_args::S3Args;
use super::control::{Request, SpaceStatus};
use super::encryption::{SseArgs, note_mount_writes};
use super::exit::{Exit, refuse};
use super::maintenance::{Here, Session, connect};
use super::opening::open_volume;
use super::size::{count, show_size, size_parser};
use super::unlock::{Challenge, UnlockArgs};
use super::{logging, runtime};
use crate::object::Location;
use crate::volume::{Volume, VolumeError};

const EXAMPLES: &str = "\
Examples:
  hushfs quota s3://my-bucket/home
  hushfs quota file:///srv/bucket --set 100G --set-inodes 1000000
  hushfs quota file:///srv/bucket --set 0   (no limit)";

/// Show or set how much a volume may hold
///
/// Counted are the bytes of files before compression (holes are free, a shared copy counts twice) and the
/// number of files and folders, over all machines. Over the quota, what would grow fails with ENOSPC; what is
/// there stays. Works while the volume is mounted, here or elsewhere.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct QuotaArgs {
    /// s3://bucket[/prefix] or file:///folder
    #[arg(value_name = "BUCKET")]
    bucket: Location,
    /// What files may hold from now on; 0 for no limit
    #[arg(long, value_name = "BYTES", value_parser = size_parser())]
    set: Option<u64>,
    /// How many files and folders there may be from now on; 0 for no limit
    #[arg(long, value_name = "N")]
    set_inodes: Option<u64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    sse: SseArgs,
    #[command(flatten)]
    s3: S3Args,
    #[command(flatten)]
    unlock: UnlockArgs,
}

/// What is used, and what of. 0 stands for no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Usage {
    bytes: u64,
    quota_bytes: u64,
    inodes: u64,
    quota_inodes: u64,
}

/// Sets what is to be set, then shows what is.
///
/// # Errors
/// `InUse` where the volume cannot be written from here; those of the volume.
pub fn run(args: &QuotaArgs) -> Result<Exit> {
    logging::start(logging::COMMAND);
    let usage = set_and_show(args).with_context(|| format!("the quota of {}", args.bucket))?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&usage)?);
    } else {
        print!("{}", describe(&usage)?);
    }
    Ok(Exit::Success)
}

fn set_and_show(args: &QuotaArgs) -> Result<Usage> {
    let chosen = args.sse.chosen_for(&args.bucket, &args.s3)?;
    let runtime = runtime::start()?;
    let ask = |challenge: &Challenge| args.unlock.credential(challenge);
    let mut opened = runtime.block_on(open_volume(&args.bucket, &args.s3, ask))?;
    let _lock = match runtime.block_on(Here::find(&opened))? {
        Here::Free(lock) => lock,
        Here::Mounted(volume) => {
            note_mount_writes(chosen.as_ref());
            return through_mount(args, &volume.to_string());
        }
    };
    runtime.block_on(opened.write_as(chosen, &args.s3))?;
    let session = runtime.block_on(Session::begin(&opened, !args.sets(), "quota"))?;
    let usage = apply(args, &session.volume);
    let ended = runtime.block_on(session.end());
    let usage = usage?;
    ended?;
    Ok(usage)
}

fn apply(args: &QuotaArgs, volume: &Volume) -> Result<Usage, VolumeError> {
    if args.sets() {
        volume.set_quota(args.set, args.set_inodes)?;
    }
    let status = volume.status();
    Ok(Usage {
        bytes: status.allocated,
        quota_bytes: status.quota_bytes,
        inodes: status.inodes,
        quota_inodes: status.quota_inodes,
    })
}

/// The mount on this machine knows best what is used, and writes for the machine.
fn through_mount(args: &QuotaArgs, volume: &str) -> Result<Usage> {
    if args.sets() {
        let request = Request::SetQuota { bytes: args.set, inodes: args.set_inodes };
        let outcome = connect(volume)?.order(&request, |_| ())?;
        if outcome.exit != Exit::Success {
            return Err(refuse(outcome.exit, outcome.message));
        }
    }
    Ok(connect(volume)?.status()?.space.into())
}

impl QuotaArgs {
    fn sets(&self) -> bool {
        self.set.is_some() || self.set_inodes.is_some()
    }
}

impl From<SpaceStatus> for Usage {
    fn from(space: SpaceStatus) -> Self {
        Self {
            bytes: space.bytes,
            quota_bytes: space.quota_bytes,
            inodes: space.inodes,
            quota_inodes: space.quota_inodes,
        }
    }
}

fn describe(usage: &Usage) -> Result<String> {
    let limit =
        |quota, shown: String| if quota == 0 { "no limit".to_owned() } else { format!("limit {shown}") };
    let mut text = String::new();
    let bytes = limit(usage.quota_bytes, show_size(usage.quota_bytes));
    writeln!(text, "bytes   {} used, {bytes}", show_size(usage.bytes))?;
    let inodes = limit(usage.quota_inodes, count(usage.quota_inodes, "inode"));
    writeln!(text, "inodes  {} used, {inodes}", count(usage.inodes, "inode"))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_shown_beside_what_is_used() {
        let usage = Usage { bytes: 1536, quota_bytes: 1 << 20, inodes: 1, quota_inodes: 0 };
        let shown = describe(&usage).unwrap();
        assert_eq!(shown, "bytes   1.5 KiB used, limit 1.0 MiB\ninodes  1 inode used, no limit\n");
    }
}
