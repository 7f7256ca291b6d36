//! What is decoded of the pipe between a mount and who started it, for the target in `cli/fuzzing.rs`.

use super::background::Report;
use super::order::MountOrder;

pub(in crate::cli) fn mount_pipe(bytes: &[u8]) {
    if let Ok(order) = serde_json::from_slice::<MountOrder>(bytes) {
        let again = serde_json::to_vec(&order).expect("JSON");
        assert!(serde_json::from_slice::<MountOrder>(&again).is_ok(), "an order does not read back");
    }
    if let Ok(report) = serde_json::from_slice::<Report>(bytes) {
        let again = serde_json::to_vec(&report).expect("JSON");
        assert!(serde_json::from_slice::<Report>(&again).is_ok(), "a report does not read back");
    }
}
