//! Where sealed segments wait on disk when the bucket is slow or away.
//!
//! A spooled segment is a file without a name: the kernel frees it when the last handle closes, however the
//! process ends, so there is nothing to clean up and nothing to find. What the spool holds is not durable
//! and does not have to be: nothing in it has been acknowledged as being in the bucket.

use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::PathBuf;

use bytes::Bytes;

use crate::object::Buffers;

/// A folder for nameless files. Every method blocks on the disk.
pub(super) struct Spool {
    folder: PathBuf,
}

impl Spool {
    /// The folder need not exist yet.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Writes sealed bytes to a new nameless file.
    ///
    /// # Errors
    /// Whatever the disk says; nothing is left behind then.
    pub fn store(&self, sealed: &[u8]) -> io::Result<SpoolFile> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let mut file = tempfile::tempfile_in(&self.folder)?;
        file.write_all(sealed)?;
        Ok(SpoolFile { file, len: sealed.len() as u64 })
    }
}

/// One spooled segment; its space is free again when this is dropped.
pub(super) struct SpoolFile {
    file: File,
    len: u64,
}

impl SpoolFile {
    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Reads part of the segment.
    ///
    /// # Errors
    /// Whatever the disk says; `UnexpectedEof` past the end.
    pub fn read(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
        if range.end > self.len || range.start > range.end {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut bytes = vec![0; (range.end - range.start) as usize];
        self.file.read_exact_at(&mut bytes, range.start)?;
        Ok(bytes)
    }

    /// Reads the whole segment, into one of `buffers`.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn read_all(&self, buffers: &Buffers) -> io::Result<Bytes> {
        let mut bytes = buffers.take(self.len as usize);
        bytes.resize(self.len as usize, 0);
        self.file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes.freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spooled_segment_has_no_name_and_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(folder.path().join("a/spool"));
        let file = spool.store(b"0123456789").unwrap();
        assert_eq!(std::fs::read_dir(folder.path().join("a/spool")).unwrap().count(), 0);
        assert_eq!(file.read(2..5).unwrap(), b"234");
        assert_eq!(file.read_all(&Buffers::default()).unwrap(), "0123456789");
        assert_eq!(file.read(5..11).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
