//! `apply` against a model that keeps whole files as bytes and counts everything anew each time.
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::meta::key::{self, Parsed};
use crate::meta::record::Dentry;

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

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
            Op::Rename { .. } => return self.rename(op),
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

/// Turns random bytes into an op about things that mostly exist.
struct Dice<'d>(&'d [u8]);

impl Dice<'_> {
    fn roll(&mut self, sides: u64) -> u64 {
        let (&value, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        u64::from(value) % sides
    }

    fn name(&mut self) -> Bytes {
        name(NAMES[self.roll(4) as usize])
    }

    fn node(&mut self, model: &Model) -> Ino {
        let at = self.roll(model.nodes.len() as u64 + 1) as usize;
        Ino(model.nodes.keys().nth(at).copied().unwrap_or(99))
    }

    fn dir(&mut self, model: &Model) -> Ino {
        let dirs: Vec<_> = model.nodes.iter().filter(|(_, node)| node.kind == FileKind::Directory).collect();
        Ino(*dirs[self.roll(dirs.len() as u64) as usize].0)
    }

    /// A regular file most often.
    fn file(&mut self, model: &Model) -> Ino {
        let files: Vec<_> = model.nodes.iter().filter(|(_, node)| node.kind == FileKind::Regular).collect();
        let at = self.roll(files.len() as u64 + 1) as usize;
        files.get(at).map_or_else(|| self.node(model), |(ino, _)| Ino(**ino))
    }

    /// A directory and a name in it, most often one that exists.
    fn entry(&mut self, model: &Model) -> (Ino, Bytes, Option<Ino>) {
        let parent = self.dir(model);
        let entries = &model.nodes[&parent.0].entries;
        let name = match entries.keys().nth(self.roll(4) as usize) {
            Some(name) => name.clone(),
            None => self.name(),
        };
        let seen = entries.get(&name).map(|&ino| Ino(ino));
        (parent, name, if self.roll(16) == 0 { Some(Ino(1)) } else { seen })
    }

    fn last(&mut self) -> LastLink {
        if self.roll(2) == 0 { LastLink::Keep(SLOT) } else { LastLink::Reap }
    }

    fn chunks(&mut self) -> Vec<(u64, Option<ChunkRef>)> {
        let mut chunks = Vec::new();
        for index in 0..6 {
            let len = [1, 5, 4095, 4096][self.roll(4) as usize];
            match self.roll(4) {
                0 => chunks.push((index, None)),
                1 => chunks.push((index, inline(self.roll(255) as u8 + 1, len))),
                _ => {}
            }
        }
        chunks
    }

    fn size(&mut self) -> u64 {
        (self.roll(8) * CHUNK).saturating_add_signed([0, 1, -1, 1000][self.roll(4) as usize])
    }

    fn version(&mut self, model: &Model, ino: Ino) -> u64 {
        model.nodes.get(&ino.0).map_or(0, |node| node.version) + u64::from(self.roll(16) == 0)
    }

    fn op(&mut self, model: &Model, number: u64) -> Op {
        let (mtime, ctime, time) = (at(number as i64), at(number as i64), at(number as i64));
        match self.roll(14) {
            0..=2 => {
                let kinds = [FileKind::Regular, FileKind::Directory, FileKind::Symlink, FileKind::Regular];
                let mut op =
                    create(1, NAMES[self.roll(4) as usize], 1000 + number, kinds[self.roll(4) as usize], 0);
                if let Op::Create { parent, name, kind, xattrs, .. } = &mut op {
                    *parent = self.dir(model);
                    if *kind == FileKind::Regular && self.roll(4) == 0 {
                        *name = Bytes::new();
                        *xattrs = vec![(super::name("user.a"), Bytes::new())];
                    }
                }
                op
            }
            3 => Op::Link { ino: self.file(model), parent: self.dir(model), name: self.name(), time },
            4 | 5 => {
                let (parent, name, seen) = self.entry(model);
                Op::Unlink { parent, name, ino: seen.unwrap_or(Ino(5)), last: self.last(), time }
            }
            6 => {
                let (parent, name, seen) = self.entry(model);
                Op::Rmdir { parent, name, ino: seen.unwrap_or(Ino(5)), time }
            }
            7 | 8 => {
                let (from, name, moved) = self.entry(model);
                let (to, new_name, replaced) = self.entry(model);
                let exchange = replaced.is_some() && self.roll(2) == 0;
                let (ino, last) = (moved.unwrap_or(Ino(5)), self.last());
                Op::Rename { from, name, ino, to, new_name, replaced, exchange, last, time }
            }
            9 | 10 => {
                let ino = self.file(model);
                let (version, size, chunks) = (self.version(model, ino), self.size(), self.chunks());
                Op::Write { ino, version, size, chunks, perm: None, mtime: None, ctime }
            }
            11 => {
                let (source, ino) = (self.file(model), self.file(model));
                let (from, to, count) = (self.roll(5), self.roll(5), self.roll(4) + 1);
                let (version, size) = (self.version(model, ino), self.size());
                Op::Clone { source, from, ino, to, count, version, size, mtime, ctime }
            }
            12 => {
                let ino = self.file(model);
                let (from, count, version) = (self.roll(3), self.roll(2) + 1, self.version(model, ino));
                let len = model.nodes.get(&ino.0).map_or(0, |node| node.content.len() as u64);
                let size = len.saturating_sub(count * CHUNK) + u64::from(self.roll(8) == 0);
                Op::Collapse { ino, from, count, version, size, mtime, ctime }
            }
            _ => {
                let (ino, name) = (self.node(model), self.name());
                let create = [None, Some(true), Some(false)][self.roll(3) as usize];
                match self.roll(3) {
                    0 => Op::Reap { ino },
                    1 => Op::RemoveXattr { ino, name, perm: None, ctime },
                    _ => Op::SetXattr { ino, value: name.clone(), name, create, perm: None, ctime },
                }
            }
        }
    }
}

