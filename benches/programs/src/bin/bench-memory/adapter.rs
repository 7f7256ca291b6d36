//! Requests of the kernel. Everything is answered at once, on the thread that took it.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use fuser::{
    BsdFileFlags, CopyFileRangeFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags,
    Generation, INodeNo, KernelConfig, LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData,
    ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite,
    ReplyXattr, Request, TimeOrNow, WriteFlags,
};

use crate::node::Node;
use crate::tree::{New, Tree};

/// The kernel may believe everything for this long.
const TTL: Duration = Duration::from_secs(3600);
const GENERATION: Generation = Generation(0);
const NO_HANDLE: FileHandle = FileHandle(0);

/// Most bytes that one copy moves.
const MAX_COPY: usize = 1 << 20;

#[derive(Default)]
pub struct Adapter {
    tree: Tree,
}

impl Adapter {
    fn make(&self, parent: INodeNo, name: &OsStr, new: New, reply: ReplyEntry) {
        answer_entry(self.tree.create(parent.0, name, new), reply);
    }
}

fn answer_entry(result: Result<FileAttr, Errno>, reply: ReplyEntry) {
    match result {
        Ok(attr) => reply.entry(&TTL, &attr, GENERATION),
        Err(errno) => reply.error(errno),
    }
}

fn answer_empty(result: Result<(), Errno>, reply: ReplyEmpty) {
    match result {
        Ok(()) => reply.ok(),
        Err(errno) => reply.error(errno),
    }
}

fn new(request: &Request, kind: FileType, mode: u32, umask: u32) -> New {
    let perm = (mode & !umask & 0o7777) as u16;
    New { kind, perm, owner: (request.uid(), request.gid()), target: Vec::new() }
}

fn time(time: TimeOrNow) -> SystemTime {
    match time {
        TimeOrNow::SpecificTime(time) => time,
        TimeOrNow::Now => SystemTime::now(),
    }
}

/// Inode 0: there is no such name, and the kernel may remember it.
fn nothing() -> FileAttr {
    Node::new(0, FileType::RegularFile, 0, (0, 0), Vec::new()).attr()
}

impl Filesystem for Adapter {
    fn init(&mut self, _request: &Request, config: &mut KernelConfig) -> io::Result<()> {
        // By the same code as hushfs, so that the kernel does the same.
        hushfs::fuse::negotiate(config, true);
        Ok(())
    }

    fn lookup(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        answer_entry(self.tree.lookup(parent.0, name).map(|found| found.unwrap_or_else(nothing)), reply);
    }

    fn forget(&self, _request: &Request, ino: INodeNo, nlookup: u64) {
        self.tree.forget(ino.0, nlookup);
    }

    fn getattr(&self, _request: &Request, ino: INodeNo, _fh: Option<FileHandle>, reply: ReplyAttr) {
        match self.tree.node(ino.0) {
            Ok(node) => reply.attr(&TTL, &node.attr()),
            Err(errno) => reply.error(errno),
        }
    }

    fn setattr(
        &self,
        _request: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        atime: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        ctime: Option<SystemTime>,
        _fh: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let node = match self.tree.node(ino.0) {
            Ok(node) => node,
            Err(errno) => return reply.error(errno),
        };
        if let Some(size) = size {
            let mut content = node.content.write();
            content.resize(size);
            node.resized(size);
        }
        let attr = node.change(|attr| {
            attr.perm = mode.map_or(attr.perm, |mode| (mode & 0o7777) as u16);
            attr.uid = uid.unwrap_or(attr.uid);
            attr.gid = gid.unwrap_or(attr.gid);
            attr.atime = atime.map_or(attr.atime, time);
            attr.mtime = mtime.map_or(attr.mtime, time);
            attr.ctime = ctime.unwrap_or_else(SystemTime::now);
        });
        reply.attr(&TTL, &attr);
    }

    fn readlink(&self, _request: &Request, ino: INodeNo, reply: ReplyData) {
        match self.tree.node(ino.0) {
            Ok(node) => reply.data(&node.target),
            Err(errno) => reply.error(errno),
        }
    }

    fn mknod(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _rdev: u32,
        reply: ReplyEntry,
    ) {
        self.make(parent, name, new(request, FileType::RegularFile, mode, umask), reply);
    }

    fn mkdir(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        reply: ReplyEntry,
    ) {
        self.make(parent, name, new(request, FileType::Directory, mode, umask), reply);
    }

    fn symlink(&self, request: &Request, parent: INodeNo, name: &OsStr, target: &Path, reply: ReplyEntry) {
        let link = new(request, FileType::Symlink, 0o777, 0);
        self.make(parent, name, New { target: target.as_os_str().as_bytes().to_vec(), ..link }, reply);
    }

