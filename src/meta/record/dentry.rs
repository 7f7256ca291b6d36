//! The dentry record: the inode that a name in a directory stands for.
use super::{FileKind, Record};
use crate::base::{DecodeError, Ino, Reader, Writer};

/// What a name leads to. The kind is repeated here so that a listing needs no inodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dentry {
    pub ino: Ino,
    pub kind: FileKind,
}

impl Record for Dentry {
    fn write(&self, w: &mut Writer) {
        w.u64(self.ino.0);
        self.kind.write(w);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { ino: Ino(r.u64("inode number")?), kind: FileKind::read(r)? })
    }
}
