//! The asking side.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::message::{Collected, MountStatus, Outcome, Reply, Request, Waiting};
use super::socket;
use crate::cli::exit::{Exit, refuse};
use crate::cli::mount::kernel;

/// A conversation with one mount.
pub struct Connection {
    stream: BufReader<UnixStream>,
}

impl Connection {
    /// Connects to the mount at `mountpoint` (canonical), wherever it was mounted first; `None` when no process
    /// serves it.
    ///
    /// # Errors
    /// `Denied` when it belongs to somebody else.
    pub fn open(mountpoint: &Path) -> Result<Option<Self>> {
        if let Some(connection) = Self::named(mountpoint)? {
            return Ok(Some(connection));
        }
        match kernel::mounted_at(mountpoint)? {
            Some(mount) if mount.is_ours() => Self::serving(&mount.device),
            Some(_) | None => Ok(None),
        }
    }

    /// Connects to whoever serves the filesystem `device`.
    fn serving(device: &str) -> Result<Option<Self>> {
        for stream in socket::live_sockets().context("looking for the mount")? {
            match Self::new(stream).status() {
                Ok(status) if status.device == device => return Self::named(&status.mountpoint),
                Ok(_) => {}
                Err(error) => log::debug!("a mount does not answer: {error:#}"),
            }
        }
        Ok(None)
    }

    /// Connects to the mount that was made at `mountpoint`.
    fn named(mountpoint: &Path) -> Result<Option<Self>> {
        match socket::connect(mountpoint) {
            Ok(stream) => Ok(stream.map(Self::new)),
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Err(refuse(
                Exit::Denied,
                format!("the mount at {} belongs to another user", mountpoint.display()),
            )),
            Err(error) => Err(error).with_context(|| format!("asking the mount at {}", mountpoint.display())),
        }
    }

    /// Talks over a stream that is connected already.
    pub fn new(stream: UnixStream) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    /// Asks for the status.
    ///
    /// # Errors
    /// When the process goes away or answers something else.
    pub fn status(mut self) -> Result<MountStatus> {
        self.send(&Request::Status)?;
        match self.receive()? {
            Reply::Status(status) => Ok(*status),
            Reply::Finished(outcome) => bail!("{}", outcome.message),
            Reply::Progress(_) | Reply::Steps { .. } | Reply::Collected(_) | Reply::Keys(_) => unexpected(),
        }
    }

    /// Gives an order and shows its progress until it ends.
    ///
    /// # Errors
    /// When the process goes away before it answered.
    pub fn order(mut self, request: &Request, mut show: impl FnMut(&Waiting)) -> Result<Outcome> {
        self.send(request)?;
        loop {
            match self.receive()? {
                Reply::Progress(waiting) => show(&waiting),
                Reply::Finished(outcome) => return Ok(outcome),
                Reply::Status(_) | Reply::Steps { .. } | Reply::Collected(_) | Reply::Keys(_) => {
                    return unexpected();
                }
            }
        }
    }

    /// Has the mount collect garbage.
    ///
    /// # Errors
    /// The mount's own failure, with its exit code; when the process goes away.
    pub fn collect(mut self, request: &Request, mut show: impl FnMut(u64, u64)) -> Result<Collected> {
        self.send(request)?;
        loop {
            match self.receive()? {
                Reply::Steps { done, total } => show(done, total),
                Reply::Collected(report) => return Ok(report),
                Reply::Finished(outcome) => return Err(refuse(outcome.exit, outcome.message)),
                Reply::Status(_) | Reply::Progress(_) | Reply::Keys(_) => return unexpected(),
            }
        }
    }

    pub(super) fn send(&mut self, request: &Request) -> Result<()> {
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        Ok(self.stream.get_mut().write_all(&line).map_err(Gone::from)?)
    }

    pub(super) fn receive(&mut self) -> Result<Reply> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).map_err(Gone::from)? == 0 {
            return Err(Gone::from(std::io::Error::from(std::io::ErrorKind::UnexpectedEof)).into());
        }
        serde_json::from_str(&line).with_context(|| format!("the mount answered {:?}", line.trim_end()))
    }
}

/// The process of the mount went away before it had answered.
#[derive(Debug, thiserror::Error)]
#[error("the mount's process ended before it answered; see its log")]
pub struct Gone {
    #[from]
    source: std::io::Error,
}

pub(super) fn unexpected<T>() -> Result<T> {
    bail!("the mount answered something else than it was asked")
}
