//! Everything a mount needs to know but the secret: what the foreground hands to the background.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::{MountArgs, kernel};
use crate::cli::bucket_args::S3Args;
use crate::cli::encryption::SseArgs;
use crate::cli::exit::{Exit, refuse};
use crate::cli::paths;
use crate::fuse;

/// A mount to be made. All paths are absolute.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MountOrder {
    pub bucket: String,
    pub mountpoint: PathBuf,
    pub s3: S3Args,
    /// Only what this mount writes; sound.
    pub sse: SseArgs,
    /// Mount options, separated by commas; all of them known.
    pub options: String,
    pub read_only: bool,
    pub single_writer: bool,
    /// The folder below which each volume has a folder of its own.
    pub cache_root: PathBuf,
    pub cache_size: u64,
    pub memory: u64,
    pub commit_interval_secs: u64,
}

impl MountOrder {
    /// Takes the arguments together and looks at the mount point.
    ///
    /// # Errors
    /// `Usage` for a mount point that is no directory; `AlreadyMounted`.
    pub fn new(args: &MountArgs) -> Result<Self> {
        let mountpoint = check_mountpoint(&args.mountpoint)?;
        let options = kernel_options(args);
        let config = kernel::config("", &options)?;
        let cache_root = match &args.cache_dir {
            Some(folder) => std::path::absolute(folder)?,
            None => paths::cache_root()?,
        };
        Ok(Self {
            bucket: args.bucket.to_string(),
            mountpoint,
            s3: args.s3.clone(),
            sse: checked(args)?,
            read_only: config.read_only,
            options,
            single_writer: args.single_writer,
            cache_root,
            cache_size: args.cache_size,
            memory: args.memory,
            commit_interval_secs: args.commit_interval,
        })
    }
}

/// The mount options among the arguments, separated by commas.
fn kernel_options(args: &MountArgs) -> String {
    let mut words: Vec<&str> =
        args.options.iter().map(String::as_str).filter(|word| kernel::knows(word)).collect();
    let flags = [(args.read_only, "ro"), (args.allow_other, "allow_other"), (args.allow_root, "allow_root")];
    // Behind the others: mount(8) adds rw of its own accord, and the last one wins.
    words.extend(flags.iter().filter(|(given, _)| *given).map(|(_, word)| word));
    words.join(",")
}

/// What the mount options mean.
///
/// # Errors
/// The first option that is not known.
pub fn kernel_config(args: &MountArgs) -> Result<fuse::MountConfig> {
    kernel::config("", &kernel_options(args))
}

/// What the user wants of the server, so that a mistake is told before anything happens.
fn checked(args: &MountArgs) -> Result<SseArgs> {
    if args.sse.chosen_for(&args.bucket, &args.s3)?.is_some() && args.read_only {
        let why = "--sse is for what is written, and a read-only mount writes nothing";
        return Err(refuse(Exit::Usage, why));
    }
    Ok(args.sse.clone())
}

/// The canonical mount point: an existing directory on which nothing of ours is mounted.
fn check_mountpoint(path: &Path) -> Result<PathBuf> {
    let show = path.display();
    kernel::let_unmount(&std::path::absolute(path)?)?;
    let canonical = paths::canonical_mountpoint(path).map_err(|error| {
        refuse(Exit::Usage, format!("the mount point {show}: {error}; make the directory first"))
    })?;
    // Other filesystems can be covered: a mount point may be the root of a disk.
    if let Some(mount) = kernel::mounted_at(&canonical)?.filter(fuse::MountInfo::is_ours) {
        return Err(refuse(
            Exit::AlreadyMounted,
            format!(
                "{} is mounted at {show} already; look at it with `hushfs status {show}`, take it away with `hushfs \
                 unmount {show}`",
                mount.source
            ),
        ));
    }
    let status = canonical.metadata().with_context(|| format!("the mount point {show}"))?;
    if !status.is_dir() {
        return Err(refuse(Exit::Usage, format!("the mount point {show} is not a directory")));
    }
    Ok(canonical)
}
