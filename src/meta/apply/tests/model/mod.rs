//! `apply` against a model that keeps whole files as bytes and counts everything anew each time.
mod check;
mod dice;

use std::collections::BTreeMap;

use super::*;

#[derive(Clone)]
struct Node {
    kind: FileKind,
    entries: BTreeMap<Bytes, u64>,
    content: Vec<u8>,
    version: u64,
    xattrs: BTreeMap<Bytes, Bytes>,
    /// Unlinked and kept open.
    kept: bool,
}

impl Node {
    fn new(kind: FileKind) -> Self {
        let (entries, content, xattrs) = Default::default();
        Self { kind, entries, content, version: 0, xattrs, kept: false }
    }
}

struct Model {
    nodes: BTreeMap<u64, Node>,
}

impl Model {
    fn new() -> Self {
        Self { nodes: BTreeMap::from([(1, Node::new(FileKind::Directory))]) }
    }

    fn dir(&mut self, ino: Ino) -> Option<&mut Node> {
        self.nodes.get_mut(&ino.0).filter(|node| node.kind == FileKind::Directory)
    }

    fn entry(&mut self, parent: Ino, name: &Bytes) -> Option<u64> {
        self.dir(parent)?.entries.get(name).copied()
    }

    /// How many dentries name an inode.
    fn names(&self, ino: u64) -> usize {
        self.nodes.values().flat_map(|node| node.entries.values()).filter(|&&named| named == ino).count()
    }

    fn is_inside(&self, ino: u64, ancestor: u64) -> bool {
        ino == ancestor
            || self.nodes.iter().any(|(&parent, node)| {
                node.entries.values().any(|&child| child == ino) && self.is_inside(parent, ancestor)
            })
    }

    /// After a name went: without a last one the inode goes, or stays for its session.
    fn dropped(&mut self, ino: u64, last: LastLink) {
        if self.names(ino) == 0 {
            if let (LastLink::Keep(_), Some(node)) = (last, self.nodes.get_mut(&ino)) {
                node.kept = true;
            } else {
                self.nodes.remove(&ino);
            }
        }
    }

    /// The file, if its content is what the caller built on.
    fn file(&mut self, ino: Ino, version: u64) -> Option<&mut Node> {
        let file = self.nodes.get_mut(&ino.0)?;
        (file.kind == FileKind::Regular && file.version == version).then_some(file)
    }

    /// Does the op; None when it must be refused.
    fn apply(&mut self, op: &Op) -> Option<()> {
        match op {
            Op::Rename { .. } => self.rename(op),
            Op::Write { .. } | Op::Clone { .. } | Op::Collapse { .. } => self.change_content(op),
            Op::SetXattr { .. } | Op::RemoveXattr { .. } => self.change_xattrs(op),
            _ => self.change_names(op),
        }
    }

    fn change_names(&mut self, op: &Op) -> Option<()> {
        match op {
            Op::Create { parent, name, ino, kind, xattrs, .. } => {
                let parent_entries = &self.dir(*parent)?.entries;
                if parent_entries.contains_key(name) || self.nodes.contains_key(&ino.0) {
                    return None;
                }
                let mut node = Node::new(*kind);
                node.xattrs = xattrs.iter().cloned().collect();
                node.kept = name.is_empty();
                if !name.is_empty() {
                    self.dir(*parent)?.entries.insert(name.clone(), ino.0);
                }
                self.nodes.insert(ino.0, node);
            }
            Op::Link { ino, parent, name, .. } => {
                if self.nodes.get(&ino.0)?.kind == FileKind::Directory || self.entry(*parent, name).is_some()
                {
                    return None;
                }
                self.dir(*parent)?.entries.insert(name.clone(), ino.0);
                self.nodes.get_mut(&ino.0)?.kept = false;
            }
            Op::Unlink { parent, name, ino, last, .. } => {
                let is_dir = self.nodes.get(&ino.0)?.kind == FileKind::Directory;
                if self.entry(*parent, name)? != ino.0 || is_dir {
                    return None;
                }
                self.dir(*parent)?.entries.remove(name);
                self.dropped(ino.0, *last);
            }
            Op::Rmdir { parent, name, ino, .. } => {
                if self.entry(*parent, name)? != ino.0 || !self.dir(*ino)?.entries.is_empty() {
                    return None;
                }
                self.dir(*parent)?.entries.remove(name);
                self.nodes.remove(&ino.0);
            }
            Op::Reap { ino } => {
                if !self.nodes.get(&ino.0)?.kept {
                    return None;
                }
                self.nodes.remove(&ino.0);
            }
            other => panic!("the model does not know {other:?}"),
        }
        Some(())
    }

