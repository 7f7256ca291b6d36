//! Listing keys in byte order, reading only the folders that can hold a key of the page.
//!
//! A folder sorts as its name with a slash, because that is how its keys go on: `a-b` comes before `a/b`,
//! which comes before `a0`. Objects that are written or deleted meanwhile may or may not be in the
//! list.

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Dir, FileType, statat};
use rustix::io::Errno;

use super::store::{Store, find_object, modified, open_folder};
use super::trouble::Trouble;
use crate::object::bucket::{Listed, Page};
use crate::object::error::ErrorKind;
use crate::object::key::{MAX_KEY_LEN, check_key};

/// What a page asks for, and what was found so far.
struct Search<'a> {
    prefix: &'a str,
    after: Option<&'a str>,
    limit: usize,
    found: Vec<Listed>,
}

/// A folder's entry. `path` is its key, or for a folder the beginning of its keys with the slash.
struct Entry {
    name: String,
    path: String,
    is_folder: bool,
}

impl Store {
    pub(super) fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page, Trouble> {
        self.check_alive()?;
        let (base, _) = prefix.rsplit_once('/').unwrap_or(("", prefix));
        let folders: Vec<&str> = if base.is_empty() { Vec::new() } else { base.split('/').collect() };
        if folders.iter().any(|part| part.starts_with('.')) {
            return Ok(Page::default());
        }
        let chain = match self.walk(&folders) {
            Err(Trouble::Os(Errno::NOENT) | Trouble::FileInTheWay) => return Ok(Page::default()),
            other => other?,
        };
        let mut search = Search { prefix, after, limit, found: Vec::new() };
        let path = if base.is_empty() { String::new() } else { format!("{base}/") };
        search.visit(chain.last(self), &path)?;
        let more = search.found.len() > limit;
        search.found.truncate(limit);
        Ok(Page { objects: search.found, more })
    }
}

impl Search<'_> {
    /// One object more than asked for tells that there are more.
    fn is_full(&self) -> bool {
        self.found.len() > self.limit
    }

    /// Adds the keys of one folder in order, until the page is full. The recursion is as deep as the
    /// longest key has parts.
    fn visit(&mut self, folder: &OwnedFd, path: &str) -> Result<(), Trouble> {
        for entry in self.entries(folder, path)? {
            if self.is_full() {
                break;
            }
            if entry.is_folder {
                match open_folder(folder, &entry.name) {
                    Ok(inner) => self.visit(&inner, &entry.path)?,
                    // Deleted or replaced since it was read.
                    Err(Trouble::Os(Errno::NOENT) | Trouble::FileInTheWay) => {}
                    Err(Trouble::Refused(ErrorKind::Invalid, _)) => {}
                    Err(trouble) => return Err(trouble),
                }
            } else {
                match find_object(folder, &entry.name) {
                    Ok(Some(stat)) => self.found.push(Listed {
                        key: entry.path,
                        len: stat.st_size as u64,
                        modified: modified(&stat),
                    }),
                    Ok(None) | Err(Trouble::Refused(ErrorKind::Invalid, _)) => {}
                    Err(trouble) => return Err(trouble),
                }
            }
        }
        Ok(())
    }

    /// The entries of a folder that can belong to the page, in the order of their keys.
    fn entries(&self, folder: &OwnedFd, path: &str) -> Result<Vec<Entry>, Trouble> {
        let mut entries = Vec::new();
        for entry in Dir::read_from(folder)? {
            let entry = match entry {
                // A folder that was removed while it was read.
                Err(Errno::NOENT) => break,
                other => other?,
            };
            // What is not UTF-8, or hidden, was not put here as an object.
            let Ok(name) = entry.file_name().to_str() else { continue };
            if name.starts_with('.') {
                continue;
            }
            let is_folder = match entry.file_type() {
                FileType::Directory => true,
                FileType::RegularFile => false,
                FileType::Unknown => is_folder(folder, name)?,
                _ => continue,
            };
            let path = format!("{path}{name}{}", if is_folder { "/" } else { "" });
            let wanted = if is_folder { self.may_hold(&path) } else { self.wants(&path) };
            if wanted {
                entries.push(Entry { name: name.to_owned(), path, is_folder });
            }
        }
        entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }

    fn wants(&self, key: &str) -> bool {
        key.starts_with(self.prefix)
            && self.after.is_none_or(|after| key > after)
            && check_key("list", key).is_ok()
    }

    fn may_hold(&self, path: &str) -> bool {
        let in_prefix = path.starts_with(self.prefix) || self.prefix.starts_with(path);
        let not_past = self.after.is_none_or(|after| path > after || after.starts_with(path));
        in_prefix && not_past && path.len() <= MAX_KEY_LEN
    }
}

/// For disks that do not tell the type in their directory entries.
fn is_folder(folder: &OwnedFd, name: &str) -> Result<bool, Trouble> {
    match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(FileType::from_raw_mode(stat.st_mode) == FileType::Directory),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}
