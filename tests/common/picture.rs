//! Everything that can be seen of a volume, path by path, with whatever keeps it from being seen.

use std::collections::BTreeMap;

use hushfs::base::Ino;
use hushfs::fs::{Attr, Caller, Filesystem, FsError, Handle};
use hushfs::meta::record::FileKind;

pub const ROOT_USER: Caller = Caller { uid: 0, gid: 0, pid: 0 };

/// What stands at a path. Times are left out: no two machines agree on them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    Dir { perm: u16, xattrs: BTreeMap<Vec<u8>, Vec<u8>> },
    File { perm: u16, links: u32, data: Vec<u8>, xattrs: BTreeMap<Vec<u8>, Vec<u8>> },
    Symlink { links: u32, target: Vec<u8> },
}

/// A whole namespace: paths to what stands there.
pub type Picture = BTreeMap<Vec<u8>, Node>;

/// The same where something may be wrong. A directory that cannot be listed is an error and hides what is in it.
pub type Seen = BTreeMap<Vec<u8>, Result<Node, FsError>>;

/// Walks the whole tree and reads every file.
pub fn look(fs: &Filesystem) -> Seen {
    let mut seen = Seen::new();
    visit(fs, Ino::ROOT, Vec::new(), &mut seen);
    seen
}

fn visit(fs: &Filesystem, ino: Ino, path: Vec<u8>, seen: &mut Seen) {
    let found = node(fs, ino).and_then(|node| match &node {
        Node::Dir { .. } => Ok((node, entries(fs, ino)?)),
        Node::File { .. } | Node::Symlink { .. } => Ok((node, Vec::new())),
    });
    let (node, children) = match found {
        Ok((node, children)) => (Ok(node), children),
        Err(error) => (Err(error), Vec::new()),
    };
    for (name, child) in children {
        let slash: &[u8] = if path.is_empty() { b"" } else { b"/" };
        visit(fs, child, [&path, slash, &name].concat(), seen);
    }
    seen.insert(path, node);
}

fn node(fs: &Filesystem, ino: Ino) -> Result<Node, FsError> {
    let attr = fs.getattr(ino)?;
    Ok(match attr.kind {
        FileKind::Directory => Node::Dir { perm: attr.perm, xattrs: xattrs(fs, ino)? },
        FileKind::Symlink => Node::Symlink { links: attr.nlink, target: fs.readlink(ino)?.to_vec() },
        _ => Node::File {
            perm: attr.perm,
            links: attr.nlink,
            data: read_all(fs, ino, &attr)?,
            xattrs: xattrs(fs, ino)?,
        },
    })
}

/// Names of a directory and what they lead to, without `.` and `..`.
pub fn entries(fs: &Filesystem, ino: Ino) -> Result<Vec<(Vec<u8>, Ino)>, FsError> {
    let mut entries = Vec::new();
    let mut cookie = 0;
    loop {
        let page = fs.list(ino, cookie, false)?;
        let Some(last) = page.last() else { return Ok(entries) };
        cookie = last.cookie;
        let named = page.into_iter().filter(|entry| &entry.name[..] != b"." && &entry.name[..] != b"..");
        entries.extend(named.map(|entry| (entry.name.to_vec(), entry.ino)));
    }
}

/// A file's whole content.
pub fn read_all(fs: &Filesystem, ino: Ino, attr: &Attr) -> Result<Vec<u8>, FsError> {
    let data = fs.read(ino, Handle::from_flags(0), 0, attr.size as u32 + 100)?;
    assert_eq!(data.len() as u64, attr.size, "a read ends where the size says");
    Ok(data)
}

/// Extended attributes of anything but a symlink.
pub fn xattrs(fs: &Filesystem, ino: Ino) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, FsError> {
    let names = fs.listxattr(&ROOT_USER, ino)?;
    let names = names.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    names.map(|name| Ok((name.to_vec(), fs.getxattr(ino, name)?.to_vec()))).collect()
}
