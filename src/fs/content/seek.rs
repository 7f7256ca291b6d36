//! lseek(2) with SEEK_DATA and SEEK_HOLE, at chunk granularity.

use std::ops::ControlFlow;

use super::Content;
use super::base::inode_of;
use crate::base::Ino;
use crate::fs::error::FsError;
use crate::meta::key;
use crate::meta::view::View;

impl Content {
    /// The first data (or hole, if `hole`) at or after `offset`; the end of the file counts as a hole.
    /// None: there is none (ENXIO).
    ///
    /// # Errors
    /// `Stale` when the file is gone.
    pub fn seek(&self, ino: Ino, offset: u64, hole: bool) -> Result<Option<u64>, FsError> {
        if !self.volume.is_read_only() {
            let permit = self.volume.enter()?;
            self.settle(ino, &permit)?;
        }
        self.volume.read(|view| {
            let size = inode_of(view, ino)?.size;
            if offset >= size {
                return Ok(None);
            }
            let index = offset / self.chunk_size;
            let found = if hole { first_hole(view, ino, index)? } else { first_data(view, ino, index)? };
            let place = found.map(|index| (index * self.chunk_size).max(offset));
            Ok(match place {
                Some(place) if place < size => Some(place),
                _ => hole.then_some(size),
            })
        })
    }
}

fn first_data(view: &dyn View, ino: Ino, from: u64) -> Result<Option<u64>, FsError> {
    let mut found = None;
    view.scan(&key::chunk(ino, from), &key::chunk(ino, u64::MAX), &mut |key, _| {
        found = key::parse_chunk(key).map(|(_, index)| index);
        ControlFlow::Break(())
    })?;
    Ok(found)
}

fn first_hole(view: &dyn View, ino: Ino, from: u64) -> Result<Option<u64>, FsError> {
    let mut expected = from;
    view.scan(
        &key::chunk(ino, from),
        &key::chunk(ino, u64::MAX),
        &mut |key, _| match key::parse_chunk(key) {
            Some((_, index)) if index == expected => {
                expected += 1;
                ControlFlow::Continue(())
            }
            _ => ControlFlow::Break(()),
        },
    )?;
    Ok(Some(expected))
}
