//! One mount of a volume on this machine at a time.

use std::fs::File;
use std::io::{Read, Seek, Write};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::error::LocalError;
use super::private_dir::PrivateDir;
use crate::base::VolumeId;

/// Longest process id in the lock file, in bytes, with its line end.
const MAX_PID_LEN: u64 = 16;

/// An exclusive lock on a volume, held until dropped or until the process ends, however it ends.
///
/// The lock is the kernel's (`flock`), so a file left behind by a crash locks nothing. The file is never
/// removed: removing it could leave two holders, each with a lock on a file of the same name.
pub struct VolumeLock {
    _file: File,
}

impl VolumeLock {
    pub(super) fn acquire(dir: &PrivateDir, volume: VolumeId) -> Result<Self, LocalError> {
        let name = format!("{volume}.lock");
        let path = dir.path_of(&name);
        let failed = |operation| {
            let path = path.clone();
            move |source| LocalError::Io { operation, path, source }
        };
        let mut file = dir.open_or_create(&name)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(LocalError::AlreadyMounted { pid: holder(&mut file) }),
            Err(error) => return Err(failed("lock")(error.into())),
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(failed("write"))?;
        Ok(Self { _file: file })
    }
}

/// The process id in the file, where it can be read; it is only for the message.
fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(MAX_PID_LEN).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
