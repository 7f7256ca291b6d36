//! What a log entry carries: the genesis of the volume, or a batch of ops.
//!
//! One kind byte, then the fields. Genesis stands in entry 1 and nowhere else.

use crate::base::{DecodeError, Reader, Seq, Timestamp, Writer};
use crate::meta::op::Op;
use crate::meta::record::ChunkRef;

const GENESIS: u8 = 1;
const OPS: u8 = 2;

/// The first entry's content: how the state begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Genesis {
    pub time: Timestamp,
    pub uid: u32,
    pub gid: u32,
    pub chunk_size: u32,
}

/// A decoded payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Payload {
    Genesis(Genesis),
    Ops(Vec<Op>),
}

impl Genesis {
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(GENESIS).i64(self.time.secs).u32(self.time.nanos);
        w.u32(self.uid).u32(self.gid).u32(self.chunk_size);
        w.finish()
    }
}

/// The payload of a batch.
pub(super) fn encode_ops<'a>(ops: impl Iterator<Item = &'a Op>) -> Vec<u8> {
    let mut count = 0;
    let mut body = Writer::new();
    for op in ops {
        op.encode(&mut body);
        count += 1;
    }
    let mut w = Writer::new();
    w.u8(OPS).u32(count).raw(&body.finish());
    w.finish()
}

/// Reads the payload of the entry at `seq`.
pub(super) fn decode(seq: Seq, bytes: &[u8]) -> Result<Payload, DecodeError> {
    let mut r = Reader::new(bytes);
    let payload = match (r.u8("kind of payload")?, seq) {
        (GENESIS, Seq(1)) => Payload::Genesis(Genesis {
            time: Timestamp { secs: r.i64("time")?, nanos: r.u32("time")? },
            uid: r.u32("uid")?,
            gid: r.u32("gid")?,
            chunk_size: r.u32("chunk size")?,
        }),
        (OPS, Seq(2..)) => {
            let count = r.u32("count of ops")?;
            // The count is a claim; every op takes its bytes before the next is believed in.
            let mut ops = Vec::new();
            for _ in 0..count {
                ops.push(Op::decode(&mut r)?);
            }
            Payload::Ops(ops)
        }
        _ => return Err(DecodeError::Invalid("kind of payload")),
    };
    r.end()?;
    Ok(payload)
}

/// About how many bytes an op takes in memory and in the log: for back-pressure and for cutting batches.
pub(super) fn cost(op: &Op) -> usize {
    let variable = match op {
        Op::Create { name, target, xattrs, .. } => {
            name.len() + target.len() + xattrs.iter().map(|(n, v)| n.len() + v.len() + 16).sum::<usize>()
        }
        Op::Link { name, .. } | Op::Unlink { name, .. } | Op::Rmdir { name, .. } => name.len(),
        Op::Rename { name, new_name, .. } => name.len() + new_name.len(),
        Op::Write { chunks, .. } => chunks.iter().map(|(_, chunk)| 48 + chunk_cost(chunk.as_ref())).sum(),
        Op::SetXattr { name, value, .. } => name.len() + value.len(),
        Op::RemoveXattr { name, .. } => name.len(),
        Op::AddSegment { record, .. } => 160 + 4 * record.frames.len(),
        Op::RemoveSegments { ids } => 16 * ids.len(),
        Op::Condemn { objects, .. } | Op::Pardon { objects } => {
            objects.iter().map(|key| key.len() + 24).sum()
        }
        Op::OpenSession { host, .. } => host.len(),
        Op::SetAttr { .. }
        | Op::Clone { .. }
        | Op::Collapse { .. }
        | Op::Reap { .. }
        | Op::Relocate { .. }
        | Op::CloseSession { .. }
        | Op::PublishBoundary { .. }
        | Op::SetQuota { .. } => 0,
    };
    128 + variable
}

fn chunk_cost(chunk: Option<&ChunkRef>) -> usize {
    match chunk {
        Some(ChunkRef::Inline(bytes)) => bytes.len(),
        Some(ChunkRef::Segment { .. }) | None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Ino;

    #[test]
    fn genesis_is_refused_anywhere_but_in_the_first_entry() {
        let genesis = Genesis { time: Timestamp::default(), uid: 1, gid: 2, chunk_size: 65536 };
        assert_eq!(decode(Seq(1), &genesis.encode()), Ok(Payload::Genesis(genesis)));
        assert!(decode(Seq(2), &genesis.encode()).is_err());
        assert!(decode(Seq(1), &encode_ops([].iter())).is_err());
    }

    #[test]
    fn a_batch_survives_the_round_trip_and_a_cut_one_is_refused() {
        let ops = vec![Op::Reap { ino: Ino(5) }, Op::CloseSession { slot: 3 }];
        let bytes = encode_ops(ops.iter());
        assert_eq!(decode(Seq(2), &bytes), Ok(Payload::Ops(ops)));
        for len in 0..bytes.len() {
            assert!(decode(Seq(2), &bytes[..len]).is_err());
        }
    }
}
