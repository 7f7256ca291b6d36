//! The reference: what POSIX says of the same steps, in plain memory.

use std::collections::BTreeMap;

use crate::picture::{Node, Picture};
use crate::steps::{CHUNK, Path, Step};

#[derive(Debug, Clone)]
enum Kind {
    Dir(BTreeMap<Vec<u8>, u64>),
    File(Vec<u8>),
    Symlink(Vec<u8>),
}

#[derive(Debug, Clone)]
struct Inode {
    kind: Kind,
    perm: u16,
    xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

const ROOT: u64 = 1;

/// What a step returns: a count, or that it must fail. Which errno it is, pjdfstest checks.
pub type Outcome = Result<u64, ()>;

pub struct Reference {
    inodes: BTreeMap<u64, Inode>,
    next: u64,
}

impl Default for Reference {
    fn default() -> Self {
        let root = Inode { kind: Kind::Dir(BTreeMap::new()), perm: 0o755, xattrs: BTreeMap::new() };
        Self { inodes: BTreeMap::from([(ROOT, root)]), next: 2 }
    }
}

impl Reference {
    /// A reference that starts where a machine stands. Hard links become files of their own unless there
    /// is one name only, so pictures with links are first reduced to one name each by the caller's steps.
    pub fn from_picture(picture: Picture) -> Self {
        let mut reference = Self::default();
        let mut groups: Vec<(Node, u64)> = Vec::new();
        for (path, node) in picture {
            if path.is_empty() {
                reference.inodes.insert(ROOT, inode_of(&node));
                continue;
            }
            let shared = |node: &Node| {
                matches!(node, Node::File { links: 2.., .. } | Node::Symlink { links: 2.., .. })
            };
            let known = groups.iter().find(|(other, _)| shared(&node) && *other == node).map(|(_, id)| *id);
            let id = known.unwrap_or_else(|| reference.add(inode_of(&node)));
            groups.push((node, id));
            let (parent, name) = reference.parent(&path).expect("parents come first");
            reference.entries(parent).expect("a directory").insert(name, id);
        }
        reference
    }

    pub fn picture(&self) -> Picture {
        let mut picture = Picture::new();
        self.draw(ROOT, Vec::new(), &mut picture);
        picture
    }

    fn draw(&self, id: u64, path: Path, picture: &mut Picture) {
        let inode = &self.inodes[&id];
        let (perm, xattrs) = (inode.perm, inode.xattrs.clone());
        let node = match &inode.kind {
            Kind::Dir(entries) => {
                for (name, child) in entries {
                    let slash: &[u8] = if path.is_empty() { b"" } else { b"/" };
                    self.draw(*child, [&path, slash, name].concat(), picture);
                }
                Node::Dir { perm, xattrs }
            }
            Kind::File(data) => Node::File { perm, links: self.links(id), data: data.clone(), xattrs },
            Kind::Symlink(target) => Node::Symlink { links: self.links(id), target: target.clone() },
        };
        picture.insert(path, node);
    }

    fn links(&self, id: u64) -> u32 {
        let entries = self.inodes.values().filter_map(|inode| match &inode.kind {
            Kind::Dir(entries) => Some(entries),
            _ => None,
        });
        entries.flat_map(|entries| entries.values()).filter(|child| **child == id).count() as u32
    }

    fn add(&mut self, inode: Inode) -> u64 {
        self.next += 1;
        self.inodes.insert(self.next, inode);
        self.next
    }

    fn entries(&mut self, id: u64) -> Result<&mut BTreeMap<Vec<u8>, u64>, ()> {
        match &mut self.inodes.get_mut(&id).ok_or(())?.kind {
            Kind::Dir(entries) => Ok(entries),
            _ => Err(()),
        }
    }

    fn find(&self, path: &[u8]) -> Result<u64, ()> {
        let mut at = ROOT;
        for part in path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
            at = match &self.inodes[&at].kind {
                Kind::Dir(entries) => *entries.get(part).ok_or(())?,
                _ => return Err(()),
            };
        }
        Ok(at)
    }

