//! symlink(2).

use crate::base::Ino;
use crate::fs::attr::Entry;
use crate::fs::caller::Caller;
use crate::fs::error::FsError;
use crate::fs::filesystem::Filesystem;
use crate::fs::ops::make::New;
use crate::meta::record::{FileKind, MAX_TARGET};

impl Filesystem {
    /// Makes a symlink to `target`, which is any bytes. Counts a lookup.
    ///
    /// # Errors
    /// `NameTooLong` for a target above 4095 bytes or a name above 255; `Exists`; `NoSpace`.
    pub fn symlink(
        &self,
        caller: &Caller,
        parent: Ino,
        name: &[u8],
        target: &[u8],
    ) -> Result<Entry, FsError> {
        if target.len() > MAX_TARGET {
            return Err(FsError::NameTooLong);
        }
        if target.is_empty() {
            return Err(FsError::NotFound);
        }
        let new = New { parent, name, kind: FileKind::Symlink, perm: 0o777, umask: 0, rdev: 0, target };
        self.make(caller, self.volume.next_ino(), &new)
    }
}
