//! One op in the making: the inodes and the superblock that it touches, each decoded and encoded once.
//!
//! Invariant: while an op runs, an inode's truth is here, not in the transaction; `finish` writes back what
//! was changed. Other records go to the transaction at once.
use crate::base::{Ino, Timestamp};
use crate::meta::key;
use crate::meta::overlay::Txn;
use crate::meta::read;
use crate::meta::record::{Dentry, FileKind, Inode, MAX_LINKS, Superblock};
use crate::meta::view::ReadError;

use super::{ApplyError, Context};

pub(super) struct Edit<'t, 'v> {
    pub txn: &'t mut Txn<'v>,
    pub context: Context,
    superblock: Option<Loaded<Superblock>>,
    /// A handful at most: an op names few inodes.
    inodes: Vec<(Ino, Loaded<Inode>)>,
}

struct Loaded<T> {
    value: T,
    changed: bool,
}

impl<'t, 'v> Edit<'t, 'v> {
    pub fn new(txn: &'t mut Txn<'v>, context: Context) -> Self {
        Self { txn, context, superblock: None, inodes: Vec::with_capacity(4) }
    }

    /// Writes back what was changed.
    pub fn finish(self) {
        for (ino, inode) in self.inodes {
            if inode.changed {
                self.txn.put(key::inode(ino), inode.value.encode());
            }
        }
        if let Some(superblock) = self.superblock.filter(|superblock| superblock.changed) {
            self.txn.put(key::superblock(), superblock.value.encode());
        }
    }

    pub fn superblock(&mut self) -> Result<&Superblock, ApplyError> {
        Ok(&self.load_superblock()?.value)
    }

    pub fn superblock_mut(&mut self) -> Result<&mut Superblock, ApplyError> {
        let superblock = self.load_superblock()?;
        superblock.changed = true;
        Ok(&mut superblock.value)
    }

    fn load_superblock(&mut self) -> Result<&mut Loaded<Superblock>, ApplyError> {
        let loaded = match self.superblock.take() {
            Some(loaded) => loaded,
            None => Loaded { value: read::superblock(self.txn)?, changed: false },
        };
        Ok(self.superblock.insert(loaded))
    }

    /// The inode, if it exists for the writing session: an unlinked one exists for the session that keeps it
    /// open, and for nobody else.
    pub fn inode(&mut self, ino: Ino) -> Result<&Inode, ApplyError> {
        let at = self.load(ino)?;
        if self.inodes[at].1.value.nlink == 0 {
            let slot = read::orphan(self.txn, ino)?.map_or(0, |orphan| orphan.slot);
            if slot == 0 || slot != self.context.slot {
                return Err(ApplyError::NoInode(ino));
            }
        }
        Ok(&self.inodes[at].1.value)
    }

    /// Like [`Self::inode`], to be changed.
    pub fn inode_mut(&mut self, ino: Ino) -> Result<&mut Inode, ApplyError> {
        self.inode(ino)?;
        self.any_inode_mut(ino)
    }

    /// The inode, whoever it exists for.
    pub fn any_inode_mut(&mut self, ino: Ino) -> Result<&mut Inode, ApplyError> {
        let at = self.load(ino)?;
        let loaded = &mut self.inodes[at].1;
        loaded.changed = true;
        Ok(&mut loaded.value)
    }

    fn load(&mut self, ino: Ino) -> Result<usize, ApplyError> {
        if let Some(at) = self.inodes.iter().position(|(loaded, _)| *loaded == ino) {
            return Ok(at);
        }
        let value = read::inode(self.txn, ino)?.ok_or(ApplyError::NoInode(ino))?;
        self.inodes.push((ino, Loaded { value, changed: false }));
        Ok(self.inodes.len() - 1)
    }

    /// The parent of a directory, without keeping the inode: a walk to the root may be long.
    pub fn ancestor(&self, ino: Ino) -> Result<Ino, ApplyError> {
        let loaded = self.inodes.iter().find(|(loaded, _)| *loaded == ino);
        match loaded {
            Some((_, inode)) => Ok(inode.value.parent),
            None => Ok(read::inode(self.txn, ino)?.ok_or(ApplyError::NoInode(ino))?.parent),
        }
    }

    /// A new inode; the caller has checked that its number is free.
    pub fn insert_inode(&mut self, ino: Ino, inode: Inode) {
        self.inodes.push((ino, Loaded { value: inode, changed: true }));
    }

