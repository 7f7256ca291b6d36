//! Replies that nobody waits for.
//!
//! When a signal reaches a program whose call is being served, the kernel sends FUSE_INTERRUPT, which `fuser` 0.18 answers
//! with ENOSYS. Every thread has a descriptor of /dev/fuse of its own, and the kernel looks for the interrupted request among
//! those that were read through the descriptor that the reply comes by (`fuse_dev_do_write` in fs/fuse/dev.c): it has none
//! there and says ENOENT. The interrupted call itself goes on and gets its own reply. ENOENT for any other reply means that
//! its caller is gone with the connection, as after `umount --force`. Neither is worth a line of the log.

use std::io;

use log::Record;

/// Whether it says no more than that a reply came when nobody waited for it.
pub fn says_unawaited(record: &Record<'_>) -> bool {
    record.target() == "fuser::reply"
        && record.args().to_string()
            == format!("Failed to send FUSE reply: {}", io::Error::from_raw_os_error(libc::ENOENT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_failures_of_replies_are_not_taken_for_it() {
        let said = |target: &str, text: &str| {
            says_unawaited(&Record::builder().target(target).args(format_args!("{text}")).build())
        };
        assert!(said("fuser::reply", "Failed to send FUSE reply: No such file or directory (os error 2)"));
        assert!(!said("fuser::reply", "Failed to send FUSE reply: Invalid argument (os error 22)"));
        assert!(!said("hushfs::fs", "Failed to send FUSE reply: No such file or directory (os error 2)"));
    }
}