    fn link(&self, _request: &Request, ino: INodeNo, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        answer_entry(self.tree.link(ino.0, parent.0, name), reply);
    }

    fn unlink(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer_empty(self.tree.remove(parent.0, name, false), reply);
    }

    fn rmdir(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer_empty(self.tree.remove(parent.0, name, true), reply);
    }

    fn rename(
        &self,
        _request: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        if flags.bits() & !libc::RENAME_NOREPLACE != 0 {
            return reply.error(Errno::EINVAL);
        }
        answer_empty(self.tree.rename((parent.0, name), (new_parent.0, new_name), flags.is_empty()), reply);
    }

    fn open(&self, _request: &Request, _ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        reply.opened(NO_HANDLE, FopenFlags::FOPEN_KEEP_CACHE);
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        match self.tree.create(parent.0, name, new(request, FileType::RegularFile, mode, umask)) {
            Ok(attr) => reply.created(&TTL, &attr, GENERATION, NO_HANDLE, FopenFlags::FOPEN_KEEP_CACHE),
            Err(errno) => reply.error(errno),
        }
    }

    fn read(
        &self,
        _request: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.tree.node(ino.0) {
            Ok(node) => node.content.read().read(offset, size as usize, |bytes| reply.data(bytes)),
            Err(errno) => reply.error(errno),
        }
    }

    fn write(
        &self,
        _request: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.tree.node(ino.0) {
            Ok(node) => {
                let mut content = node.content.write();
                content.write(offset, data);
                node.resized(content.size());
                reply.written(data.len() as u32);
            }
            Err(errno) => reply.error(errno),
        }
    }

    fn flush(
        &self,
        _request: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _owner: LockOwner,
        reply: ReplyEmpty,
    ) {
        reply.ok();
    }

    fn fsync(&self, _request: &Request, _ino: INodeNo, _fh: FileHandle, _datasync: bool, reply: ReplyEmpty) {
        reply.ok();
    }

    fn opendir(&self, _request: &Request, _ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        reply.opened(NO_HANDLE, FopenFlags::FOPEN_CACHE_DIR | FopenFlags::FOPEN_KEEP_CACHE);
    }

    fn readdir(
        &self,
        _request: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let node = match self.tree.node(ino.0) {
            Ok(node) => node,
            Err(errno) => return reply.error(errno),
        };
        for (place, name, ino) in node.entries.read().after(offset) {
            let Ok(entry) = self.tree.node(ino) else { continue };
            if reply.add(INodeNo(ino), place, entry.attr().kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn readdirplus(
        &self,
        _request: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        let node = match self.tree.node(ino.0) {
            Ok(node) => node,
            Err(errno) => return reply.error(errno),
        };
        for (place, name, ino) in node.entries.read().after(offset) {
            let Ok(entry) = self.tree.node(ino) else { continue };
            if reply.add(INodeNo(ino), place, name, &TTL, &entry.looked_up(), GENERATION) {
                self.tree.forget(ino, 1);
                break;
            }
        }
        reply.ok();
    }

    fn fsyncdir(
        &self,
        _request: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _datasync: bool,
        reply: ReplyEmpty,
    ) {
        reply.ok();
    }

    fn statfs(&self, _request: &Request, _ino: INodeNo, reply: ReplyStatfs) {
        reply.statfs(1 << 32, 1 << 31, 1 << 31, 1 << 32, 1 << 31, 4096, 255, 4096);
    }

    fn getxattr(&self, _request: &Request, _ino: INodeNo, name: &OsStr, _size: u32, reply: ReplyXattr) {
        // As hushfs answers on a machine without SELinux: ls(1) stops asking.
        reply.error(if name == "security.selinux" { Errno::ENOTSUP } else { Errno::ENODATA });
    }

    fn listxattr(&self, _request: &Request, _ino: INodeNo, size: u32, reply: ReplyXattr) {
        if size == 0 { reply.size(0) } else { reply.data(&[]) }
    }

    fn copy_file_range(
        &self,
        _request: &Request,
        ino_in: INodeNo,
        _fh_in: FileHandle,
        offset_in: u64,
        ino_out: INodeNo,
        _fh_out: FileHandle,
        offset_out: u64,
        len: u64,
        _flags: CopyFileRangeFlags,
        reply: ReplyWrite,
    ) {
        let (from, to) = match (self.tree.node(ino_in.0), self.tree.node(ino_out.0)) {
            (Ok(from), Ok(to)) => (from, to),
            (Err(errno), _) | (_, Err(errno)) => return reply.error(errno),
        };
        let len = usize::try_from(len).unwrap_or(usize::MAX).min(MAX_COPY);
        let bytes = from.content.read().read(offset_in, len, <[u8]>::to_vec);
        let mut content = to.content.write();
        content.write(offset_out, &bytes);
        to.resized(content.size());
        reply.written(bytes.len() as u32);
    }
}
