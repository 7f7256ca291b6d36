//! Requests about names and listings.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::Duration;

use fuser::{
    Errno, FileHandle, FopenFlags, Generation, INodeNo, ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty,
    ReplyEntry, ReplyOpen,
};

use super::adapter::Adapter;
use super::convert;
use super::lanes::{Lane, guarded};
use crate::base::Ino;
use crate::fs::{Attr, Caller, Entry, Filesystem, FsError, Listed, RenameMode};

/// How long the kernel may say by itself that a name does not exist. Who waits for a file that another machine makes asks
/// again and again, and that is what lets a mount that has been alone look at the log.
const ABSENT: Duration = Duration::from_secs(5);

impl Adapter {
    /// A name that does not exist is told to the kernel as such, so that it need not ask again for a while.
    pub(super) fn lookup_entry(&self, parent: Ino, name: Vec<u8>, reply: ReplyEntry) {
        let (ttl, absent) = (self.ttl, self.ttl.min(ABSENT));
        let work = move |fs: &Filesystem| match fs.lookup(parent, &name) {
            Ok(entry) => Ok(Some(entry)),
            Err(FsError::NotFound) => Ok(None),
            Err(error) => Err(error),
        };
        self.serve(Lane::Read, reply, work, move |reply, result| match result {
            Ok(Some(entry)) => {
                reply.entry(&ttl, &convert::attr(&entry.attr), Generation(entry.generation));
            }
            Ok(None) => reply.entry(&absent, &convert::nothing(), Generation(0)),
            Err(errno) => reply.error(errno),
        });
    }

    /// mkdir, mknod, symlink, link: answered with the new entry.
    pub(super) fn make_entry(
        &self,
        reply: ReplyEntry,
        work: impl Fn(&Filesystem) -> Result<Entry, FsError> + Send + 'static,
    ) {
        let ttl = self.ttl;
        self.serve(Lane::Change, reply, work, move |reply, result| match result {
            Ok(entry) => reply.entry(&ttl, &convert::attr(&entry.attr), Generation(entry.generation)),
            Err(errno) => reply.error(errno),
        });
    }

    pub(super) fn rename_entry(
        &self,
        caller: Caller,
        from: (Ino, Vec<u8>),
        to: (Ino, Vec<u8>),
        flags: u32,
        reply: ReplyEmpty,
    ) {
        self.serve_empty(Lane::Change, reply, move |fs| {
            let (mode, whiteout) = RenameMode::from_flags(flags)?;
            if whiteout {
                return fs.rename_leaving_whiteout(&caller, (from.0, &from.1), (to.0, &to.1), mode);
            }
            fs.rename(from.0, &from.1, to.0, &to.1, mode)
        });
    }

    /// The kernel may keep the listing: it drops it when something changes here, and is told when something
    /// changes elsewhere.
    pub(super) fn open_directory(&self, ino: Ino, reply: ReplyOpen) {
        let cached = FopenFlags::FOPEN_CACHE_DIR | FopenFlags::FOPEN_KEEP_CACHE;
        self.serve(
            Lane::Read,
            reply,
            move |fs| fs.open_directory(ino),
            move |reply, result| match result {
                Ok(()) => reply.opened(FileHandle(0), cached),
                Err(errno) => reply.error(errno),
            },
        );
    }

    pub(super) fn read_directory(&self, ino: Ino, offset: u64, mut reply: ReplyDirectory) {
        let fs = self.fs.clone();
        self.lanes.run(Lane::Read, move || {
            let filled = fill(&fs, ino, offset, false, |entry| {
                let (number, kind) = (INodeNo(entry.ino.0), convert::kind(entry.kind));
                reply.add(number, entry.cookie, kind, OsStr::from_bytes(&entry.name))
            });
            match filled {
                Ok(()) => reply.ok(),
                Err(errno) => reply.error(errno),
            }
        });
    }

    pub(super) fn read_directory_plus(&self, ino: Ino, offset: u64, mut reply: ReplyDirectoryPlus) {
        let (fs, ttl) = (self.fs.clone(), self.ttl);
        self.lanes.run(Lane::Read, move || {
            let filled = fill(&fs, ino, offset, true, |entry| {
                let (number, name) = (INodeNo(entry.ino.0), OsStr::from_bytes(&entry.name));
                let Some(attr) = &entry.attr else {
                    // "." and "..": the kernel takes their names only and counts no lookup.
                    let attr = convert::attr(&Attr::dot(entry.ino));
                    return reply.add(number, entry.cookie, name, &ttl, &attr, Generation(0));
                };
                let generation = Generation(fs.inodes().looked_up(entry.ino));
                let full = reply.add(number, entry.cookie, name, &ttl, &convert::attr(attr), generation);
                if full {
                    fs.forget(entry.ino, 1);
                }
                full
            });
            match filled {
                Ok(()) => reply.ok(),
                Err(errno) => reply.error(errno),
            }
        });
    }
}

/// Gives entries to `add` until it says that the buffer is full. An error after the first entry is left to
/// the next request: the kernel must learn of the entries whose lookups are counted.
fn fill(
    fs: &Arc<Filesystem>,
    ino: Ino,
    offset: u64,
    plus: bool,
    mut add: impl FnMut(&Listed) -> bool,
) -> Result<(), Errno> {
    let mut cookie = offset;
    loop {
        let page = match guarded(|| fs.attempt(|fs| fs.list(ino, cookie, plus))) {
            Ok(page) => page,
            Err(_) if cookie != offset => return Ok(()),
            Err(errno) => return Err(errno),
        };
        if page.is_empty() {
            return Ok(());
        }
        for entry in &page {
            if add(entry) {
                return Ok(());
            }
            cookie = entry.cookie;
        }
    }
}