    fn change_content(&mut self, op: &Op) -> Option<()> {
        match op {
            Op::Write { ino, version, size, chunks, .. } => {
                let file = self.file(*ino, *version)?;
                file.content.resize(*size as usize, 0);
                for (index, chunk) in chunks {
                    let bytes = match chunk {
                        Some(ChunkRef::Inline(bytes)) => bytes.clone(),
                        _ => Bytes::new(),
                    };
                    paint(&mut file.content, *index, &bytes);
                }
                file.version += 1;
            }
            Op::Clone { source, from, ino, to, count, version, size, .. } => {
                let source = self.nodes.get(&source.0).filter(|node| node.kind == FileKind::Regular)?;
                let copied: Vec<Bytes> =
                    (*from..from + count).map(|index| picked(&source.content, index)).collect();
                if overlaps(op) {
                    return None;
                }
                let file = self.file(*ino, *version)?;
                file.content.resize(*size as usize, 0);
                for (index, bytes) in (*to..).zip(copied) {
                    paint(&mut file.content, index, &bytes);
                }
                file.version += 1;
            }
            Op::Collapse { ino, from, count, version, size, .. } => {
                let file = self.file(*ino, *version)?;
                let (start, end) = ((from * CHUNK) as usize, ((from + count) * CHUNK) as usize);
                if end >= file.content.len() || file.content.len() - (end - start) != *size as usize {
                    return None;
                }
                file.content.drain(start..end);
                file.version += 1;
            }
            _ => {}
        }
        Some(())
    }

    fn change_xattrs(&mut self, op: &Op) -> Option<()> {
        match op {
            Op::SetXattr { ino, name, value, create, .. } => {
                let node = self.nodes.get_mut(&ino.0)?;
                if create.is_some_and(|create| create == node.xattrs.contains_key(name)) {
                    return None;
                }
                node.xattrs.insert(name.clone(), value.clone());
            }
            Op::RemoveXattr { ino, name, .. } => {
                self.nodes.get_mut(&ino.0)?.xattrs.remove(name)?;
            }
            _ => {}
        }
        Some(())
    }

    fn rename(&mut self, op: &Op) -> Option<()> {
        let Op::Rename { from, name, ino, to, new_name, replaced, exchange, last, .. } = op else {
            return None;
        };
        self.dir(*to)?;
        let there = self.entry(*to, new_name);
        if self.entry(*from, name)? != ino.0 || there != replaced.map(|ino| ino.0) {
            return None;
        }
        if there == Some(ino.0) {
            return Some(());
        }
        let is_dir = |model: &Self, ino: u64| model.nodes[&ino].kind == FileKind::Directory;
        if is_dir(self, ino.0) && self.is_inside(to.0, ino.0) {
            return None;
        }
        match there {
            Some(there) if *exchange => {
                if is_dir(self, there) && self.is_inside(from.0, there) {
                    return None;
                }
                self.dir(*from)?.entries.insert(name.clone(), there);
            }
            Some(there) => {
                if is_dir(self, ino.0) != is_dir(self, there) || !self.nodes[&there].entries.is_empty() {
                    return None;
                }
                self.dir(*from)?.entries.remove(name);
            }
            None => _ = self.dir(*from)?.entries.remove(name),
        }
        self.dir(*to)?.entries.insert(new_name.clone(), ino.0);
        if let Some(there) = there {
            self.dropped(there, if is_dir(self, there) { LastLink::Reap } else { *last });
        }
        Some(())
    }
}

/// Whether a clone's range and its place share chunks of one file.
fn overlaps(op: &Op) -> bool {
    let Op::Clone { source, from, ino, to, count, .. } = op else { return false };
    source == ino && (*from < to + count && *to < from + count)
}

/// Puts a chunk and the zeros behind it where the file has room.
fn paint(content: &mut [u8], index: u64, bytes: &[u8]) {
    let start = (index * CHUNK) as usize;
    for at in start..content.len().min(start + CHUNK as usize) {
        content[at] = bytes.get(at - start).copied().unwrap_or(0);
    }
}

fn picked(content: &[u8], index: u64) -> Bytes {
    let start = content.len().min((index * CHUNK) as usize);
    Bytes::copy_from_slice(&content[start..content.len().min(start + CHUNK as usize)])
}
