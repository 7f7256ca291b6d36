//! Tells the kernel what other machines changed, so that it may believe its caches for as long as it likes.
//!
//! The volume reports changed keys; a thread of its own turns them into notifications. Never a thread that
//! serves requests: the kernel may hold a lock that is released by a reply. The queue merges what is the
//! same and is bounded: too many names become "everything in this directory", too many inodes become
//! "everything the kernel knows". A removed name is found out by its inode, so no name is missed by that.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::thread::JoinHandle;

use bytes::Bytes;
use fuser::{INodeNo, Notifier};
use parking_lot::{Condvar, Mutex};

use super::space::Space;
use crate::base::Ino;
use crate::fs::inode_table::InodeTable;
use crate::fs::{Changed, Filesystem};
use crate::volume::Observer;

/// Most names, directories and inodes that wait, each.
const QUEUE: usize = 16_384;

/// What the kernel must forget.
#[derive(Debug, Default, PartialEq, Eq)]
struct Pending {
    names: HashSet<(Ino, Bytes)>,
    directories: HashSet<Ino>,
    inodes: HashSet<Ino>,
    /// Of these only the attributes: it was this machine that wrote them.
    attributes: HashSet<Ino>,
    everything: bool,
    stop: bool,
}

impl Pending {
    fn is_idle(&self) -> bool {
        let nothing = self.names.is_empty() && self.directories.is_empty() && self.inodes.is_empty();
        nothing && self.attributes.is_empty() && !self.everything && !self.stop
    }

    fn name(&mut self, parent: Ino, name: &[u8]) {
        if self.everything || self.directories.contains(&parent) {
            return;
        }
        if self.names.len() >= QUEUE {
            self.names.retain(|(directory, _)| *directory != parent);
            self.directories.insert(parent);
            self.bound();
        } else {
            self.names.insert((parent, Bytes::copy_from_slice(name)));
        }
    }

    fn inode(&mut self, ino: Ino) {
        if !self.everything {
            self.inodes.insert(ino);
            self.bound();
        }
    }

    /// More than a queue's worth is left out: who closes a file makes the kernel ask, too.
    fn attributes(&mut self, ino: Ino) {
        if self.attributes.len() < QUEUE {
            self.attributes.insert(ino);
        }
    }

    fn bound(&mut self) {
        if self.inodes.len() > QUEUE || self.directories.len() > QUEUE {
            *self = Self { everything: true, stop: self.stop, ..Self::default() };
        }
    }
}

#[derive(Default)]
struct Queue {
    pending: Mutex<Pending>,
    wake: Condvar,
}

/// The volume's side: takes keys, never waits.
struct Listener {
    queue: Arc<Queue>,
    inodes: Arc<InodeTable>,
}

impl Observer for Listener {
    fn changed(&self, keys: &[Vec<u8>]) {
        let mut pending = self.queue.pending.lock();
        for key in keys {
            match Changed::of(key) {
                Some(Changed::Name { parent, name }) if self.inodes.is_known(parent) => {
                    pending.name(parent, name);
                }
                Some(Changed::Inode(ino)) if self.inodes.is_known(ino) => pending.inode(ino),
                Some(Changed::Name { .. } | Changed::Inode(_)) | None => {}
            }
        }
        if !pending.is_idle() {
            self.queue.wake.notify_one();
        }
    }
}

/// The queue and its thread.
pub struct Notifications {
    queue: Arc<Queue>,
    inodes: Arc<InodeTable>,
    thread: Option<JoinHandle<()>>,
}

impl Notifications {
    /// Starts telling the kernel behind `notifier`, of the files in `space` also when they have been stored.
    pub fn start(fs: Arc<Filesystem>, notifier: Notifier, space: Space) -> Result<Self, io::Error> {
        let queue = Arc::new(Queue::default());
        fs.content().set_settled({
            let queue = Arc::clone(&queue);
            // Called with locks held and everything else standing still: it must not wait for the kernel.
            move |ino| {
                if space.take(ino) {
                    queue.pending.lock().attributes(ino);
                    queue.wake.notify_one();
                }
            }
        });
        let inodes = fs.inodes().clone();
        let teller = Teller { fs, notifier, queue: queue.clone() };
        let thread = std::thread::Builder::new().name("hushfs-notify".into()).spawn(move || teller.run())?;
        Ok(Self { queue, inodes, thread: Some(thread) })
    }

