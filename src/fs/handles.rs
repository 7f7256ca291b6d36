//! Handles of open files. The kernel keeps them for us: everything a handle must remember fits into the
//! number that stands for it, so there is no table and nothing to leak.

/// An open file, as the kernel names it in later requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handle(u64);

impl Handle {
    const NO_ATIME: u64 = 1;
    const APPEND: u64 = 2;
    const WRITE: u64 = 4;
    const READ: u64 = 8;
    const SYNCED: u64 = 16;

    /// The handle of a file opened with these flags of open(2).
    pub fn from_flags(flags: i32) -> Self {
        let mut bits = 0;
        if flags & libc::O_NOATIME != 0 {
            bits |= Self::NO_ATIME;
        }
        if flags & libc::O_APPEND != 0 {
            bits |= Self::APPEND;
        }
        if flags & libc::O_ACCMODE != libc::O_RDONLY {
            bits |= Self::WRITE;
        }
        if flags & libc::O_ACCMODE != libc::O_WRONLY {
            bits |= Self::READ;
        }
        // O_SYNC contains it.
        if flags & libc::O_DSYNC != 0 {
            bits |= Self::SYNCED;
        }
        Self(bits)
    }

    /// The handle behind a number that [`Handle::number`] gave.
    pub fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// The number for the kernel.
    pub fn number(self) -> u64 {
        self.0
    }

    /// Reading through it leaves the access time alone.
    pub fn no_atime(self) -> bool {
        self.0 & Self::NO_ATIME != 0
    }

    /// It can be written through.
    pub fn writable(self) -> bool {
        self.0 & Self::WRITE != 0
    }

    /// It can be written through, and not read.
    pub fn only_writes(self) -> bool {
        self.0 & (Self::WRITE | Self::READ) == Self::WRITE
    }

    /// It was opened for appending.
    pub fn append(self) -> bool {
        self.0 & Self::APPEND != 0
    }

    /// What is written through it is in the bucket when the call returns. Of writes the kernel asks for that by
    /// itself.
    pub fn synced(self) -> bool {
        self.0 & Self::SYNCED != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_survives_the_trip_through_the_kernel() {
        let handle = Handle::from_flags(libc::O_RDWR | libc::O_APPEND | libc::O_NOATIME);
        let back = Handle::from_number(handle.number());
        assert!(back.append() && back.no_atime() && back.writable() && !back.only_writes());
        let plain = Handle::from_flags(libc::O_RDONLY);
        assert!(!plain.append() && !plain.no_atime() && !plain.writable() && !plain.only_writes());
        assert!(!plain.synced() && Handle::from_flags(libc::O_SYNC).synced());
        assert!(Handle::from_flags(libc::O_WRONLY).only_writes());
    }
}
