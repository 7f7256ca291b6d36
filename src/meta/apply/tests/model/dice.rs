//! Random bytes turned into ops about things that mostly exist.
use super::*;

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// Thrown until the bytes are used up, then always 0.
pub struct Dice<'d>(&'d [u8]);

impl<'d> Dice<'d> {
    pub fn new(bytes: &'d [u8]) -> Self {
        Self(bytes)
    }

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
        (parent, name, if self.roll(16) == 15 { Some(Ino(1)) } else { seen })
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
        model.nodes.get(&ino.0).map_or(0, |node| node.version) + u64::from(self.roll(16) == 15)
    }

    /// The op of step `number`; its inode number and times follow from that.
    pub fn op(&mut self, model: &Model, number: u64) -> Op {
        let time = at(number as i64);
        match self.roll(14) {
            0..=2 => self.create(model, 1000 + number, time),
            3 => Op::Link { ino: self.file(model), parent: self.dir(model), name: self.name(), time },
            4..=6 => self.removal(model, time),
            7 | 8 => self.rename(model, time),
            9..=12 => self.content(model, time),
            _ => self.upkeep(model, time),
        }
    }

    fn create(&mut self, model: &Model, new: u64, time: Timestamp) -> Op {
        let kinds = [FileKind::Regular, FileKind::Directory, FileKind::Symlink, FileKind::Regular];
        let (entry, kind) = (NAMES[self.roll(4) as usize], kinds[self.roll(4) as usize]);
        let unnamed = kind == FileKind::Regular && self.roll(4) == 0;
        let mut op = create(self.dir(model).0, if unnamed { "" } else { entry }, new, kind, time.secs);
        if let Op::Create { xattrs, .. } = &mut op
            && self.roll(4) == 0
        {
            *xattrs = vec![(name("a"), name("value"))];
        }
        op
    }

    fn removal(&mut self, model: &Model, time: Timestamp) -> Op {
        let (parent, name, seen) = self.entry(model);
        let ino = seen.unwrap_or(Ino(5));
        match self.roll(3) {
            0 => Op::Rmdir { parent, name, ino, time },
            _ => Op::Unlink { parent, name, ino, last: self.last(), time },
        }
    }

    fn rename(&mut self, model: &Model, time: Timestamp) -> Op {
        let (from, name, moved) = self.entry(model);
        let (to, new_name, replaced) = self.entry(model);
        let exchange = replaced.is_some() && self.roll(2) == 0;
        let (ino, last) = (moved.unwrap_or(Ino(5)), self.last());
        Op::Rename { from, name, ino, to, new_name, replaced, exchange, last, time }
    }

    fn content(&mut self, model: &Model, time: Timestamp) -> Op {
        let ino = self.file(model);
        let (version, size, mtime, ctime) = (self.version(model, ino), self.size(), time, time);
        match self.roll(4) {
            0 => {
                let (from, to, count) = (self.roll(5), self.roll(5), self.roll(4) + 1);
                Op::Clone { source: self.file(model), from, ino, to, count, version, size, mtime, ctime }
            }
            1 => {
                let (from, count) = (self.roll(3), self.roll(2) + 1);
                let len = model.nodes.get(&ino.0).map_or(0, |node| node.content.len() as u64);
                let size = len.saturating_sub(count * CHUNK) + u64::from(self.roll(8) == 7);
                Op::Collapse { ino, from, count, version, size, mtime, ctime }
            }
            _ => Op::Write { ino, version, size, chunks: self.chunks(), perm: None, mtime: None, ctime },
        }
    }

    fn upkeep(&mut self, model: &Model, ctime: Timestamp) -> Op {
        let (ino, name) = (self.node(model), self.name());
        let create = [None, Some(true), Some(false)][self.roll(3) as usize];
        match self.roll(3) {
            0 => Op::Reap { ino },
            1 => Op::RemoveXattr { ino, name, perm: None, ctime },
            _ => Op::SetXattr { ino, value: name.clone(), name, create, perm: None, ctime },
        }
    }
}
