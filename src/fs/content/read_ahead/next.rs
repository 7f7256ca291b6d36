//! Fetching the next files of who goes through a directory.
//!
//! Which these are is known from the entries of the directory, as far as memory has them: whoever goes through it has listed it before,
//! most often. No request is made to find out, and only for what the next files contain are any made.

use bytes::Bytes;

use super::folders::{Files, LARGEST, Part, Stamp};
use super::orders::{Order, Orders};
use crate::base::Ino;
use crate::data::Want;
use crate::fs::content::Content;
use crate::fs::error::FsError;
use crate::meta::read;
use crate::meta::record::FileKind;
use crate::meta::view::View;

/// Entries of a directory that are looked through while somebody waits: about a millisecond.
const AT_ONCE: u64 = 1024;

/// What of one file is to be fetched.
struct File {
    place: u32,
    bytes: u64,
    wants: Vec<Want>,
}

impl Content {
    /// Somebody comes to a file, of which the part will be read: starts fetching the same of the next ones, if that is a walk.
    pub(super) fn fetch_next(&self, ino: Ino, part: Part) {
        let before = if part == Part::Whole { self.read_ahead.take_ended() } else { Vec::new() };
        let found = self.volume.peek(|view| siblings(view, ino, &before));
        // Only a hint: it does without what memory does not have, and errors are of those who read.
        let Some(Ok(Some((directory, stamp, files)))) = found else { return };
        if !self.read_ahead.come_to(directory, &files, part) || stamp.entries > LARGEST {
            return;
        }
        if !self.read_ahead.must_learn(directory, stamp) {
            return self.ask_next(directory, part);
        }
        if stamp.entries <= AT_ONCE {
            return self.learn(directory, part);
        }
        self.in_background(move |content| content.learn(directory, part));
    }

    /// Learns the orders of a directory, and goes on.
    fn learn(&self, directory: Ino, part: Part) {
        match self.volume.peek(|view| files_of(view, directory)) {
            Some(Ok(listed)) => {
                self.read_ahead.learnt(directory, Orders::new(listed));
                self.ask_next(directory, part);
            }
            Some(Err(error)) => log::debug!("directory {directory}: no read-ahead: {error}"),
            None => {}
        }
    }

    /// Starts fetching what the walk through a directory comes to next.
    fn ask_next(&self, directory: Ino, part: Part) {
        let budget = self.volume.data().read_ahead_bytes();
        let Some((Files { next, part, files }, most)) = self.read_ahead.next(directory, part, budget) else {
            return;
        };
        let due = next.due;
        let find = move |content: &Self, view: &dyn View| {
            let mut room = most.saturating_sub(due);
            let mut found: Vec<File> = Vec::with_capacity(files.len());
            for (place, ino) in &files {
                // A name may have led to a file that is gone. What is not settled yet is not missed.
                let range = read::inode(view, *ino)?.map_or(0..0, |inode| part.range(inode.size));
                let bytes = range.end - range.start;
                if bytes > room && (due > 0 || !found.is_empty()) {
                    break;
                }
                room = room.saturating_sub(bytes);
                let wants = content.wants(view, *ino, &range)?.into_iter().map(|(_, want)| want).collect();
                found.push(File { place: *place, bytes, wants });
            }
            Ok(found)
        };
        self.look_up(find, move |content, found| {
            let taken = content.fetch_files(&found, part, next.order);
            let taken = found[..taken].iter().map(|file| (file.place, file.bytes));
            content.read_ahead.took(directory, part, &next, taken);
        });
    }

    /// Starts fetching these parts; of how many files, from the first on, all is on its way.
    fn fetch_files(&self, files: &[File], part: Part, order: Order) -> usize {
        let data = self.volume.data();
        // Whole files are asked for each by itself, unless they lie side by side: what lies between is not theirs.
        let together = part != Part::Whole || order.is_of_writing();
        let mut taken = 0;
        for group in files.chunks(if together { files.len().max(1) } else { 1 }) {
            let wants: Vec<Want> = group.iter().flat_map(|file| file.wants.iter().cloned()).collect();
            let mut left = match part {
                Part::Whole => data.prefetch_file(&wants),
                Part::End(..) => data.prefetch_parts(&wants),
            };
            for file in group {
                if left < file.wants.len() {
                    return taken;
                }
                left -= file.wants.len();
                taken += 1;
            }
        }
        taken
    }
}

/// The directory of a file, and which of the files `before` are in it, with this one at the end.
fn siblings(view: &dyn View, ino: Ino, before: &[Ino]) -> Result<Option<(Ino, Stamp, Vec<Ino>)>, FsError> {
    let parent = |ino: Ino| Ok::<_, FsError>(read::inode(view, ino)?.map(|inode| inode.parent));
    let Some(directory) = parent(ino)? else { return Ok(None) };
    let Some(stamp) = read::inode(view, directory)?.map(|inode| Stamp::of(&inode)) else { return Ok(None) };
    let mut siblings = Vec::with_capacity(before.len() + 1);
    for file in before {
        if parent(*file)? == Some(directory) {
            siblings.push(*file);
        }
    }
    siblings.push(ino);
    Ok(Some((directory, stamp, siblings)))
}

/// The files of a directory as it lists them; of one that has grown too large meanwhile, some.
fn files_of(view: &dyn View, directory: Ino) -> Result<Vec<(Bytes, Ino)>, FsError> {
    use std::ops::ControlFlow::{Break, Continue};
    let mut files = Vec::new();
    read::list(view, directory, 0, &mut |listed| {
        if listed.dentry.kind == FileKind::Regular {
            files.push((listed.name, listed.dentry.ino));
        }
        if (files.len() as u64) < LARGEST { Continue(()) } else { Break(()) }
    })?;
    Ok(files)
}
