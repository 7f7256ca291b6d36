//! Marks: records that say what shall become of an inode or an object.
use super::{Record, put_time, time};
use crate::base::{DecodeError, Reader, Timestamp, Writer};

/// An inode without a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Orphan {
    /// Slot of the session that keeps it open; 0: nobody, it waits to be reaped.
    pub slot: u32,
}

/// An object that gc found unreachable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condemned {
    /// When the grace period began.
    pub since: Timestamp,
}

impl Record for Orphan {
    fn write(&self, w: &mut Writer) {
        w.u32(self.slot);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { slot: r.u32("slot")? })
    }
}

impl Record for Condemned {
    fn write(&self, w: &mut Writer) {
        put_time(w, self.since);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { since: time(r, "time of the verdict")? })
    }
}
