//! mknod(2) and mkfifo(3).

use crate::base::Ino;
use crate::fs::attr::Entry;
use crate::fs::caller::Caller;
use crate::fs::error::FsError;
use crate::fs::filesystem::Filesystem;
use crate::fs::ops::make::New;
use crate::meta::record::FileKind;

impl Filesystem {
    /// Makes a file, pipe, socket or device that is not opened. `mode` holds the kind and the permission
    /// bits without the umask, `rdev` the device number as the kernel encodes it. Counts a lookup.
    ///
    /// # Errors
    /// `Exists`, `NameTooLong`, `NoSpace`; `NotPermitted` for kinds that mknod cannot make.
    pub fn mknod(
        &self,
        caller: &Caller,
        parent: Ino,
        name: &[u8],
        mode: u32,
        umask: u16,
        rdev: u32,
    ) -> Result<Entry, FsError> {
        let kind = match mode & libc::S_IFMT {
            0 | libc::S_IFREG => FileKind::Regular,
            libc::S_IFIFO => FileKind::Fifo,
            libc::S_IFSOCK => FileKind::Socket,
            libc::S_IFCHR => FileKind::CharDevice,
            libc::S_IFBLK => FileKind::BlockDevice,
            _ => return Err(FsError::NotPermitted),
        };
        let rdev = match kind {
            FileKind::CharDevice | FileKind::BlockDevice => rdev,
            FileKind::Regular
            | FileKind::Directory
            | FileKind::Symlink
            | FileKind::Fifo
            | FileKind::Socket => 0,
        };
        let perm = (mode & 0o7777) as u16;
        let new = New { parent, name, kind, perm, umask, rdev, target: b"" };
        self.make(caller, self.volume.next_ino(), &new)
    }
}
