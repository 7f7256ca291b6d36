//! open(2) with O_CREAT, for a name that does not exist.

use crate::base::Ino;
use crate::fs::attr::Entry;
use crate::fs::caller::Caller;
use crate::fs::error::FsError;
use crate::fs::filesystem::Filesystem;
use crate::fs::handles::Handle;
use crate::fs::inode_table::After;
use crate::fs::ops::make::New;
use crate::meta::record::FileKind;

impl Filesystem {
    /// Makes a regular file and opens it with `flags` of open(2). `perm` is without the umask.
    ///
    /// # Errors
    /// `Exists` with O_EXCL when there is such a name. Without O_EXCL that is `Stale`: the kernel believed
    /// there was none, and only when it looks again does it check whether the caller may open the file.
    pub fn create(
        &self,
        caller: &Caller,
        parent: Ino,
        name: &[u8],
        perm: u16,
        umask: u16,
        flags: i32,
    ) -> Result<(Entry, Handle), FsError> {
        let new = New { parent, name, kind: FileKind::Regular, perm, umask, rdev: 0, target: b"" };
        let ino = self.volume.next_ino();
        // Before the name is visible, so that an unlink by somebody quick sees an open file.
        let handle = Handle::from_flags(flags);
        self.inodes.opened(ino, handle);
        let made = self.make(caller, ino, &new).and_then(|entry| {
            if flags & libc::O_EXCL != 0 {
                self.commit_if_contested(parent, name, ino).inspect_err(|_| self.forget(ino, 1))?;
            }
            Ok(entry)
        });
        match made {
            Ok(entry) => Ok((entry, handle)),
            Err(error) => {
                match self.inodes.closed(ino, handle) {
                    After::Nothing | After::Reap => {} // it was never made, or is a conflict copy now
                }
                match error {
                    FsError::Exists if flags & libc::O_EXCL == 0 => Err(FsError::Stale(parent)),
                    error => Err(error),
                }
            }
        }
    }
}
