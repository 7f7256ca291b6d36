//! Everything a mount needs to know but the secret: what the foreground hands to the background.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::options::MountOption;
use super::{MountArgs, kernel};
use crate::cli::bucket_args::S3Args;
use crate::cli::exit::{Exit, refuse};
use crate::cli::paths;

/// A mount to be made. All paths are absolute.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MountOrder {
    pub bucket: String,
    pub mountpoint: PathBuf,
    pub s3: S3Args,
    pub kernel: KernelOptions,
    pub single_writer: bool,
    /// The folder below which each volume has a folder of its own.
    pub cache_root: PathBuf,
    pub cache_size: u64,
    pub memory: u64,
    pub commit_interval_secs: u64,
}

/// What the kernel is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelOptions {
    pub read_only: bool,
    pub allow_other: bool,
    pub allow_root: bool,
    pub no_atime: bool,
    /// Device files work: only for root, who has to ask for it.
    pub dev: bool,
    /// Set-id bits work: only for root, who has to ask for it.
    pub suid: bool,
    pub no_exec: bool,
    pub dir_sync: bool,
    pub sync: bool,
}

impl MountOrder {
    /// Takes the arguments together and looks at the mount point.
    ///
    /// # Errors
    /// `Usage` for a mount point that is no directory; `AlreadyMounted`.
    pub fn new(args: &MountArgs) -> Result<Self> {
        let mountpoint = check_mountpoint(&args.mountpoint)?;
        let mut kernel = KernelOptions {
            read_only: args.read_only,
            allow_other: args.allow_other,
            allow_root: args.allow_root,
            ..KernelOptions::default()
        };
        for option in args.options.iter().filter_map(|word| MountOption::parse(word)) {
            kernel.set(option);
        }
        let cache_root = match &args.cache_dir {
            Some(folder) => std::path::absolute(folder)?,
            None => paths::cache_root()?,
        };
        Ok(Self {
            bucket: args.bucket.bucket.to_string(),
            mountpoint,
            s3: args.bucket.s3.clone(),
            kernel,
            single_writer: args.single_writer,
            cache_root,
            cache_size: args.cache_size,
            memory: args.memory,
            commit_interval_secs: args.commit_interval,
        })
    }
}

impl KernelOptions {
    fn set(&mut self, option: MountOption) {
        match option {
            MountOption::ReadOnly => self.read_only = true,
            MountOption::AllowOther => self.allow_other = true,
            MountOption::AllowRoot => self.allow_root = true,
            MountOption::NoAtime => self.no_atime = true,
            MountOption::Atime => self.no_atime = false,
            MountOption::Dev => self.dev = true,
            MountOption::NoDev => self.dev = false,
            MountOption::Suid => self.suid = true,
            MountOption::NoSuid => self.suid = false,
            MountOption::NoExec => self.no_exec = true,
            MountOption::Exec => self.no_exec = false,
            MountOption::DirSync => self.dir_sync = true,
            MountOption::Sync => self.sync = true,
            MountOption::Async => self.sync = false,
            // --read-only wins over rw, which mount(8) adds of its own accord.
            MountOption::ReadWrite | MountOption::Ignored => {}
        }
    }
}

/// The canonical mount point: an existing directory on which nothing of ours is mounted.
fn check_mountpoint(path: &Path) -> Result<PathBuf> {
    let show = path.display();
    let canonical = paths::canonical_mountpoint(path).map_err(|error| {
        refuse(Exit::Usage, format!("the mount point {show}: {error}; make the directory first"))
    })?;
    if kernel::is_mounted(&canonical)? {
        return Err(refuse(
            Exit::AlreadyMounted,
            format!(
                "a FUSE filesystem is mounted at {} already; look at it with `hushfs status {show}`, take it \
                 away with `hushfs unmount {show}`",
                canonical.display()
            ),
        ));
    }
    let status = canonical.metadata().with_context(|| format!("the mount point {show}"))?;
    if !status.is_dir() {
        return Err(refuse(Exit::Usage, format!("the mount point {show} is not a directory")));
    }
    Ok(canonical)
}
