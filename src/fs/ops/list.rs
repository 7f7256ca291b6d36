//! Listing a directory, page by page, in the order of cookies (see [`crate::fs::cookie`]).

use std::ops::ControlFlow;

use bytes::Bytes;

use crate::base::Ino;
use crate::fs::attr::Attr;
use crate::fs::cookie::Cookie;
use crate::fs::error::FsError;
use crate::fs::filesystem::{Filesystem, inode_of};
use crate::meta::read;
use crate::meta::record::{FileKind, Inode};
use crate::meta::view::View;

/// Entries read in one go: as many as fit the kernel's usual buffer.
const PAGE: usize = 64;

/// One entry of a listing. No lookup is counted yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub ino: Ino,
    pub kind: FileKind,
    pub name: Bytes,
    /// Where the listing goes on after this entry.
    pub cookie: u64,
    /// Present if asked for, never for `.` and `..`.
    pub attr: Option<Attr>,
}

/// An entry before its attributes are overlaid.
struct Row {
    ino: Ino,
    kind: FileKind,
    name: Bytes,
    cookie: Cookie,
    inode: Option<Inode>,
}

impl Filesystem {
    /// Up to a page of entries after `cookie` (0: from the start), with attributes if `plus`; empty at the end.
    /// Entries that stay are listed exactly once, whatever comes and goes meanwhile.
    ///
    /// # Errors
    /// `Stale` when the directory is gone; `NotDirectory`.
    pub fn list(&self, ino: Ino, cookie: u64, plus: bool) -> Result<Vec<Listed>, FsError> {
        self.volume.note_use();
        let cookie = Cookie::from_number(cookie);
        let rows = self.volume.read(|view| page(view, ino, cookie, plus))?;
        if cookie == Cookie::Start {
            self.touch(ino, self.access_rule.nodiratime());
        }
        Ok(rows.into_iter().map(|row| self.finish(row)).collect())
    }

    fn finish(&self, row: Row) -> Listed {
        let Row { ino, kind, name, cookie, inode } = row;
        let attr = inode.map(|inode| self.attr(ino, &inode));
        Listed { ino, kind, name, cookie: cookie.number(), attr }
    }
}

fn page(view: &dyn View, ino: Ino, cookie: Cookie, plus: bool) -> Result<Vec<Row>, FsError> {
    let directory = inode_of(view, ino)?;
    if directory.kind != FileKind::Directory {
        return Err(FsError::NotDirectory);
    }
    let mut rows = dots(ino, directory.parent, cookie);
    let (start, skip) = cookie.resume();
    let mut last = (start, 0);
    read::list(view, ino, start, &mut |listed| {
        let rank = if listed.position == last.0 { last.1 } else { 0 };
        last = (listed.position, rank + 1);
        if listed.position != start || rank >= skip {
            rows.push(Row {
                ino: listed.dentry.ino,
                kind: listed.dentry.kind,
                name: listed.name,
                cookie: Cookie::After { position: listed.position, rank },
                inode: None,
            });
        }
        if rows.len() < PAGE { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    if plus {
        add_inodes(view, &mut rows)?;
    }
    Ok(rows)
}

fn dots(ino: Ino, parent: Ino, cookie: Cookie) -> Vec<Row> {
    let dot = |ino, name: &'static [u8], cookie| Row {
        ino,
        kind: FileKind::Directory,
        name: Bytes::from_static(name),
        cookie,
        inode: None,
    };
    match cookie {
        Cookie::Start => vec![dot(ino, b".", Cookie::AfterDot), dot(parent, b"..", Cookie::AfterDotDot)],
        Cookie::AfterDot => vec![dot(parent, b"..", Cookie::AfterDotDot)],
        Cookie::AfterDotDot | Cookie::After { .. } => Vec::new(),
    }
}

fn add_inodes(view: &dyn View, rows: &mut [Row]) -> Result<(), FsError> {
    for row in rows.iter_mut().filter(|row| !matches!(row.cookie, Cookie::AfterDot | Cookie::AfterDotDot)) {
        let inode = read::inode(view, row.ino)?;
        let missing =
            || FsError::Corrupt(format!("a directory names inode {}, which does not exist", row.ino));
        row.inode = Some(inode.ok_or_else(missing)?);
    }
    Ok(())
}
