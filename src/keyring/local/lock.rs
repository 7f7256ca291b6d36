//! One writer of a volume on this machine at a time.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::PathBuf;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::error::LocalError;
use super::private_dir::PrivateDir;
use crate::base::VolumeId;

/// Most bytes of a lock file that are looked at: a process id and the word behind it.
const MAX_LEN: u64 = 32;
/// Stands behind the process id once nothing is mounted any more.
const LEAVING: &str = "leaving";

/// An exclusive lock on a volume, held until dropped or until the process ends, however it ends.
///
/// The lock is the kernel's (`flock`), so a file left behind by a crash locks nothing. The file is never
/// removed: removing it could leave two holders, each with a lock on a file of the same name.
pub struct VolumeLock {
    file: File,
}

/// How an attempt at the lock ended.
pub enum Attempt {
    Held(VolumeLock),
    /// Another process has it.
    Contended(Contender),
}

/// Who wants a lock that another process has.
pub struct Contender {
    file: File,
    path: PathBuf,
}

/// What the file tells of the process that holds the lock. Nothing depends on it but how long others wait and what
/// they say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    pub pid: Option<u32>,
    /// What it had mounted is gone; it stores what is left and ends.
    pub leaving: bool,
}

impl VolumeLock {
    pub(super) fn attempt(dir: &PrivateDir, volume: VolumeId) -> Result<Attempt, LocalError> {
        let name = format!("{volume}.lock");
        let contender = Contender { file: dir.open_or_create(&name)?, path: dir.path_of(&name) };
        match flock(&contender.file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => contender.sign().map(Attempt::Held),
            Err(Errno::WOULDBLOCK) => Ok(Attempt::Contended(contender)),
            Err(error) => Err(contender.failed("lock", error.into())),
        }
    }

    /// Tells others that they need not wait for long: nothing is mounted any more.
    ///
    /// # Errors
    /// When the file cannot be written; the lock is held as before.
    pub fn leave(&self) -> std::io::Result<()> {
        write(&self.file, &format!("{} {LEAVING}\n", std::process::id()))
    }
}

impl Contender {
    /// What the holder says of itself; `None` when it says nothing that can be read.
    pub fn holder(&self) -> Option<Holder> {
        let mut file = &self.file;
        let mut text = String::new();
        file.rewind().and_then(|()| file.take(MAX_LEN).read_to_string(&mut text)).ok()?;
        let mut words = text.split_whitespace();
        let pid = words.next().and_then(|word| word.parse().ok());
        Some(Holder { pid, leaving: words.next() == Some(LEAVING) })
    }

    /// Waits until the holder has let go, however long that takes.
    ///
    /// # Errors
    /// `Io`.
    pub fn wait(self) -> Result<VolumeLock, LocalError> {
        loop {
            match flock(&self.file, FlockOperation::LockExclusive) {
                Ok(()) => return self.sign(),
                Err(Errno::INTR) => {}
                Err(error) => return Err(self.failed("lock", error.into())),
            }
        }
    }

    /// The same lock, to be asked about while another thread waits.
    ///
    /// # Errors
    /// `Io`.
    pub fn try_clone(&self) -> Result<Self, LocalError> {
        let file = self.file.try_clone().map_err(|error| self.failed("open", error))?;
        Ok(Self { file, path: self.path.clone() })
    }

    fn sign(self) -> Result<VolumeLock, LocalError> {
        write(&self.file, &format!("{}\n", std::process::id()))
            .map_err(|error| self.failed("write", error))?;
        Ok(VolumeLock { file: self.file })
    }

    fn failed(&self, operation: &'static str, source: std::io::Error) -> LocalError {
        LocalError::Io { operation, path: self.path.clone(), source }
    }
}

fn write(mut file: &File, text: &str) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(text.as_bytes())
}
