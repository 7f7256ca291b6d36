//! All nodes by their number, and the changes of names.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use fuser::{Errno, FileAttr, FileType};
use parking_lot::RwLock;

use crate::node::Node;

const SHARDS: usize = 64;
const ROOT: u64 = 1;

/// Locks are taken a directory's first, a shard's last, never two of a kind but in `rename`, which takes directories in the
/// order of their numbers.
pub struct Tree {
    shards: Vec<RwLock<HashMap<u64, Arc<Node>>>>,
    last: AtomicU64,
}

impl Default for Tree {
    fn default() -> Self {
        let tree =
            Self { shards: (0..SHARDS).map(|_| RwLock::default()).collect(), last: AtomicU64::new(ROOT) };
        let root = Node::new(ROOT, FileType::Directory, 0o777, (0, 0), Vec::new());
        root.lookups.store(1, Ordering::Relaxed);
        tree.shard(ROOT).write().insert(ROOT, Arc::new(root));
        tree
    }
}

/// What a new node is.
pub struct New {
    pub kind: FileType,
    pub perm: u16,
    pub owner: (u32, u32),
    pub target: Vec<u8>,
}

impl Tree {
    fn shard(&self, ino: u64) -> &RwLock<HashMap<u64, Arc<Node>>> {
        &self.shards[ino as usize % SHARDS]
    }

    pub fn node(&self, ino: u64) -> Result<Arc<Node>, Errno> {
        self.shard(ino).read().get(&ino).cloned().ok_or(Errno::ENOENT)
    }

    pub fn lookup(&self, parent: u64, name: &OsStr) -> Result<Option<FileAttr>, Errno> {
        let ino = self.node(parent)?.entries.read().get(name);
        ino.map(|ino| self.node(ino).map(|node| node.looked_up())).transpose()
    }

    pub fn create(&self, parent: u64, name: &OsStr, new: New) -> Result<FileAttr, Errno> {
        let directory = self.node(parent)?;
        let mut entries = directory.entries.write();
        if entries.get(name).is_some() {
            return Err(Errno::EEXIST);
        }
        let ino = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let node = Node::new(ino, new.kind, new.perm, new.owner, new.target);
        let attr = node.looked_up();
        self.shard(ino).write().insert(ino, Arc::new(node));
        entries.insert(name, ino);
        touch(&directory);
        Ok(attr)
    }

    pub fn link(&self, ino: u64, parent: u64, name: &OsStr) -> Result<FileAttr, Errno> {
        let (node, directory) = (self.node(ino)?, self.node(parent)?);
        let mut entries = directory.entries.write();
        if entries.get(name).is_some() {
            return Err(Errno::EEXIST);
        }
        entries.insert(name, ino);
        touch(&directory);
        node.change(|attr| attr.nlink += 1);
        Ok(node.looked_up())
    }

    pub fn remove(&self, parent: u64, name: &OsStr, is_directory: bool) -> Result<(), Errno> {
        let directory = self.node(parent)?;
        let mut entries = directory.entries.write();
        let node = self.node(entries.get(name).ok_or(Errno::ENOENT)?)?;
        match (node.attr().kind == FileType::Directory, is_directory) {
            (true, false) => return Err(Errno::EISDIR),
            (false, true) => return Err(Errno::ENOTDIR),
            (true, true) if !node.entries.read().is_empty() => return Err(Errno::ENOTEMPTY),
            _ => {}
        }
        entries.remove(name);
        touch(&directory);
        drop(entries);
        self.unlinked(&node);
        Ok(())
    }

    pub fn rename(&self, from: (u64, &OsStr), to: (u64, &OsStr), replace: bool) -> Result<(), Errno> {
        let (source, target) = (self.node(from.0)?, self.node(to.0)?);
        let ino = source.entries.read().get(from.1).ok_or(Errno::ENOENT)?;
        let old = target.entries.read().get(to.1).map(|old| self.node(old)).transpose()?;
        match &old {
            Some(_) if !replace => return Err(Errno::EEXIST),
            Some(old) if !old.entries.read().is_empty() => return Err(Errno::ENOTEMPTY),
            _ => {}
        }
        if from.0 == to.0 {
            let mut entries = source.entries.write();
            entries.remove(from.1);
            entries.remove(to.1);
            entries.insert(to.1, ino);
        } else {
            let (first, second) = if from.0 < to.0 { (&source, &target) } else { (&target, &source) };
            let (mut first, mut second) = (first.entries.write(), second.entries.write());
            let (leave, enter) =
                if from.0 < to.0 { (&mut first, &mut second) } else { (&mut second, &mut first) };
            leave.remove(from.1);
            enter.remove(to.1);
            enter.insert(to.1, ino);
        }
        touch(&source);
        touch(&target);
        if let Some(old) = old {
            self.unlinked(&old);
        }
        Ok(())
    }

    fn unlinked(&self, node: &Node) {
        let attr = node.change(|attr| {
            attr.nlink = if attr.kind == FileType::Directory { 0 } else { attr.nlink.saturating_sub(1) };
        });
        if attr.nlink == 0 && node.lookups.load(Ordering::Relaxed) == 0 {
            self.shard(attr.ino.0).write().remove(&attr.ino.0);
        }
    }

    pub fn forget(&self, ino: u64, count: u64) {
        let Ok(node) = self.node(ino) else { return };
        let left = node.lookups.fetch_sub(count, Ordering::Relaxed).saturating_sub(count);
        if left == 0 && node.attr().nlink == 0 {
            self.shard(ino).write().remove(&ino);
        }
    }
}

fn touch(directory: &Node) {
    let now = SystemTime::now();
    directory.change(|attr| (attr.mtime, attr.ctime) = (now, now));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(kind: FileType) -> New {
        New { kind, perm: 0o755, owner: (0, 0), target: Vec::new() }
    }

    #[test]
    fn names_move_and_what_is_forgotten_goes() {
        let tree = Tree::default();
        let [a, b] = ["a", "b"].map(OsStr::new);
        let folder = tree.create(ROOT, a, new(FileType::Directory)).unwrap().ino.0;
        let file = tree.create(folder, a, new(FileType::RegularFile)).unwrap().ino.0;
        assert_eq!(tree.remove(ROOT, a, true), Err(Errno::ENOTEMPTY));
        tree.rename((folder, a), (ROOT, b), true).unwrap();
        assert_eq!(tree.lookup(ROOT, b).unwrap().unwrap().ino.0, file);
        tree.remove(ROOT, b, false).unwrap();
        tree.remove(ROOT, a, true).unwrap();
        assert!(tree.node(file).is_ok(), "the kernel still knows it");
        tree.forget(file, 2);
        assert!(tree.node(file).is_err());
    }
}
