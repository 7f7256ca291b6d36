//! The xattr record: the value of one extended attribute.
use bytes::Bytes;

use super::{MAX_XATTR, Record, byte_string};
use crate::base::{DecodeError, Reader, Writer};

/// Value of an extended attribute: 0..=[`MAX_XATTR`] bytes, anything in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Xattr {
    pub value: Bytes,
}

impl Record for Xattr {
    fn write(&self, w: &mut Writer) {
        w.bytes(&self.value);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { value: byte_string(r, MAX_XATTR, "value of an extended attribute")? })
    }
}
