//! `hushfs status`: what the mounts of this machine are doing.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;

use super::control::{Connection, EncryptionStatus, MountStatus, SpaceStatus, live_sockets};
use super::exit::{Exit, refuse};
use super::progress::describe;
use super::size::{count, show_size};
use super::unlock::IgnoredUnlockArgs;
use super::{logging, paths};
use crate::object::LinkStatus;

const EXAMPLES: &str = "\
Examples:
  hushfs status
  hushfs status --json ~/sealed | jq .waiting.bytes";

/// Show volume, health, what is waiting, caches and requests
///
/// Without MOUNTPOINT: of every mount of this user. The JSON form is one object with a MOUNTPOINT and
/// a list without.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct StatusArgs {
    mountpoint: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    ignored: IgnoredUnlockArgs,
}

/// Asks and prints.
///
/// # Errors
/// `NotMounted` when a mount point was named and nobody serves it.
pub fn run(args: &StatusArgs) -> Result<Exit> {
    logging::start(logging::COMMAND);
    match &args.mountpoint {
        Some(mountpoint) => {
            let status = of(mountpoint)?;
            print!("{}", if args.json { json(&status)? } else { describe_mount(&status)? });
        }
        None => {
            let all = of_all()?;
            print!("{}", if args.json { json(&all)? } else { describe_all(&all)? });
        }
    }
    Ok(Exit::Success)
}

fn of(mountpoint: &Path) -> Result<MountStatus> {
    let mountpoint = paths::canonical_mountpoint(mountpoint)
        .map_err(|error| refuse(Exit::NotMounted, format!("{}: {error}", mountpoint.display())))?;
    match Connection::open(&mountpoint)? {
        Some(connection) => connection.status(),
        None => Err(refuse(Exit::NotMounted, format!("no hushfs is mounted at {}", mountpoint.display()))),
    }
}

/// Every mount of this user.
///
/// # Errors
/// When the folders of the sockets cannot be read.
pub fn of_all() -> Result<Vec<MountStatus>> {
    let mut all = Vec::new();
    for stream in live_sockets().context("looking for mounts")? {
        match Connection::new(stream).status() {
            Ok(status) => all.push(status),
            // It may just have been unmounted.
            Err(error) => log::warn!("a mount does not answer: {error:#}"),
        }
    }
    all.sort_by(|a, b| a.mountpoint.cmp(&b.mountpoint));
    Ok(all)
}

fn json(value: &impl serde::Serialize) -> Result<String> {
    Ok(format!("{}\n", serde_json::to_string_pretty(value)?))
}

fn describe_all(all: &[MountStatus]) -> Result<String> {
    if all.is_empty() {
        return Ok("no hushfs is mounted\n".to_owned());
    }
    let texts = all.iter().map(describe_mount).collect::<Result<Vec<_>>>()?;
    Ok(texts.join("\n"))
}

fn describe_space(space: &SpaceStatus) -> String {
    let of = |quota, shown: String| if quota == 0 { String::new() } else { format!(" of {shown}") };
    format!(
        "{}{}, {}{}",
        count(space.inodes, "inode"),
        of(space.quota_inodes, space.quota_inodes.to_string()),
        show_size(space.bytes),
        of(space.quota_bytes, show_size(space.quota_bytes))
    )
}

/// What is asked of the server, what it says, and what objects may have beside that.
fn describe_encryption(encryption: &EncryptionStatus) -> String {
    let mut text = match &encryption.bucket_default {
        Some(default) => format!("the bucket's default ({default})"),
        None => encryption.asked.clone(),
    };
    let says = encryption
        .server_says
        .iter()
        .map(|said| format!("{} to {}", said.words, count(said.answers, "write")));
    let says: Vec<String> = says.collect();
    if !says.is_empty() {
        text.push_str(&format!("; the server says {}", says.join(", ")));
    }
    if !encryption.also_read.is_empty() {
        text.push_str(&format!("; older objects may have {}", encryption.also_read.join(", ")));
    }
    text
}

/// Where it is shown: it may have been detached, moved, or bound elsewhere since it was mounted.
fn describe_places(status: &MountStatus) -> String {
    let first = std::slice::from_ref(&status.mountpoint);
    let places = status.places.as_deref().unwrap_or(first);
    if places.is_empty() {
        return format!("detached from {}, still used", status.mountpoint.display());
    }
    let shown: Vec<_> = places.iter().map(|place| place.display().to_string()).collect();
    format!("on {}", shown.join(" and "))
}

fn describe_mount(status: &MountStatus) -> Result<String> {
    let mut text = String::new();
    let mode = match (status.read_only, status.single_writer) {
        (true, _) => ", read-only",
        (false, true) => ", single writer",
        (false, false) => "",
    };
    writeln!(text, "{} {} (process {}{mode})", status.bucket, describe_places(status), status.pid)?;
    let label = if status.label.is_empty() { String::new() } else { format!(" {:?}", status.label) };
    writeln!(text, "  volume       {}{label}", status.volume)?;
    writeln!(text, "  fingerprint  {}", status.fingerprint)?;
    if status.link != LinkStatus::None {
        writeln!(text, "  connection   {}", status.link)?;
    }
    let problem = status.waiting.problem.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
    writeln!(text, "  health       {}{problem}", status.health)?;
    writeln!(text, "  waiting      {}", describe(&status.waiting))?;
    writeln!(
        text,
        "  last commit  {} ({} seconds ago), checkpoint {}, tail of {}",
        status.log.last_commit,
        status.log.seconds_since_commit,
        status.log.checkpoint,
        count(status.log.tail_entries, "commit")
    )?;
    writeln!(text, "  holds        {}", describe_space(&status.space))?;
    if status.encryption.bucket_default.is_some() || status.encryption.asked != "bucket" {
        writeln!(text, "  at rest      {}", describe_encryption(&status.encryption))?;
    }
    let cache = &status.cache;
    writeln!(
        text,
        "  cache        {} in memory, {} of {} on disk, {} spooled; found {} in memory, {} on disk, {} in the bucket",
        show_size(cache.memory_bytes),
        show_size(cache.disk_bytes),
        show_size(cache.disk_limit),
        show_size(cache.spooled_bytes),
        cache.hits_memory,
        cache.hits_disk,
        cache.misses
    )?;
    let requests = &status.requests;
    writeln!(
        text,
        "  requests     {} ({} get, {} put, {} head, {} list, {} delete), {} up, {} down, {} failed, {} repeated",
        requests.total,
        requests.gets,
        requests.puts,
        requests.heads,
        requests.lists,
        requests.deletes,
        show_size(requests.bytes_up),
        show_size(requests.bytes_down),
        requests.errors,
        requests.retries
    )?;
    if requests.throttled > 0 {
        let (all, kms) = (requests.throttled, requests.throttled_by_kms);
        writeln!(text, "  throttled    {all} of the failed ones, {kms} of them by the key service (KMS)")?;
    }
    for conflict in &status.conflicts {
        writeln!(text, "  conflict     {conflict}")?;
    }
    Ok(text)
}
