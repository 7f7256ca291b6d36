//! Positions in a directory listing, as seekdir(3) and NFS see them.
//!
//! A cookie says where a listing goes on *after* an entry. It is made of the entry's position (56 bits of a
//! hash of its name, which never changes) and of its rank among entries of equal position, so it stays
//! valid while other entries come and go, in this mount and in the next. Cookies are below 2^63, because
//! the kernel's are signed. Up to 64 names may share one position; a 65th needs a 65-fold collision of
//! SHA-256 cut to 56 bits.

/// Bits for the rank among entries of equal position.
const RANK_BITS: u32 = 6;
const MAX_RANK: u64 = (1 << RANK_BITS) - 1;
/// Cookies below this stand for the start (0), after `.` (1) and after `..` (2).
const FIRST: u64 = 3;

/// Where a listing goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cookie {
    /// Everything is still to come.
    Start,
    /// `.` was listed.
    AfterDot,
    /// `.` and `..` were listed.
    AfterDotDot,
    /// The entry of this position and rank was listed.
    After { position: u64, rank: u64 },
}

impl Cookie {
    /// The cookie behind a number that an application passed to seekdir(3); any number is some place.
    pub fn from_number(number: u64) -> Self {
        match number {
            0 => Self::Start,
            1 => Self::AfterDot,
            2 => Self::AfterDotDot,
            _ => {
                let packed = number - FIRST;
                Self::After { position: packed >> RANK_BITS, rank: packed & MAX_RANK }
            }
        }
    }

    /// The number for the kernel, 0..2^63.
    pub fn number(self) -> u64 {
        match self {
            Self::Start => 0,
            Self::AfterDot => 1,
            Self::AfterDotDot => 2,
            Self::After { position, rank } => ((position << RANK_BITS) | rank.min(MAX_RANK)) + FIRST,
        }
    }

    /// From which position to scan, and how many entries of exactly this position to leave out.
    pub fn resume(self) -> (u64, u64) {
        match self {
            Self::Start | Self::AfterDot | Self::AfterDotDot => (0, 0),
            Self::After { position, rank } => (position, rank + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_survive_the_trip_through_the_kernel_and_stay_positive() {
        let last = Cookie::After { position: (1 << 56) - 1, rank: MAX_RANK };
        for cookie in [
            Cookie::Start,
            Cookie::AfterDot,
            Cookie::AfterDotDot,
            Cookie::After { position: 0, rank: 0 },
            Cookie::After { position: 5, rank: 63 },
            last,
        ] {
            assert_eq!(Cookie::from_number(cookie.number()), cookie);
        }
        assert!(last.number() < 1 << 63);
    }

    #[test]
    fn the_order_of_cookies_is_the_order_of_the_listing() {
        let at = |position, rank| Cookie::After { position, rank }.number();
        assert!(Cookie::AfterDotDot.number() < at(0, 0));
        assert!(at(0, 0) < at(0, 1));
        assert!(at(0, 63) < at(1, 0));
    }

    #[test]
    fn any_number_is_a_place() {
        let (position, skip) = Cookie::from_number(u64::MAX).resume();
        assert!(position >= 1 << 56 && skip <= 64);
    }
}
