//! Writing objects: a synced temporary file, linked or renamed into place.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::time::Duration;

use data_encoding::HEXLOWER;
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags, Stat, Timespec, Timestamps};
use rustix::fs::{fstat, fsync, futimens, linkat, openat, renameat, renameat_with, unlinkat};
use rustix::io::{Errno, retry_on_intr};

use super::read::etag;
use super::store::{Place, Store, TEMP_PREFIX, find_object, modified, place};
use super::trouble::Trouble;
use crate::base::Timestamp;
use crate::object::bucket::{Condition, ETag};
use crate::object::error::ErrorKind;

/// How often a creation makes its folders again when deletes keep removing them.
const MAX_ROUNDS: usize = 100;

/// A complete, synced file in the hidden sub-folder; removed when dropped (its link or new name stays).
struct Temp<'a> {
    hidden: &'a OwnedFd,
    name: String,
    file: File,
}

impl Drop for Temp<'_> {
    fn drop(&mut self) {
        match unlinkat(self.hidden, self.name.as_str(), AtFlags::empty()) {
            // Renamed into place.
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => log::debug!("temporary file {} stays until it is stale: {errno}", self.name),
        }
    }
}

impl Store {
    pub(super) fn put(&self, key: &str, body: &[u8], condition: &Condition) -> Result<ETag, Trouble> {
        let place = place("put", key)?;
        let hidden = self.hidden()?;
        match condition {
            Condition::CreateOnly => self.create(&hidden, &place, body),
            Condition::Matches(wanted) => self.replace(&hidden, &place, body, Some(wanted)),
            Condition::Overwrite => self.replace(&hidden, &place, body, None),
        }
    }

    /// Publishes a new object unless one exists. link(2) decides, so no lock is needed.
    fn create(&self, hidden: &OwnedFd, place: &Place<'_>, body: &[u8]) -> Result<ETag, Trouble> {
        if self.look(place)?.is_some() {
            return Err(EXISTS);
        }
        let temp = self.write_temp(hidden, body, self.clock.now())?;
        for _ in 0..MAX_ROUNDS {
            let chain = match self.make_folders(&place.folders) {
                Err(Trouble::Os(Errno::NOENT)) => {
                    self.check_alive()?;
                    continue;
                }
                other => other?,
            };
            match publish(&temp, chain.last(self), place.name) {
                Ok(()) => {
                    self.sync_chain(&place.folders, &chain)?;
                    return Ok(etag(&fstat(&temp.file)?));
                }
                // The folder was empty for a moment and a delete removed it.
                Err(Trouble::Os(Errno::NOENT)) => self.check_alive()?,
                Err(trouble) => return Err(trouble),
            }
        }
        Err(Trouble::Refused(ErrorKind::Transient, "the folder is removed again and again"))
    }

    /// Replaces an object under the lock: any version, or only `wanted`.
    fn replace(
        &self,
        hidden: &OwnedFd,
        place: &Place<'_>,
        body: &[u8],
        wanted: Option<&ETag>,
    ) -> Result<ETag, Trouble> {
        let _lock = self.lock(hidden)?;
        let current = self.look(place)?;
        if let Some(wanted) = wanted {
            match &current {
                None => return Err(Trouble::Refused(ErrorKind::Precondition, "no object has this key")),
                Some(stat) if etag(stat) != *wanted => return Err(CHANGED),
                Some(_) => {}
            }
        }
        let now = self.clock.now();
        let time = current.map_or(now, |stat| now.max(just_after(modified(&stat))));
        let temp = self.write_temp(hidden, body, time)?;
        let chain = self.make_folders(&place.folders)?;
        renameat(hidden, temp.name.as_str(), chain.last(self), place.name)?;
        self.sync_chain(&place.folders, &chain)?;
        Ok(etag(&fstat(&temp.file)?))
    }

    /// The object at `place`, if there is one.
    fn look(&self, place: &Place<'_>) -> Result<Option<Stat>, Trouble> {
        match self.walk(&place.folders) {
            Ok(chain) => find_object(chain.last(self), place.name),
            Err(Trouble::Os(Errno::NOENT)) => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    fn write_temp<'a>(&self, hidden: &'a OwnedFd, body: &[u8], time: Timestamp) -> Result<Temp<'a>, Trouble> {
        let mut id = [0; 16];
        self.random.fill(&mut id);
        let name = format!("{TEMP_PREFIX}{}", HEXLOWER.encode(&id));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(openat(hidden, name.as_str(), flags, Mode::RUSR | Mode::WUSR)?);
        let mut temp = Temp { hidden, name, file };
        temp.file.write_all(body)?;
        let time = Timespec { tv_sec: time.secs, tv_nsec: i64::from(time.nanos) };
        futimens(&temp.file, &Timestamps { last_access: time, last_modification: time })?;
        retry_on_intr(|| fsync(&temp.file))?;
        Ok(temp)
    }
}

const EXISTS: Trouble = Trouble::Refused(ErrorKind::Precondition, "an object of this key exists");
const CHANGED: Trouble = Trouble::Refused(ErrorKind::Precondition, "the object has another ETag");

/// Gives the file its key, unless something has it: by link(2), or where the disk has no hard links by
/// renameat2(2) with RENAME_NOREPLACE.
fn publish(temp: &Temp<'_>, folder: &OwnedFd, name: &str) -> Result<(), Trouble> {
    match linkat(temp.hidden, temp.name.as_str(), folder, name, AtFlags::empty()) {
        Ok(()) => Ok(()),
        // A network disk may repeat a request whose reply was lost and find its own link.
        Err(Errno::EXIST) if fstat(&temp.file)?.st_nlink == 2 => Ok(()),
        Err(Errno::EXIST) => Err(EXISTS),
        Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK) => {
            let moved = renameat_with(temp.hidden, temp.name.as_str(), folder, name, RenameFlags::NOREPLACE);
            match moved {
                Err(Errno::EXIST) => Err(EXISTS),
                Err(Errno::INVAL | Errno::NOSYS) => Err(Trouble::Refused(
                    ErrorKind::Invalid,
                    "this disk can neither link files nor rename without replacing",
                )),
                other => Ok(other?),
            }
        }
        Err(errno) => Err(errno.into()),
    }
}

/// The smallest later time that a file can have.
fn just_after(time: Timestamp) -> Timestamp {
    Timestamp::from_system(time.to_system() + Duration::from_nanos(1))
}
