//! Random file operations over a small set of paths, so that they often meet.

use hushfs::base::Random;
use hushfs::base::random::SeededRandom;

use crate::picture::Node;
use crate::reference::Reference;

pub type Path = Vec<u8>;

/// Bytes that do not flood the output of a failing test.
#[derive(Clone)]
pub struct Data(pub Vec<u8>);

impl std::fmt::Debug for Data {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// One system call.
#[derive(Debug, Clone)]
pub enum Step {
    Create(Path),
    Mkdir(Path),
    Symlink(Path, Vec<u8>),
    Link(Path, Path),
    Unlink(Path),
    Rmdir(Path),
    Rename(Path, Path),
    Exchange(Path, Path),
    Write { path: Path, offset: u64, data: Data },
    Truncate { path: Path, size: u64 },
    Punch { path: Path, offset: u64, len: u64 },
    Collapse { path: Path, offset: u64, len: u64 },
    Copy { from: Path, offset: u64, to: Path, at: u64, len: u64 },
    SetXattr(Path, Vec<u8>, Data),
    RemoveXattr(Path, Vec<u8>),
    Chmod(Path, u16),
}

/// A repeatable stream of steps.
pub struct Steps {
    random: SeededRandom,
}

/// Small chunks make small files interesting.
pub const CHUNK: u64 = 4096;

impl Steps {
    pub fn new(seed: u64) -> Self {
        Self { random: SeededRandom::new(seed) }
    }

    fn below(&self, bound: u64) -> u64 {
        self.random.next_u64() % bound
    }

    /// A path of one to three parts out of a few names.
    fn path(&self) -> Path {
        let names: [&[u8]; 5] = [b"a", b"b", b"\xff\xfe", b"long name with spaces", b"d"];
        let depth = 1 + self.below(3);
        let parts: Vec<&[u8]> = (0..depth).map(|_| names[self.below(5) as usize]).collect();
        parts.join(&b'/')
    }

    /// A path that exists, mostly; of a regular file if `file`.
    fn existing(&self, reference: &Reference, file: bool) -> Path {
        let picture = reference.picture();
        let fits = |node: &Node| !file || matches!(node, Node::File { .. });
        let paths: Vec<Path> =
            picture.into_iter().filter(|(_, node)| fits(node)).map(|(path, _)| path).collect();
        if paths.is_empty() || self.below(10) == 0 {
            return self.path();
        }
        paths[self.below(paths.len() as u64) as usize].clone()
    }

    fn place(&self) -> u64 {
        match self.below(4) {
            0 => self.below(8) * CHUNK,
            1 => self.below(200),
            _ => self.below(8 * CHUNK),
        }
    }

    fn data(&self) -> Data {
        let len = match self.below(5) {
            0 => CHUNK * (1 + self.below(3)),
            1 => self.below(60),
            _ => self.below(3 * CHUNK),
        } as usize;
        let mut data = vec![0; len];
        match self.below(4) {
            0 => data.fill(self.below(256) as u8),
            1 => {}
            _ => self.random.fill(&mut data),
        }
        Data(data)
    }

    /// The next step; it may well be one that must fail.
    pub fn next(&mut self, reference: &Reference) -> Step {
        match self.below(24) {
            0..=2 => Step::Create(self.path()),
            3 | 4 => Step::Mkdir(self.path()),
            5 => Step::Symlink(self.path(), b"somewhere/else".to_vec()),
            6 => Step::Link(self.existing(reference, true), self.path()),
            7 => Step::Unlink(self.existing(reference, false)),
            8 => Step::Rmdir(self.existing(reference, false)),
            9 | 10 => Step::Rename(self.existing(reference, false), self.path()),
            11 => Step::Exchange(self.existing(reference, false), self.existing(reference, false)),
            12..=16 => {
                Step::Write { path: self.existing(reference, true), offset: self.place(), data: self.data() }
            }
            17 => Step::Truncate { path: self.existing(reference, true), size: self.place() },
            18 => Step::Punch {
                path: self.existing(reference, true),
                offset: self.place(),
                len: 1 + self.place(),
            },
            19 => Step::Collapse {
                path: self.existing(reference, true),
                offset: self.below(4) * CHUNK,
                len: (1 + self.below(2)) * CHUNK,
            },
            20 => Step::Copy {
                from: self.existing(reference, true),
                offset: self.place(),
                to: self.existing(reference, true),
                at: self.place(),
                len: self.place(),
            },
            21 => Step::SetXattr(self.existing(reference, false), b"user.x".to_vec(), self.data()),
            22 => Step::RemoveXattr(self.existing(reference, false), b"user.x".to_vec()),
            _ => Step::Chmod(self.existing(reference, false), self.below(0o1000) as u16),
        }
    }
}