/// The whole state is what the model says: every record is expected and every expected record is there.
fn assert_same(volume: &Volume, model: &Model) {
    let view = volume.view();
    let (mut inodes, mut allocated, mut dentries) = (BTreeSet::new(), 0, 0);
    for (key, value) in volume.state.iter() {
        let Some(value) = value else { continue };
        match key::parse(key).unwrap() {
            Parsed::Inode(ino) => {
                let inode = Inode::decode(value).unwrap();
                assert_inode(volume, model, ino.0, &inode);
                allocated += inode.allocated;
                inodes.insert(ino.0);
            }
            Parsed::Dentry { parent, name } => {
                let dentry = Dentry::decode(value).unwrap();
                assert_eq!(model.nodes[&parent.0].entries.get(name), Some(&dentry.ino.0));
                assert_eq!(model.nodes[&dentry.ino.0].kind, dentry.kind, "a dentry repeats the kind");
                dentries += 1;
            }
            Parsed::Chunk(ino, _) => assert_eq!(model.nodes[&ino.0].kind, FileKind::Regular),
            Parsed::Xattr(ino, name) => {
                let value = read::xattr(&view, ino, name).unwrap();
                assert_eq!(model.nodes[&ino.0].xattrs.get(name), value.as_ref());
            }
            Parsed::Orphan(ino) => assert!(model.nodes[&ino.0].kept),
            Parsed::Superblock | Parsed::Session(_) => {}
            other => panic!("{other:?} was never made"),
        }
    }
    assert_eq!(inodes, model.nodes.keys().copied().collect());
    assert_eq!(dentries, model.nodes.values().map(|node| node.entries.len()).sum::<usize>());
    assert_eq!(volume.superblock().inodes, model.nodes.len() as u64);
    assert_eq!(volume.superblock().allocated, allocated);
}

fn assert_inode(volume: &Volume, model: &Model, ino: u64, inode: &Inode) {
    let node = &model.nodes[&ino];
    let view = volume.view();
    assert_eq!((inode.kind, inode.version), (node.kind, node.version));
    let orphan = read::orphan(&view, Ino(ino)).unwrap();
    assert_eq!(orphan.map(|orphan| orphan.slot), node.kept.then_some(SLOT));
    assert_eq!(read::xattr_names(&view, Ino(ino)).unwrap().len(), node.xattrs.len());
    assert_eq!(inode.has_xattrs, !node.xattrs.is_empty());
    let chunks = read::chunks(&view, Ino(ino), 0..u64::MAX).unwrap();
    assert_eq!(inode.allocated, chunks.iter().map(|(_, chunk)| chunk.len()).sum::<u64>());
    match node.kind {
        FileKind::Directory => {
            let subdirs =
                node.entries.values().filter(|child| model.nodes[child].kind == FileKind::Directory);
            assert_eq!(
                (inode.nlink as usize, inode.size as usize),
                (2 + subdirs.count(), node.entries.len())
            );
            let parent = model.nodes.get(&inode.parent.0).unwrap();
            assert!(ino == 1 || parent.entries.values().any(|&child| child == ino), "`..` leads elsewhere");
        }
        FileKind::Regular => {
            assert_eq!((inode.nlink as usize, inode.size as usize), (model.names(ino), node.content.len()));
            let mut content = vec![0; node.content.len()];
            for (index, chunk) in chunks {
                let ChunkRef::Inline(bytes) = chunk else { panic!("only inline chunks here") };
                let start = (index * CHUNK) as usize;
                content[start..start + bytes.len()].copy_from_slice(&bytes);
            }
            assert!(content == node.content, "the content of {ino} differs");
        }
        _ => assert_eq!(inode.nlink as usize, model.names(ino)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn apply_does_what_the_model_does(rolls in proptest::collection::vec(any::<[u8; 24]>(), 1..60)) {
        let mut model = Model::new();
        let mut volume = Volume::new();
        let mut accepted = Vec::new();
        for (number, roll) in rolls.iter().enumerate() {
            let op = Dice(roll).op(&model, number as u64);
            let before = volume.state.clone();
            match (volume.apply(&op), model.apply(&op)) {
                (Ok(()), Some(())) => accepted.push(op),
                (Err(_), None) => prop_assert_eq!(&volume.state, &before),
                (applied, _) => prop_assert!(false, "{:?} gave {:?}, the model disagrees", op, applied),
            }
            assert_same(&volume, &model);
        }
        assert_replay(&volume, &accepted);
    }
}

/// M4: the accepted ops give the same bytes again, one by one, in one transaction, and by a replayer that has
/// no quota.
fn assert_replay(volume: &Volume, accepted: &[Op]) {
    let mut again = Volume::new();
    again.context.enforce_quota = false;
    accepted.iter().for_each(|op| again.apply(op).unwrap());
    assert_eq!(again.state, volume.state);

    let mut batch = Volume::new();
    let view = Layered { base: &EmptyView, layers: vec![&batch.state] };
    let mut txn = Txn::new(&view);
    accepted.iter().for_each(|op| apply(&mut txn, op, batch.context).unwrap());
    let changes = txn.finish();
    batch.state.absorb(changes);
    assert_eq!(batch.state, volume.state);
}
