//! One commit: a batch of operations (opaque here) with its place in history.

use crate::base::{CommitId, DecodeError, Reader, Seq, SessionId, Timestamp, Writer};

/// Version byte in front of every entry.
const VERSION: u8 = 1;
/// Longest payload of one entry, in bytes. Writers stay far below; readers refuse more.
pub const MAX_PAYLOAD: usize = 64 << 20;
/// Longest description of a checkpoint's root, in bytes.
pub const MAX_ROOT: usize = 256;
/// Everything but the payload and the root, in bytes, generously.
const FIXED: usize = 256;
/// Longest encoded entry, in bytes.
pub(super) const MAX_ENTRY: usize = MAX_PAYLOAD + MAX_ROOT + FIXED;

/// A folded state: the entry it includes last, that entry's hash, and where the state is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checkpoint {
    /// 0: the empty state before the first entry.
    pub seq: Seq,
    /// Hash of the entry at `seq`; zeros when `seq` is 0.
    pub hash: [u8; 32],
    /// At most [`MAX_ROOT`] bytes that the layer above understands.
    pub root: Vec<u8>,
}

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub seq: Seq,
    /// Random for each batch; the same when the same batch is sent again.
    pub commit: CommitId,
    /// Slot of the writing session; 0 for none.
    pub slot: u32,
    pub session: SessionId,
    /// The writer's own count of its commits, starting at 1; 0 for none.
    pub counter: u64,
    /// Hash of the entry before; zeros for the first.
    pub previous: [u8; 32],
    /// When the writer sealed it.
    pub time: Timestamp,
    /// The newest checkpoint the writer knew; before `seq`.
    pub checkpoint: Checkpoint,
    /// At most [`MAX_PAYLOAD`] bytes.
    pub payload: Vec<u8>,
}

impl Entry {
    /// The entry as bytes, to be sealed.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(VERSION).u64(self.seq.0).raw(&self.commit.0);
        w.u32(self.slot).raw(&self.session.0).u64(self.counter);
        w.raw(&self.previous).i64(self.time.secs).u32(self.time.nanos);
        w.u64(self.checkpoint.seq.0).raw(&self.checkpoint.hash).bytes(&self.checkpoint.root);
        w.bytes(&self.payload);
        w.finish()
    }

    /// Reads what [`Entry::encode`] wrote.
    ///
    /// # Errors
    /// Another version, a broken bound, a checkpoint that is not before the entry, trailing bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        if r.u8("version")? != VERSION {
            return Err(DecodeError::Invalid("version of the log entry"));
        }
        let entry = Self {
            seq: Seq(r.u64("sequence number")?),
            commit: CommitId(r.array("commit id")?),
            slot: r.u32("slot")?,
            session: SessionId(r.array("session id")?),
            counter: r.u64("commit counter")?,
            previous: r.array("hash of the entry before")?,
            time: Timestamp { secs: r.i64("time")?, nanos: r.u32("time")? },
            checkpoint: Checkpoint {
                seq: Seq(r.u64("checkpoint")?),
                hash: r.array("hash at the checkpoint")?,
                root: r.bytes(MAX_ROOT, "root of the checkpoint")?.to_vec(),
            },
            payload: r.bytes(MAX_PAYLOAD, "payload")?.to_vec(),
        };
        r.end()?;
        if entry.time.nanos >= 1_000_000_000 {
            return Err(DecodeError::Invalid("time of the log entry"));
        }
        if entry.checkpoint.seq >= entry.seq {
            return Err(DecodeError::Invalid("checkpoint of the log entry"));
        }
        Ok(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            seq: Seq(7),
            commit: CommitId([1; 16]),
            slot: 9,
            session: SessionId([2; 8]),
            counter: 3,
            previous: [4; 32],
            time: Timestamp { secs: -1, nanos: 5 },
            checkpoint: Checkpoint { seq: Seq(6), hash: [6; 32], root: vec![1, 2] },
            payload: vec![3; 100],
        }
    }

    #[test]
    fn an_entry_survives_the_round_trip_and_no_shorter_or_longer_form_does() {
        let bytes = entry().encode();
        assert_eq!(Entry::decode(&bytes), Ok(entry()));
        for len in 0..bytes.len() {
            assert!(Entry::decode(&bytes[..len]).is_err(), "{len}");
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert_eq!(Entry::decode(&longer), Err(DecodeError::Trailing(1)));
    }

    #[test]
    fn a_checkpoint_at_or_after_its_entry_is_refused() {
        let mut wrong = entry();
        wrong.checkpoint.seq = wrong.seq;
        assert!(Entry::decode(&wrong.encode()).is_err());
    }

    #[test]
    fn a_payload_longer_than_announced_memory_is_refused_before_allocation() {
        let mut bytes = entry().encode();
        let at = bytes.len() - 104;
        bytes[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(Entry::decode(&bytes), Err(DecodeError::TooLong("payload")));
    }
}
