//! Requests for extended attributes: first for the size, then for the value.

use fuser::{Errno, ReplyXattr};

use super::adapter::Adapter;
use super::lanes::Lane;
use crate::base::Ino;
use crate::fs::{Caller, FsError, MAX_XATTR};

impl Adapter {
    pub(super) fn get_xattr(&self, ino: Ino, name: Vec<u8>, size: u32, reply: ReplyXattr) {
        let work = move |fs: &crate::fs::Filesystem| {
            let value = fs.getxattr(ino, &name)?;
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