    fn parent(&self, path: &[u8]) -> Result<(u64, Vec<u8>), ()> {
        let cut = path.iter().rposition(|byte| *byte == b'/');
        let (dir, name) = cut.map_or((&[][..], path), |at| (&path[..at], &path[at + 1..]));
        let parent = self.find(dir)?;
        match self.inodes[&parent].kind {
            Kind::Dir(_) => Ok((parent, name.to_vec())),
            _ => Err(()),
        }
    }

    fn data(&mut self, path: &[u8]) -> Result<&mut Vec<u8>, ()> {
        let id = self.find(path)?;
        match &mut self.inodes.get_mut(&id).ok_or(())?.kind {
            Kind::File(data) => Ok(data),
            _ => Err(()),
        }
    }

    fn make(&mut self, path: &[u8], kind: Kind, perm: u16) -> Outcome {
        let (parent, name) = self.parent(path)?;
        if self.entries(parent)?.contains_key(&name) {
            return Err(());
        }
        let id = self.add(Inode { kind, perm, xattrs: BTreeMap::new() });
        self.entries(parent)?.insert(name, id);
        Ok(0)
    }

    fn is_dir(&self, id: u64) -> bool {
        matches!(self.inodes[&id].kind, Kind::Dir(_))
    }

    /// The directory `inner` is `outer` or lies below it.
    fn contains(&self, outer: u64, inner: u64) -> bool {
        self.is_dir(inner)
            && (outer == inner
                || match &self.inodes[&outer].kind {
                    Kind::Dir(entries) => entries.values().any(|child| self.contains(*child, inner)),
                    _ => false,
                })
    }

    fn remove(&mut self, path: &[u8], dir: bool) -> Outcome {
        if path.is_empty() {
            return Err(());
        }
        let id = self.find(path)?;
        let fits = match &self.inodes[&id].kind {
            Kind::Dir(entries) => dir && entries.is_empty(),
            _ => !dir,
        };
        if !fits {
            return Err(());
        }
        let (parent, name) = self.parent(path)?;
        self.entries(parent)?.remove(&name);
        if self.links(id) == 0 {
            self.inodes.remove(&id);
        }
        Ok(0)
    }

    fn rename(&mut self, from: &[u8], to: &[u8]) -> Outcome {
        if from.is_empty() || to.is_empty() {
            return Err(());
        }
        let id = self.find(from)?;
        let (new_parent, new_name) = self.parent(to)?;
        let replaced = self.entries(new_parent)?.get(&new_name).copied();
        if replaced == Some(id) {
            return Ok(0);
        }
        if self.contains(id, new_parent) {
            return Err(());
        }
        if let Some(replaced) = replaced {
            if self.is_dir(id) != self.is_dir(replaced) || self.contains(replaced, self.parent(from)?.0) {
                return Err(());
            }
            self.remove(to, self.is_dir(replaced))?;
        }
        let (parent, name) = self.parent(from)?;
        self.entries(parent)?.remove(&name);
        self.entries(new_parent)?.insert(new_name, id);
        Ok(0)
    }

    fn exchange(&mut self, a: &[u8], b: &[u8]) -> Outcome {
        if a.is_empty() || b.is_empty() {
            return Err(());
        }
        let (one, other) = (self.find(a)?, self.find(b)?);
        if one == other {
            return Ok(0);
        }
        // By path, not by inode: a file below `a` may have another name beside `a`.
        let below = |outer: &[u8], inner: &[u8]| inner.starts_with(&[outer, b"/"].concat());
        if below(a, b) || below(b, a) {
            return Err(());
        }
        let (parent_a, name_a) = self.parent(a)?;
        let (parent_b, name_b) = self.parent(b)?;
        self.entries(parent_a)?.insert(name_a, other);
        self.entries(parent_b)?.insert(name_b, one);
        Ok(0)
    }

    fn copy(&mut self, from: &[u8], offset: u64, to: &[u8], at: u64, len: u64) -> Outcome {
        let source = self.data(from)?.clone();
        self.data(to)?;
        let len = len.min((source.len() as u64).saturating_sub(offset));
        if self.find(from)? == self.find(to)? && offset < at + len && at < offset + len {
            return Err(());
        }
        if len > 0 {
            let bytes = source[offset as usize..(offset + len) as usize].to_vec();
            put(self.data(to)?, at, &bytes);
        }
        Ok(len)
    }

