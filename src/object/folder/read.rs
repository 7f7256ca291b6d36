//! Reading objects: get and head.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use bytes::Bytes;
use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, openat};
use rustix::io::Errno;

use super::store::{LINK, Store, check_object, modified, place};
use super::trouble::Trouble;
use crate::object::bucket::{ETag, Fetched, ObjectInfo};
use crate::object::encryption::StoredEncryption;
use crate::object::error::ErrorKind;
use crate::object::range::resolve_range;

/// The version of a file: replacements are other inodes with a later time.
pub(super) fn etag(stat: &Stat) -> ETag {
    let time = modified(stat);
    ETag(format!("{:x}-{:x}-{:x}.{:x}", stat.st_ino, stat.st_size, time.secs, time.nanos))
}

impl Store {
    pub(super) fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<Fetched, Trouble> {
        let (file, stat) = self.open_object("get", key)?;
        let object_len = stat.st_size as u64;
        let range = resolve_range(key, range.as_ref(), object_len)?;
        let mut bytes = vec![0; (range.end - range.start) as usize];
        // Objects never change in place: a file that ends early was cut by somebody else.
        file.read_exact_at(&mut bytes, range.start)?;
        Ok(Fetched { bytes: Bytes::from(bytes), etag: etag(&stat), object_len })
    }

    pub(super) fn head(&self, key: &str) -> Result<ObjectInfo, Trouble> {
        let (_, stat) = self.open_object("head", key)?;
        Ok(ObjectInfo {
            len: stat.st_size as u64,
            etag: etag(&stat),
            modified: modified(&stat),
            encryption: StoredEncryption::default(),
        })
    }

    /// Opens a regular file for reading; O_NONBLOCK so that a planted pipe cannot hold the thread.
    fn open_object(&self, operation: &'static str, key: &str) -> Result<(File, Stat), Trouble> {
        let place = place(operation, key)?;
        let chain = self.walk(&place.folders)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match openat(chain.last(self), place.name, flags, Mode::empty()) {
            Err(Errno::LOOP) => return Err(LINK),
            other => File::from(other?),
        };
        let stat = fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            return Err(Trouble::Refused(ErrorKind::NotFound, "only a folder has this name"));
        }
        check_object(&stat)?;
        Ok((file, stat))
    }
}
