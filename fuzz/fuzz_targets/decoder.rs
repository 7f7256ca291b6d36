//! The fuzzer of one target of `hushfs::fuzzing`, the one that this program is called after.

#![no_main]

use std::sync::LazyLock;

use hushfs::fuzzing::{Target, target};
use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let target = target(env!("CARGO_BIN_NAME"));
    // What a target makes once and keeps does not count.
    (target.run)(&[]);
    (target.run)(&[0; 9]);
    target
});

fuzz_target!(|bytes: &[u8]| {
    let target = *TARGET;
    let cost = allocation_counter::measure(|| (target.run)(bytes)).bytes_max;
    let allowed = target.allowed(bytes.len());
    assert!(cost <= allowed, "{cost} bytes at a time, {allowed} are allowed");
});