    fn changeable(&mut self, path: &[u8]) -> Result<&mut Inode, ()> {
        let id = self.find(path)?;
        let inode = self.inodes.get_mut(&id).ok_or(())?;
        if matches!(inode.kind, Kind::Symlink(_)) { Err(()) } else { Ok(inode) }
    }

    /// Does one step.
    pub fn apply(&mut self, step: &Step) -> Outcome {
        match step {
            Step::Create(path) => self.make(path, Kind::File(Vec::new()), 0o644),
            Step::Mkdir(path) => self.make(path, Kind::Dir(BTreeMap::new()), 0o755),
            Step::Symlink(path, target) => self.make(path, Kind::Symlink(target.clone()), 0o777),
            Step::Link(from, to) => {
                let id = self.find(from)?;
                let (parent, name) = self.parent(to)?;
                if self.is_dir(id) || self.entries(parent)?.contains_key(&name) {
                    return Err(());
                }
                self.entries(parent)?.insert(name, id);
                Ok(0)
            }
            Step::Unlink(path) => self.remove(path, false),
            Step::Rmdir(path) => self.remove(path, true),
            Step::Rename(from, to) => self.rename(from, to),
            Step::Exchange(a, b) => self.exchange(a, b),
            Step::Write { path, offset, data } => {
                put(self.data(path)?, *offset, &data.0);
                Ok(data.0.len() as u64)
            }
            Step::Truncate { path, size } => {
                self.data(path)?.resize(*size as usize, 0);
                Ok(0)
            }
            Step::Punch { path, offset, len } => {
                let data = self.data(path)?;
                let end = data.len().min((offset + len) as usize);
                let start = end.min(*offset as usize);
                data[start..end].fill(0);
                Ok(0)
            }
            Step::Collapse { path, offset, len } => {
                let data = self.data(path)?;
                if offset % CHUNK != 0 || len % CHUNK != 0 || offset + len >= data.len() as u64 {
                    return Err(());
                }
                data.drain(*offset as usize..(offset + len) as usize);
                Ok(0)
            }
            Step::Copy { from, offset, to, at, len } => self.copy(from, *offset, to, *at, *len),
            Step::SetXattr(path, name, value) => {
                self.changeable(path)?.xattrs.insert(name.clone(), value.0.clone());
                Ok(0)
            }
            Step::RemoveXattr(path, name) => self.changeable(path)?.xattrs.remove(name).map(|_| 0).ok_or(()),
            Step::Chmod(path, perm) => {
                self.changeable(path)?.perm = *perm;
                Ok(0)
            }
        }
    }
}

fn inode_of(node: &Node) -> Inode {
    match node.clone() {
        Node::Dir { perm, xattrs } => Inode { kind: Kind::Dir(BTreeMap::new()), perm, xattrs },
        Node::File { perm, data, xattrs, .. } => Inode { kind: Kind::File(data), perm, xattrs },
        Node::Symlink { target, .. } => {
            Inode { kind: Kind::Symlink(target), perm: 0o777, xattrs: BTreeMap::new() }
        }
    }
}

fn put(data: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    let end = offset as usize + bytes.len();
    if data.len() < end {
        data.resize(end, 0);
    }
    data[offset as usize..end].copy_from_slice(bytes);
}

/// The first paths that differ, without their contents.
pub fn difference(found: &Picture, expected: &Picture) -> String {
    let paths = found.keys().chain(expected.keys());
    let differing = paths.filter(|path| found.get(*path) != expected.get(*path));
    let words = differing.take(5).map(|path| {
        let words = |node: Option<&Node>| node.map_or("nothing".into(), |node| format!("{node:.60?}"));
        format!(
            "{:?}: {:.80} instead of {:.80}",
            String::from_utf8_lossy(path),
            words(found.get(path)),
            words(expected.get(path))
        )
    });
    words.collect::<Vec<_>>().join("; ")
}
