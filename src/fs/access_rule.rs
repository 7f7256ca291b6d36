//! Which reads change access times, for as long as a mount lives: `mount -o remount` changes it.

use std::sync::atomic::{AtomicU8, Ordering};

/// Which reads change the access time (mount(8)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AccessTimes {
    /// None (`noatime`).
    Never,
    /// The first one after a change, and one a day (`relatime`).
    #[default]
    Relative,
    /// Every one (`strictatime`).
    Strict,
}

/// Listing a directory does not change its access time.
const NODIRATIME: u8 = 4;

/// The rule as it is now. Read with every read of a file, so there is no lock.
pub(super) struct AccessRule(AtomicU8);

impl AccessRule {
    pub fn new(rule: AccessTimes, nodiratime: bool) -> Self {
        Self(AtomicU8::new(encode(rule, nodiratime)))
    }

    /// From the next read on. No other memory goes with it.
    pub fn set(&self, rule: AccessTimes, nodiratime: bool) {
        self.0.store(encode(rule, nodiratime), Ordering::Relaxed);
    }

    pub fn rule(&self) -> AccessTimes {
        match self.0.load(Ordering::Relaxed) & !NODIRATIME {
            0 => AccessTimes::Never,
            1 => AccessTimes::Relative,
            _ => AccessTimes::Strict,
        }
    }

    pub fn nodiratime(&self) -> bool {
        self.0.load(Ordering::Relaxed) & NODIRATIME != 0
    }
}

fn encode(rule: AccessTimes, nodiratime: bool) -> u8 {
    let rule = match rule {
        AccessTimes::Never => 0,
        AccessTimes::Relative => 1,
        AccessTimes::Strict => 2,
    };
    if nodiratime { rule | NODIRATIME } else { rule }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_is_kept_as_it_was_set() {
        let kept = AccessRule::new(AccessTimes::Relative, false);
        for rule in [AccessTimes::Never, AccessTimes::Relative, AccessTimes::Strict] {
            for nodiratime in [true, false] {
                kept.set(rule, nodiratime);
                assert_eq!((kept.rule(), kept.nodiratime()), (rule, nodiratime));
            }
        }
    }
}
