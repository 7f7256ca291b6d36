//! Targets for the fuzzers: the kernel's table of mounts, which holds what any user mounted, and mount options.

use super::mounts;
use super::options::MountConfig;
use crate::fuzzing::{Target, assert_tame, text};

pub(crate) static TARGETS: [Target; 2] = [
    Target::new(
        "mount_table",
        &["fuse/mounts.rs: parse", "fuse/mounts.rs: parse_line", "fuse/mounts.rs: unescape"],
        mount_table,
    ),
    Target::new("mount_options", &["fuse/options.rs: apply"], mount_options),
];

fn mount_table(bytes: &[u8]) {
    let mounts = mounts::parse(bytes);
    assert!(mounts.len() <= bytes.split(|byte| *byte == b'\n').count());
}

fn mount_options(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let mut config = MountConfig::new(text);
    match config.apply(text) {
        Ok(()) => {
            assert!((2..=64).contains(&config.threads) && config.ttl.as_secs() <= 86_400);
            config.to_fuser();
        }
        Err(error) => assert_tame(&error.to_string()),
    }
}
