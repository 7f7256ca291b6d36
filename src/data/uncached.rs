//! Writing to the local disk without filling the page cache.
//!
//! What is fetched is in the memory of the mount, and soon in the kernel's cache of the mounted file; sealed bytes in the page cache
//! besides push out what programs use. The kernel can be told so with each write (RWF_DONTCACHE, Linux 6.14,
//! pwritev2(2)): it starts to write at once and then uses the pages for what comes next, which also costs half the
//! processor time or less. Where the kernel or the filesystem does not know it, writes are ordinary ones.

use std::fs::File;
use std::io::{self, ErrorKind, IoSlice};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::{Errno, ReadWriteFlags, pwritev2};

/// RWF_DONTCACHE of include/uapi/linux/fs.h.
const DONT_CACHE: ReadWriteFlags = ReadWriteFlags::from_bits_retain(0x80);

/// Writes in this way until it is known not to work.
#[derive(Default)]
pub(super) struct Uncached {
    refused: AtomicBool,
}

impl Uncached {
    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// Those of pwrite(2); part of the bytes may be written then.
    pub fn write_all_at(&self, file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
        while !bytes.is_empty() && !self.refused.load(Ordering::Relaxed) {
            match pwritev2(file, &[IoSlice::new(bytes)], offset, DONT_CACHE) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => {
                    bytes = &bytes[written..];
                    offset += written as u64;
                }
                Err(Errno::INTR) => {}
                Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {
                    self.refused.store(true, Ordering::Relaxed);
                }
                Err(error) => return Err(error.into()),
            }
        }
        file.write_all_at(bytes, offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_arrive_at_their_place_whether_the_kernel_knows_the_flag_or_not() {
        let file = tempfile::tempfile().unwrap();
        let (known, refused) = (Uncached::default(), Uncached { refused: AtomicBool::new(true) });
        for (way, offset) in [(known, 3), (refused, 100_000)] {
            let bytes: Vec<u8> = (0..90_000_u32).map(|number| number as u8).collect();
            way.write_all_at(&file, &bytes, offset).unwrap();
            let mut back = vec![0; bytes.len()];
            file.read_exact_at(&mut back, offset).unwrap();
            assert_eq!(back, bytes);
        }
    }

    #[test]
    fn a_file_that_cannot_be_written_is_an_error() {
        let place = tempfile::NamedTempFile::new().unwrap();
        let file = File::open(place.path()).unwrap();
        let error = Uncached::default().write_all_at(&file, b"x", 0).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EBADF));
    }
}
