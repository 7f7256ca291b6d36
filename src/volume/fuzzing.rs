//! Targets for the fuzzers: payloads of log entries, roots of checkpoints, names of objects.

use super::object_name::ObjectName;
use super::payload::{self, Payload};
use super::recovery::{decode_root, encode_root};
use crate::base::Seq;
use crate::commit_log::Checkpoint;
use crate::fuzzing::{Target, assert_tame, text};
use crate::meta::tree::TreeRoot;

pub(crate) static TARGETS: [Target; 3] = [
    Target::new("log_payload", &["volume/payload.rs: decode"], log_payload),
    Target::new("checkpoint", &["volume/recovery.rs: decode_root"], checkpoint),
    Target::new(
        "object_name",
        &["volume/object_name.rs: parse", "volume/object_name.rs: parse_segment"],
        object_name,
    ),
];

fn log_payload(bytes: &[u8]) {
    for seq in [Seq(0), Seq(1), Seq(2), Seq(u64::MAX)] {
        match payload::decode(seq, bytes) {
            Ok(Payload::Genesis(genesis)) => assert!(seq == Seq(1) && genesis.encode() == bytes),
            Ok(Payload::Ops(ops)) => {
                assert!(
                    seq > Seq(1) && payload::encode_ops(ops.iter()) == bytes,
                    "another spelling of a batch"
                );
                assert!(ops.iter().all(|op| payload::cost(op) < 1 << 40));
            }
            Err(error) => assert_tame(&error.to_string()),
        }
    }
}

/// The checkpoint's position in the first byte, then its root.
fn checkpoint(bytes: &[u8]) {
    let Some((&seq, root)) = bytes.split_first() else { return };
    let checkpoint = Checkpoint { seq: Seq(seq.into()), hash: [0; 32], root: root.to_vec() };
    match decode_root(&checkpoint) {
        Ok(TreeRoot::EMPTY) if seq == 0 && root.is_empty() => {}
        Ok(decoded) => assert_eq!(encode_root(decoded), root, "another spelling of a root"),
        Err(error) => assert_tame(&error.to_string()),
    }
}

fn object_name(bytes: &[u8]) {
    let Some(key) = text(bytes) else { return };
    let spelling = match ObjectName::parse(key) {
        None | Some(ObjectName::Probe) => return,
        Some(ObjectName::Header) => "volume".to_owned(),
        Some(ObjectName::Lock) => "lock".to_owned(),
        Some(ObjectName::Entry(seq)) => format!("log/{:016x}", seq.0),
        Some(ObjectName::Pack(id)) => format!("tree/{}", id.to_hex()),
        Some(ObjectName::Segment { epoch, id }) => {
            let hex = id.to_hex();
            format!("data/{}/{}/{hex}", epoch.0, &hex[..2])
        }
    };
    assert_eq!(spelling, key, "another spelling of a name");
}