    /// What the volume reports changes to.
    pub fn observer(&self) -> Arc<dyn Observer> {
        Arc::new(Listener { queue: self.queue.clone(), inodes: self.inodes.clone() })
    }
}

impl Drop for Notifications {
    fn drop(&mut self) {
        self.queue.pending.lock().stop = true;
        self.queue.wake.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the thread that tells the kernel about changes panicked");
        }
    }
}

/// The thread's side.
struct Teller {
    fs: Arc<Filesystem>,
    notifier: Notifier,
    queue: Arc<Queue>,
}

impl Teller {
    fn run(&self) {
        loop {
            let pending = self.take();
            if pending.stop {
                return;
            }
            if pending.everything {
                self.fs.inodes().all_known().into_iter().for_each(|ino| self.directory(ino));
            }
            for (parent, name) in &pending.names {
                self.name(*parent, name);
            }
            pending.directories.into_iter().for_each(|ino| self.directory(ino));
            pending.inodes.into_iter().for_each(|ino| self.inode(ino));
            for ino in pending.attributes {
                // A negative offset leaves the pages alone.
                self.told("attributes", self.notifier.inval_inode(INodeNo(ino.0), -1, 0));
            }
        }
    }

    fn take(&self) -> Pending {
        let mut pending = self.queue.pending.lock();
        while pending.is_idle() {
            self.queue.wake.wait(&mut pending);
        }
        let stop = pending.stop;
        std::mem::replace(&mut *pending, Pending { stop, ..Pending::default() })
    }

    fn name(&self, parent: Ino, name: &[u8]) {
        self.told("a name", self.notifier.inval_entry(INodeNo(parent.0), OsStr::from_bytes(name)));
    }

    fn inode(&self, ino: Ino) {
        if let Err(error) = self.fs.changed_elsewhere(ino) {
            log::warn!("inode {ino} was changed elsewhere and cannot be read: {error}");
        }
        // Attributes, and all cached pages (length 0 is "to the end").
        self.told("an inode", self.notifier.inval_inode(INodeNo(ino.0), 0, 0));
    }

    /// Everything in a directory, and itself. Harmless for other inodes.
    fn directory(&self, ino: Ino) {
        let mut cookie = 0;
        loop {
            match self.fs.names_after(ino, cookie) {
                Ok((names, _)) if names.is_empty() => break,
                Ok((names, next)) => {
                    names.iter().for_each(|name| self.name(ino, name));
                    cookie = next;
                }
                Err(error) => {
                    log::warn!("directory {ino} was changed elsewhere and cannot be listed: {error}");
                    break;
                }
            }
        }
        self.inode(ino);
    }

    /// The kernel refuses names it has never heard of, and everything once the mount is gone.
    fn told(&self, what: &str, result: io::Result<()>) {
        if let Err(error) = result {
            log::debug!("the kernel did not take back {what}: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::key;

    fn listener() -> Listener {
        Listener { queue: Arc::default(), inodes: Arc::default() }
    }

    #[test]
    fn only_what_the_kernel_knows_is_taken_back() {
        let listener = listener();
        let (known, unknown) = (Ino(7), Ino(8));
        let _ = listener.inodes.looked_up(known);
        let keys =
            [key::inode(known), key::inode(unknown), key::dentry(known, b"a"), key::dentry(unknown, b"a")];
        listener.changed(&keys);
        let pending = listener.queue.pending.lock();
        assert_eq!(pending.inodes, HashSet::from([known]));
        assert_eq!(pending.names, HashSet::from([(known, Bytes::from_static(b"a"))]));
    }

    #[test]
    fn too_many_names_become_their_directory_and_too_many_inodes_become_everything() {
        let mut pending = Pending::default();
        for number in 0..=QUEUE {
            pending.name(Ino(5), number.to_string().as_bytes());
        }
        assert!(pending.names.is_empty());
        assert_eq!(pending.directories, HashSet::from([Ino(5)]));
        pending.name(Ino(5), b"one more");
        assert!(pending.names.is_empty());
        (0..=QUEUE as u64).for_each(|ino| pending.inode(Ino(ino)));
        assert_eq!(pending, Pending { everything: true, ..Pending::default() });
        pending.inode(Ino(1));
        assert!(pending.inodes.is_empty());
    }
}
