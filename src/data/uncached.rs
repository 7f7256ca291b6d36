//! Writing to the local disk without filling the page cache, nor copying where that can be helped.
//!
//! What is fetched is in the memory of the mount, and soon in the kernel's cache of the mounted file; sealed bytes in the
//! page cache besides push out what programs use, and copying them there takes a quarter of the processor time of a mount
//! that streams a file. So whole pages go to the disk from where they are (O_DIRECT, open(2)), if they lie in memory as
//! in the file ([`Buffers::take_at`]). The rest, and everything when the disk is slower than what comes, goes
//! through the page cache, with word to the kernel that it is not read again soon (RWF_DONTCACHE, Linux 6.14, pwritev2(2)):
//! it starts to write at once and then uses the pages for what comes next. What the kernel or the filesystem does not know is
//! not tried again; writes are ordinary ones then.
//!
//! [`Buffers::take_at`]: crate::object::Buffers::take_at

use std::fs::File;
use std::io::{self, ErrorKind, IoSlice};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{Errno, ReadWriteFlags, pwrite, pwritev2};

use crate::object::PAGE;

/// RWF_DONTCACHE of include/uapi/linux/fs.h.
const DONT_CACHE: ReadWriteFlags = ReadWriteFlags::from_bits_retain(0x80);

/// Shorter writes are copied: that takes less time than the disk.
const LEAST_DIRECT: usize = 256 * 1024;

/// How bytes get to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// From where they are, as far as they lie well: takes as long as the disk does.
    Direct,
    /// By copies, which the kernel writes soon.
    Buffered,
}

/// Writes in these ways until it is known that they do not work.
#[derive(Default)]
pub(super) struct Uncached {
    no_direct: AtomicBool,
    no_hint: AtomicBool,
}

impl Uncached {
    /// Writes all of `bytes` at `offset`. Nobody else may write to this open file meanwhile.
    ///
    /// # Errors
    /// Those of pwrite(2); part of the bytes may be written then.
    pub fn write_all_at(&self, file: &File, bytes: &[u8], offset: u64, way: Way) -> io::Result<()> {
        let pages = match way {
            Way::Direct if !self.no_direct.load(Ordering::Relaxed) => whole_pages(bytes, offset),
            _ => 0..0,
        };
        let written = pages.start..self.write_direct(file, bytes, offset, pages)?;
        self.write_buffered(file, &bytes[..written.start], offset)?;
        self.write_buffered(file, &bytes[written.end..], offset + written.end as u64)
    }

    /// Returns up to where `pages` of `bytes` were written.
    fn write_direct(&self, file: &File, bytes: &[u8], offset: u64, pages: Range<usize>) -> io::Result<usize> {
        let mut done = pages.start;
        if pages.is_empty() {
            return Ok(done);
        }
        let flags = fcntl_getfl(file)?;
        if fcntl_setfl(file, flags | OFlags::DIRECT).is_err() {
            self.no_direct.store(true, Ordering::Relaxed);
            return Ok(done);
        }
        let written = loop {
            match pwrite(file, &bytes[done..pages.end], offset + done as u64) {
                Ok(0) => break Err(ErrorKind::WriteZero.into()),
                Ok(written) => done += written,
                Err(Errno::INTR) => {}
                Err(Errno::INVAL | Errno::OPNOTSUPP) => {
                    self.no_direct.store(true, Ordering::Relaxed);
                    break Ok(done);
                }
                Err(error) => break Err(io::Error::from(error)),
            }
            // A short write may end within a page.
            if pages.end - done < PAGE || !(done - pages.start).is_multiple_of(PAGE) {
                break Ok(done);
            }
        };
        fcntl_setfl(file, flags)?;
        written
    }

    fn write_buffered(&self, file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
        while !bytes.is_empty() && !self.no_hint.load(Ordering::Relaxed) {
            match pwritev2(file, &[IoSlice::new(bytes)], offset, DONT_CACHE) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => {
                    bytes = &bytes[written..];
                    offset += written as u64;
                }
                Err(Errno::INTR) => {}
                Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {
                    self.no_hint.store(true, Ordering::Relaxed);
                }
                Err(error) => return Err(error.into()),
            }
        }
        file.write_all_at(bytes, offset)
    }
}

/// The part of `bytes` that is whole pages both in memory and in the file; empty where that is little.
fn whole_pages(bytes: &[u8], offset: u64) -> Range<usize> {
    let start = bytes.as_ptr().align_offset(PAGE);
    let lies_well = (offset.wrapping_add(start as u64)).is_multiple_of(PAGE as u64);
    let len = bytes.len().saturating_sub(start) / PAGE * PAGE;
    if lies_well && len >= LEAST_DIRECT { start..start + len } else { 0..0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Buffers;

    fn numbers(len: usize) -> Vec<u8> {
        (0..len).map(|number| (number / 7) as u8).collect()
    }

    /// Where the disk is a real one, as under the sources of a checkout, whole pages go past the page cache.
    #[test]
    fn bytes_arrive_at_their_place_whether_the_kernel_knows_the_ways_or_not() {
        let known = Uncached::default();
        let none = Uncached { no_direct: AtomicBool::new(true), no_hint: AtomicBool::new(true) };
        let buffers = Buffers::new(1);
        for (uncached, way) in [(&known, Way::Direct), (&known, Way::Buffered), (&none, Way::Direct)] {
            for (len, offset) in [(1, 0), (90_000, 3), (300_000, 4096), (1_000_003, 128), (2_000_000, 4095)] {
                let file = tempfile::tempfile_in(env!("CARGO_MANIFEST_DIR")).unwrap();
                let mut buffer = buffers.take_at(len, offset);
                buffer.extend_from_slice(&numbers(len));
                uncached.write_all_at(&file, buffer.as_slice(), offset, way).unwrap();
                let mut back = vec![0; len];
                file.read_exact_at(&mut back, offset).unwrap();
                assert_eq!(back, numbers(len), "{way:?}, {len} at {offset}");
                assert_eq!(file.metadata().unwrap().len(), offset + len as u64);
            }
        }
    }

    #[test]
    fn only_whole_pages_that_lie_well_go_past_the_page_cache() {
        let mut buffer = Buffers::new(1).take_at(1 << 20, 128);
        buffer.extend_from_slice(&vec![0; 1 << 20]);
        let bytes = buffer.as_slice();
        assert_eq!(whole_pages(bytes, 128), PAGE - 128..(1 << 20) - 128);
        assert_eq!(whole_pages(bytes, 129), 0..0);
        assert_eq!(whole_pages(&bytes[1..], 129), PAGE - 129..(1 << 20) - 129);
        assert_eq!(whole_pages(&bytes[..LEAST_DIRECT], 128), 0..0);
        assert_eq!(whole_pages(&[], 0), 0..0);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_an_error() {
        let place = tempfile::NamedTempFile::new().unwrap();
        let file = File::open(place.path()).unwrap();
        for way in [Way::Direct, Way::Buffered] {
            let error = Uncached::default().write_all_at(&file, b"x", 0, way).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EBADF));
        }
    }
}
