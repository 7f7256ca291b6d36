//! Targets for the fuzzers: addresses of buses, which the environment gives.

use super::bus::{BusPlace, parse, unescape};
use crate::fuzzing::{Target, text};

pub(crate) static TARGETS: [Target; 1] = [Target::new(
    "bus_address",
    &["desktop_keys/bus.rs: parse", "desktop_keys/bus.rs: unescape"],
    bus_address,
)];

/// Whatever is found is a socket that the list names, as it stands or escaped.
fn bus_address(bytes: &[u8]) {
    if let Some(plain) = unescape(bytes) {
        assert!(plain.len() <= bytes.len());
    }
    let Some(text) = text(bytes) else { return };
    match parse(text) {
        Ok(BusPlace::File(_)) => assert!(text.contains("unix:") && text.contains("path=")),
        Ok(BusPlace::Abstract(_)) => assert!(text.contains("unix:") && text.contains("abstract=")),
        Err(_refused) => {}
    }
}
