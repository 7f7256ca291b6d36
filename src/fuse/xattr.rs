//! Requests for extended attributes: first for the size, then for the value.
//!
//! `ls -l` asks for the SELinux label of every file, and the kernel keeps no answer: a request for each, whenever the
//! folder is listed. It stops asking where it hears that labels are not supported. So that is what a file without a
//! label says where no labels are in use. With SELinux the kernel itself asks, and takes only ENODATA for "none".

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fuser::{Errno, ReplyXattr};

use super::adapter::Adapter;
use super::lanes::Lane;
use crate::base::Ino;
use crate::fs::{Caller, FsError, MAX_XATTR};

/// The attribute that holds an SELinux label.
const LABEL: &[u8] = b"security.selinux";

/// Whether labels are in use here: on a machine with SELinux, and once a label was set or read, as in the copy of such
/// a machine's files.
#[derive(Clone)]
pub(super) struct Labels(Arc<AtomicBool>);

impl Labels {
    pub fn new() -> Self {
        // Only a kernel that runs SELinux has a place to mount its own filesystem (security/selinux/selinuxfs.c).
        Self(Arc::new(AtomicBool::new(Path::new("/sys/fs/selinux").exists())))
    }

    /// An attribute was set, or found.
    pub fn saw(&self, name: &[u8]) {
        if name == LABEL {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// What the lack of an attribute is called.
    fn lacking(&self, error: FsError, name: &[u8]) -> FsError {
        match error {
            FsError::NoXattr if name == LABEL && !self.0.load(Ordering::Relaxed) => FsError::NotSupported,
            error => error,
        }
    }
}

impl Adapter {
    pub(super) fn get_xattr(&self, ino: Ino, name: Vec<u8>, size: u32, reply: ReplyXattr) {
        let labels = self.labels.clone();
        let work = move |fs: &crate::fs::Filesystem| {
            let value = fs.getxattr(ino, &name).map_err(|error| labels.lacking(error, &name))?;
            labels.saw(&name);
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
    fn a_lacking_label_is_not_supported_until_labels_are_in_use() {
        let labels = Labels(Arc::default());
        let lacks = |name| labels.lacking(FsError::NoXattr, name);
        assert!(matches!(lacks(LABEL), FsError::NotSupported));
        assert!(matches!(lacks(b"security.capability"), FsError::NoXattr));
        labels.saw(b"user.a");
        assert!(matches!(lacks(LABEL), FsError::NotSupported));
        labels.saw(LABEL);
        assert!(matches!(lacks(LABEL), FsError::NoXattr));
    }
}