    /// Forgets the inode and removes its record.
    pub fn remove_inode(&mut self, ino: Ino) {
        self.inodes.retain(|(loaded, _)| *loaded != ino);
        self.txn.remove(key::inode(ino));
    }

    /// A directory that can be looked into.
    pub fn directory(&mut self, ino: Ino) -> Result<&Inode, ApplyError> {
        let inode = self.inode(ino)?;
        if inode.kind == FileKind::Directory { Ok(inode) } else { Err(ApplyError::NotDirectory) }
    }

    /// The entry `name` of a directory, if there is one.
    pub fn entry(&mut self, parent: Ino, name: &[u8]) -> Result<Option<Dentry>, ApplyError> {
        self.directory(parent)?;
        Ok(read::lookup(self.txn, parent, name)?)
    }

    /// The entry `name` of a directory, which the caller saw to be `ino`.
    pub fn expected_entry(&mut self, parent: Ino, name: &[u8], ino: Ino) -> Result<Dentry, ApplyError> {
        let dentry = self.entry(parent, name)?.ok_or(ApplyError::NoEntry)?;
        if dentry.ino == ino { Ok(dentry) } else { Err(ApplyError::Changed) }
    }

    /// Points a name at an inode. Counts are the caller's: see [`Self::entry_added`].
    pub fn put_entry(&mut self, parent: Ino, name: &[u8], ino: Ino, kind: FileKind) {
        self.txn.put(key::dentry(parent, name), Dentry { ino, kind }.encode());
    }

    /// Counts an entry that a directory has gained.
    pub fn entry_added(&mut self, parent: Ino, kind: FileKind, time: Timestamp) -> Result<(), ApplyError> {
        let directory = self.inode_mut(parent)?;
        add(&mut directory.size, 1, "a directory's entries")?;
        if kind == FileKind::Directory {
            add_link(directory)?;
        }
        touch(directory, time);
        Ok(())
    }

    /// Counts an entry that a directory has lost.
    pub fn entry_removed(&mut self, parent: Ino, kind: FileKind, time: Timestamp) -> Result<(), ApplyError> {
        let directory = self.inode_mut(parent)?;
        subtract(&mut directory.size, 1, "a directory's entries")?;
        if kind == FileKind::Directory {
            drop_link(directory)?;
        }
        touch(directory, time);
        Ok(())
    }

    /// Counts allocated bytes of the volume that came and went with one op, and asks the quota.
    pub fn charge(&mut self, added: u64, freed: u64) -> Result<(), ApplyError> {
        if added == freed {
            return Ok(());
        }
        let enforce = self.context.enforce_quota;
        let superblock = self.superblock_mut()?;
        add(&mut superblock.allocated, added, "the volume's bytes")?;
        subtract(&mut superblock.allocated, freed, "the volume's bytes")?;
        let over = superblock.quota_bytes != 0 && superblock.allocated > superblock.quota_bytes;
        if enforce && added > freed && over { Err(ApplyError::Quota) } else { Ok(()) }
    }
}

/// One more name, or one more subdirectory.
pub(super) fn add_link(inode: &mut Inode) -> Result<(), ApplyError> {
    if inode.nlink >= MAX_LINKS {
        return Err(ApplyError::TooManyLinks);
    }
    inode.nlink += 1;
    Ok(())
}

/// One name or subdirectory less.
pub(super) fn drop_link(inode: &mut Inode) -> Result<(), ApplyError> {
    inode.nlink = inode.nlink.checked_sub(1).ok_or_else(|| miscounted("the links of an inode"))?;
    Ok(())
}

/// Entries came or went.
pub(super) fn touch(directory: &mut Inode, time: Timestamp) {
    directory.mtime = time;
    directory.ctime = time;
}

pub(super) fn add(count: &mut u64, more: u64, what: &str) -> Result<(), ApplyError> {
    *count = count.checked_add(more).ok_or_else(|| miscounted(what))?;
    Ok(())
}

pub(super) fn subtract(count: &mut u64, less: u64, what: &str) -> Result<(), ApplyError> {
    *count = count.checked_sub(less).ok_or_else(|| miscounted(what))?;
    Ok(())
}

fn miscounted(what: &str) -> ApplyError {
    ReadError::Corrupt(format!("{what} are miscounted")).into()
}
