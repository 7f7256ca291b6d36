//! The session record: a mount (or maintenance run) that writes, and its last commit.
use super::{Record, put_time, text, time};
use crate::base::{DecodeError, MachineId, Reader, Seq, SessionId, Timestamp, Writer};

/// Longest host name, in bytes.
pub const MAX_HOST: usize = 255;
/// Slots are below this (and not 0): inode numbers, which begin with them, stay positive as signed numbers.
pub const SLOTS: u32 = 1 << 31;

/// One per session that has written (or wants to be known to gc), under its slot. The record goes when the
/// session closes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    pub machine: MachineId,
    /// Host name for messages; at most [`MAX_HOST`] bytes.
    pub host: String,
    pub started: Timestamp,
    /// Time of its last commit.
    pub last_seen: Timestamp,
    /// Last commit and its hash (M6), and how many it made.
    pub last: Seq,
    pub last_hash: [u8; 32],
    pub commits: u64,
}

impl Record for Session {
    fn write(&self, w: &mut Writer) {
        w.raw(&self.id.0).raw(&self.machine.0).bytes(self.host.as_bytes());
        put_time(w, self.started);
        put_time(w, self.last_seen);
        w.u64(self.last.0).raw(&self.last_hash).u64(self.commits);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            id: SessionId(r.array("session id")?),
            machine: MachineId(r.array("machine id")?),
            host: text(r, MAX_HOST, "host name")?,
            started: time(r, "start of the session")?,
            last_seen: time(r, "last sight of the session")?,
            last: Seq(r.u64("last commit")?),
            last_hash: r.array("hash of the last commit")?,
            commits: r.u64("commit count")?,
        })
    }
}
