//! Requests for extended attributes: first for the size, then for the value.
//!
//! `ls -l` asks for the SELinux label of every file, and the kernel keeps no answer: a request for each, whenever the
//! folder is listed. It stops asking where it hears that labels are not supported. So that is what a file without a
//! label says on a machine without SELinux; with SELinux the kernel itself asks, and takes only ENODATA for "none".

use std::path::Path;

use fuser::{Errno, ReplyXattr};

use super::adapter::Adapter;
use super::lanes::Lane;
use crate::base::Ino;
use crate::fs::{Caller, FsError, MAX_XATTR};

/// The attribute that holds an SELinux label.
const LABEL: &[u8] = b"security.selinux";

/// Whether this kernel runs SELinux: only then is there a place to mount its own filesystem (security/selinux/selinuxfs.c).
pub(super) fn has_selinux() -> bool {
    Path::new("/sys/fs/selinux").exists()
}

/// What the lack of an attribute is called on a machine with or without SELinux.
fn lacking(error: FsError, name: &[u8], selinux: bool) -> FsError {
    match error {
        FsError::NoXattr if name == LABEL && !selinux => FsError::NotSupported,
        error => error,
    }
}

impl Adapter {
    pub(super) fn get_xattr(&self, ino: Ino, name: Vec<u8>, size: u32, reply: ReplyXattr) {
        let selinux = self.selinux;
        let work = move |fs: &crate::fs::Filesystem| {
            let value = fs.getxattr(ino, &name).map_err(|error| lacking(error, &name, selinux))?;
            if size == 0 || value.len() <= size as usize { Ok(value) } else { Err(FsError::BufferTooSmall) }
        };
        self.serve(Lane::Read, reply, work, move |reply, result| {
            answer(reply, size, result.as_ref().map(AsRef::as_ref).map_err(|errno| *errno));
        });
    }

    /// A list that is longer than the kernel can take at all is E2BIG, as listxattr(2) says.
    pub(super) fn list_xattrs(&self, caller: Caller, ino: Ino, size: u32, reply: ReplyXattr) {
        let work = move |fs: &crate::fs::Filesystem| {
            let list = fs.listxattr(&caller, ino)?;
            match list.len() {
                len if len > MAX_XATTR => Err(FsError::XattrTooBig),
                len if size != 0 && len > size as usize => Err(FsError::BufferTooSmall),
                _ => Ok(list),
            }
        };
        self.serve(Lane::Read, reply, work, move |reply, result| {
            answer(reply, size, result.as_deref().map_err(|errno| *errno));
        });
    }
}

/// `size` 0 asks how large the value is. Values are at most 64 KiB.
fn answer(reply: ReplyXattr, size: u32, result: Result<&[u8], Errno>) {
    match result {
        Ok(value) if size == 0 => reply.size(value.len() as u32),
        Ok(value) => reply.data(value),
        Err(errno) => reply.error(errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lacking_label_on_a_machine_without_selinux_is_not_supported() {
        let lacks = |name: &[u8], selinux| lacking(FsError::NoXattr, name, selinux);
        assert!(matches!(lacks(LABEL, false), FsError::NotSupported));
        assert!(matches!(lacks(LABEL, true), FsError::NoXattr));
        assert!(matches!(lacks(b"security.capability", false), FsError::NoXattr));
        assert!(matches!(lacking(FsError::NotSupported, LABEL, true), FsError::NotSupported));
    }
}
