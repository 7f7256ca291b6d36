//! Access times by the rules of relatime (mount(8)): an access is recorded when the last recorded one is not
//! later than the last change, or a day old. With strictatime every access is.
//!
//! Reads that the kernel's page cache answers are not told to anybody. That a file was opened for reading is, so an
//! access is noted when it is closed, too, unless a read has brought that already.

use std::time::Duration;

use crate::base::{Ino, Timestamp};
use crate::fs::AccessTimes;
use crate::fs::attr::Attr;
use crate::fs::filesystem::{Filesystem, inode_of};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Filesystem {
    /// Notes a read of `ino`. Shown at once, recorded a little later by the thread for background work.
    /// Best effort: a read does not fail because its time cannot be noted. True when the time is another now.
    pub(super) fn touch(&self, ino: Ino, no_atime: bool) -> bool {
        let rule = self.access_rule.rule();
        let off = no_atime || rule == AccessTimes::Never || self.volume.is_read_only();
        if off || (!self.inodes.should_check_atime(ino) && rule != AccessTimes::Strict) {
            return false;
        }
        let attr = match self.volume.read(|view| inode_of(view, ino)) {
            Ok(inode) => self.attr(ino, &inode),
            Err(error) => {
                log::debug!("access time of inode {ino}: {error}");
                return false;
            }
        };
        let now = self.volume.now();
        let noted = (rule == AccessTimes::Strict || is_due(&attr, now)) && self.chores.record_atime(ino);
        if noted {
            self.inodes.set_atime(ino, now);
        }
        noted
    }
}

fn is_due(attr: &Attr, now: Timestamp) -> bool {
    attr.atime <= attr.mtime || attr.atime <= attr.ctime || attr.atime.age(now) >= DAY
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::record::FileKind;

    fn attr(atime: i64, mtime: i64, ctime: i64) -> Attr {
        let at = |secs| Timestamp { secs, nanos: 0 };
        Attr {
            ino: Ino(2),
            kind: FileKind::Regular,
            perm: 0o644,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            size: 0,
            blocks: 0,
            atime: at(atime),
            mtime: at(mtime),
            ctime: at(ctime),
            btime: at(0),
            io_size: 4096,
        }
    }

    #[test]
    fn an_access_is_recorded_after_a_change_and_once_a_day() {
        let now = Timestamp { secs: 200_000, nanos: 0 };
        assert!(is_due(&attr(150_000, 150_000, 1), now), "read and written in the same moment");
        assert!(is_due(&attr(150_000, 1, 160_000), now), "its mode changed since");
        assert!(!is_due(&attr(150_000, 1, 1), now));
        assert!(is_due(&attr(113_600, 1, 1), now), "a day old");
        assert!(!is_due(&attr(300_000, 1, 1), now), "set to the future by hand");
    }
}
