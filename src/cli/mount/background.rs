//! A mount in the background: this program starts itself anew, without fork.
//!
//! The child gets its order and, when it asks, the credential over its standard input, and reports over
//! its standard output: one JSON object per line. Its standard error is the log file. The parent waits
//! for "mounted" or the failure, so its exit code is the mount's.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Stdout, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use rustix::process::setsid;
use serde::{Deserialize, Serialize};

use super::order::MountOrder;
use super::process::{self, Front};
use crate::cli::exit::{Exit, refuse};
use crate::cli::unlock::{Challenge, RawCredential, UnlockArgs};
use crate::cli::{classify, logging, paths, report};

/// The hidden command that the child is started with.
pub const COMMAND: &str = "mount-in-background";
/// A log file that is longer than this at the start of a mount is put aside once.
const MAX_LOG: u64 = 8 << 20;

/// What the child tells.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "kebab-case")]
pub(super) enum Report {
    NeedsCredential { challenge: Challenge },
    Warning { text: String },
    Mounted,
    Failed { exit: Exit, message: String },
}

/// Starts the child and stays with it until the directory can be used.
///
/// # Errors
/// The child's failure, with its exit code.
pub fn start(order: &MountOrder, unlock: &UnlockArgs, log_file: Option<&Path>) -> Result<Exit> {
    let log_path = match log_file {
        Some(path) => std::path::absolute(path)?,
        None => default_log(&order.mountpoint)?,
    };
    let log = open_log(&log_path).with_context(|| format!("the log file {}", log_path.display()))?;
    let mut child = Command::new(std::env::current_exe().context("finding this program")?)
        .args([COMMAND.as_ref(), order.bucket.as_ref(), order.mountpoint.as_os_str()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .context("starting the mount in the background")?;
    attend(&mut child, order, unlock, &log_path)
}

/// Hands over what the child needs and repeats what it reports.
fn attend(child: &mut Child, order: &MountOrder, unlock: &UnlockArgs, log_path: &Path) -> Result<Exit> {
    let mut input = child.stdin.take().context("no pipe to the background")?;
    let output = child.stdout.take().context("no pipe from the background")?;
    let mut line = serde_json::to_vec(order)?;
    line.push(b'\n');
    input.write_all(&line).context("handing the order to the background")?;
    for line in BufReader::new(output).lines() {
        let line = line.context("listening to the background")?;
        match serde_json::from_str(&line).with_context(|| format!("the background reports {line:?}"))? {
            Report::NeedsCredential { challenge } => {
                let credential = unlock.credential(&challenge)?;
                credential.send(&mut input).context("handing the key to the background")?;
            }
            Report::Warning { text } => eprintln!("hushfs: warning: {}.", report::tame(&text, false)),
            Report::Mounted => return Ok(Exit::Success),
            Report::Failed { exit, message } => {
                child.wait().context("the background's end")?;
                report::print(exit, &message);
                return Ok(exit);
            }
        }
    }
    let status = child.wait().context("the background's end")?;
    Err(refuse(
        Exit::Failure,
        format!("the mount in the background ended ({status}) without a word; see {}", log_path.display()),
    ))
}

/// The child's side: takes the order, mounts, serves until it is unmounted.
///
/// # Errors
/// Only when the parent cannot be told; the mount's own failures are reported to it.
pub fn serve() -> Result<Exit> {
    logging::start(logging::MOUNT);
    // A group leader cannot begin a session; started from a shell by hand it is one.
    setsid().context("beginning a session of its own")?;
    let input = File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let mut parent = Parent { input, output: std::io::stdout() };
    let order = parent.order()?;
    match process::serve(&order, &mut parent) {
        Ok(exit) => Ok(exit),
        Err(error) => {
            let (exit, message) = (classify::classify(&error), report::describe(&error));
            log::error!("{message}");
            parent.report(&Report::Failed { exit, message })?;
            Ok(exit)
        }
    }
}

/// The parent, as the child sees it. Its input is not buffered: a buffer would keep a copy of the secret.
struct Parent {
    input: File,
    output: Stdout,
}

impl Parent {
    fn order(&mut self) -> Result<MountOrder> {
        let mut line = Vec::new();
        let mut byte = [0; 1];
        while self.input.read(&mut byte)? == 1 && byte != *b"\n" {
            line.push(byte[0]);
        }
        serde_json::from_slice(&line).context("`hushfs mount` starts this command, nobody else")
    }

    fn report(&mut self, report: &Report) -> Result<()> {
        let mut line = serde_json::to_vec(report)?;
        line.push(b'\n');
        self.output.write_all(&line)?;
        self.output.flush().context("the mount command has gone away")
    }
}

impl Front for Parent {
    fn credential(&mut self, challenge: &Challenge) -> Result<RawCredential> {
        self.report(&Report::NeedsCredential { challenge: challenge.clone() })?;
        RawCredential::receive(&mut self.input).context("no key came")
    }

    fn warn(&mut self, text: &str) -> Result<()> {
        log::warn!("{text}");
        self.report(&Report::Warning { text: text.to_owned() })
    }

    fn mounted(&mut self) -> Result<()> {
        self.report(&Report::Mounted)?;
        // Whatever is left of the caller's session is not held on to.
        let mut rest = [0; 1];
        if self.input.read(&mut rest).context("the end of the order")? != 0 {
            bail!("the order goes on after its end");
        }
        std::env::set_current_dir("/").context("leaving the working directory")
    }
}

/// `log/` and the mount point with dashes for slashes.
fn default_log(mountpoint: &Path) -> Result<PathBuf> {
    let folder = paths::state_root()?.join("log");
    paths::private_folder(&folder).with_context(|| format!("the folder of logs {}", folder.display()))?;
    let mut name = mountpoint.to_string_lossy().trim_matches('/').replace('/', "-");
    if name.len() > 200 {
        name = paths::short_name(mountpoint.as_os_str());
    }
    Ok(folder.join(format!("{name}.log")))
}

fn open_log(path: &Path) -> std::io::Result<File> {
    if path.metadata().is_ok_and(|status| status.is_file() && status.len() > MAX_LOG) {
        std::fs::rename(path, path.with_extension("log.old"))?;
    }
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}
