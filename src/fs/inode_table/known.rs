//! What is remembered about one inode that the kernel knows.

use crate::base::Timestamp;
use crate::fs::ghost::Ghost;

/// One inode the kernel knows.
#[derive(Default)]
pub(super) struct Known {
    pub lookups: u64,
    pub opens: u32,
    /// Of these, how many can be written through.
    pub writers: u32,
    pub generation: u32,
    /// Changed elsewhere while the kernel trusts its own size and times.
    pub stale: bool,
    /// Its last name went while it was open: the last to let go of it has it reaped.
    pub orphan: bool,
    /// Whether the access time needs an update was looked at since the last change.
    pub atime_checked: bool,
    /// The kernel read pages of it for its cache.
    pub cached: bool,
    pub extra: Option<Box<Extra>>,
}

/// What few inodes need.
#[derive(Default)]
pub(super) struct Extra {
    /// The last state of an inode whose record is gone.
    pub ghost: Option<Ghost>,
    /// An access not recorded yet.
    pub atime: Option<Timestamp>,
}

/// All there is to say of most inodes, in two bytes: how often they were looked up and two marks. All zeros: the kernel
/// does not know the inode.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Plain(u16);

const ATIME_CHECKED: u16 = 1 << 15;
const CACHED: u16 = 1 << 14;
const MOST_LOOKUPS: u16 = CACHED - 1;

impl Plain {
    pub const NONE: Self = Self(0);

    /// `None` when there is more to say, or nothing at all.
    pub fn of(known: &Known) -> Option<Self> {
        let Known { lookups, opens, writers, generation, stale, orphan, atime_checked, cached, extra } =
            known;
        let lookups = u16::try_from(*lookups).ok().filter(|lookups| (1..=MOST_LOOKUPS).contains(lookups))?;
        if *opens > 0 || *writers > 0 || *generation > 0 || *stale || *orphan || extra.is_some() {
            return None;
        }
        let mark = |set: bool, mark| if set { mark } else { 0 };
        Some(Self(lookups | mark(*atime_checked, ATIME_CHECKED) | mark(*cached, CACHED)))
    }

    pub fn known(self) -> Known {
        Known {
            lookups: u64::from(self.0 & MOST_LOOKUPS),
            atime_checked: self.0 & ATIME_CHECKED != 0,
            cached: self.0 & CACHED != 0,
            ..Known::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_two_bytes_can_say_is_plain() {
        let plain = || Known { lookups: 3, cached: true, ..Known::default() };
        let again = Plain::of(&plain()).unwrap().known();
        assert_eq!((again.lookups, again.cached, again.atime_checked), (3, true, false));
        assert!(Plain::of(&Known { atime_checked: true, ..plain() }).unwrap().known().atime_checked);
        let most = Plain::of(&Known { lookups: 16_383, ..plain() }).unwrap().known();
        assert_eq!((most.lookups, most.cached, most.atime_checked), (16_383, true, false));
        let more = [
            Known { lookups: 0, ..plain() },
            Known { lookups: 16_384, ..plain() },
            Known { lookups: 1 << 16 | 1, ..plain() },
            Known { opens: 1, ..plain() },
            Known { writers: 1, ..plain() },
            Known { generation: 1, ..plain() },
            Known { stale: true, ..plain() },
            Known { orphan: true, ..plain() },
            Known { extra: Some(Box::default()), ..plain() },
        ];
        assert!(more.iter().all(|known| Plain::of(known).is_none()));
    }
}
