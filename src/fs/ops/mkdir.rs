//! mkdir(2).

use crate::base::Ino;
use crate::fs::attr::Entry;
use crate::fs::caller::Caller;
use crate::fs::error::FsError;
use crate::fs::filesystem::Filesystem;
use crate::fs::ops::make::New;
use crate::meta::record::FileKind;

impl Filesystem {
    /// Makes a directory. `perm` is without the umask. Counts a lookup.
    ///
    /// # Errors
    /// `Exists`, `NameTooLong`, `TooManyLinks`, `NoSpace`.
    pub fn mkdir(
        &self,
        caller: &Caller,
        parent: Ino,
        name: &[u8],
        perm: u16,
        umask: u16,
    ) -> Result<Entry, FsError> {
        let new = New { parent, name, kind: FileKind::Directory, perm, umask, rdev: 0, target: b"" };
        let entry = self.make(caller, self.volume.next_ino(), &new)?;
        self.commit_if_contested(parent, name, entry.attr.ino)
            .inspect_err(|_| self.forget(entry.attr.ino, 1))?;
        Ok(entry)
    }
}
