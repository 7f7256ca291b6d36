//! One method per request of the kernel. Each says in which lane it is served and hands over to the group it
//! belongs to; nothing is decided here.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fuser::{
    BsdFileFlags, CopyFileRangeFlags, Errno, FileHandle, INodeNo, IoctlFlags, KernelConfig, LockOwner,
    OpenFlags, PollEvents, PollFlags, PollNotifier, RenameFlags, ReplyAttr, ReplyCreate, ReplyData,
    ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyIoctl, ReplyLseek, ReplyOpen, ReplyPoll,
    ReplyStatfs, ReplyWrite, ReplyXattr, Request, TimeOrNow, WriteFlags,
};

use super::file::Source;
use super::lanes::{Lane, Lanes, guarded};
use super::pages::Pages;
use super::refusals::Refusals;
use super::space::Space;
use super::xattr::Labels;
use super::{convert, init};
use crate::fs::{Filesystem, FsError, Handle};

/// The file operations of a mounted volume, as the FUSE library calls them.
pub struct Adapter {
    pub(super) fs: Arc<Filesystem>,
    pub(super) lanes: Lanes,
    /// How long the kernel may believe names and attributes.
    pub(super) ttl: Duration,
    pub(super) pages: Pages,
    pub(super) refusals: Refusals,
    pub(super) space: Space,
    pub(super) labels: Labels,
}

impl Adapter {
    /// Serves `fs` in these lanes.
    pub fn new(fs: Arc<Filesystem>, lanes: Lanes, ttl: Duration, pages: Pages, space: Space) -> Self {
        let (refusals, labels) = (Refusals::default(), Labels::new());
        Self { fs, lanes, ttl, pages, refusals, space, labels }
    }

    /// Does `work` in `lane` and gives its result to `answer`.
    pub(super) fn serve<T, R: Send + 'static>(
        &self,
        lane: Lane,
        reply: R,
        work: impl Fn(&Filesystem) -> Result<T, FsError> + Send + 'static,
        answer: impl FnOnce(R, Result<T, Errno>) + Send + 'static,
    ) {
        let fs = self.fs.clone();
        self.lanes.run(lane, move || answer(reply, guarded(|| fs.attempt(work))));
    }

    /// The same for requests that are answered with nothing.
    pub(super) fn serve_empty(
        &self,
        lane: Lane,
        reply: ReplyEmpty,
        work: impl Fn(&Filesystem) -> Result<(), FsError> + Send + 'static,
    ) {
        self.serve(lane, reply, work, |reply, result| match result {
            Ok(()) => reply.ok(),
            Err(errno) => reply.error(errno),
        });
    }
}

impl fuser::Filesystem for Adapter {
    fn init(&mut self, _request: &Request, config: &mut KernelConfig) -> io::Result<()> {
        init::negotiate(config, self.fs.writeback());
        Ok(())
    }

    fn lookup(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        self.lookup_entry(convert::ino(parent), name.as_bytes().to_vec(), reply);
    }

    fn forget(&self, _request: &Request, ino: INodeNo, nlookup: u64) {
        self.fs.forget(convert::ino(ino), nlookup);
        self.lanes.served();
    }

    fn getattr(&self, _request: &Request, ino: INodeNo, fh: Option<FileHandle>, reply: ReplyAttr) {
        self.get_attr(convert::ino(ino), fh.map(|fh| Handle::from_number(fh.0)), reply);
    }

    fn setattr(
        &self,
        request: &Request,
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
        let changes = crate::fs::Changes {
            perm: mode.map(|mode| (mode & 0o7777) as u16),
            uid,
            gid,
            size,
            atime: atime.map(convert::set_time),
            mtime: mtime.map(convert::set_time),
            ctime: ctime.map(convert::timestamp),
        };
        self.set_attr(convert::caller(request), convert::ino(ino), changes, reply);
    }

    fn readlink(&self, _request: &Request, ino: INodeNo, reply: ReplyData) {
        self.read_link(convert::ino(ino), reply);
    }

    fn mknod(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        rdev: u32,
        reply: ReplyEntry,
    ) {
        let (caller, parent, name) =
            (convert::caller(request), convert::ino(parent), name.as_bytes().to_vec());
        self.make_entry(reply, move |fs| fs.mknod(&caller, parent, &name, mode, umask as u16, rdev));
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
        let (caller, parent, name) =
            (convert::caller(request), convert::ino(parent), name.as_bytes().to_vec());
        self.make_entry(reply, move |fs| fs.mkdir(&caller, parent, &name, mode as u16, umask as u16));
    }

    fn symlink(&self, request: &Request, parent: INodeNo, name: &OsStr, target: &Path, reply: ReplyEntry) {
        let (caller, parent, name) =
            (convert::caller(request), convert::ino(parent), name.as_bytes().to_vec());
        let target = target.as_os_str().as_bytes().to_vec();
        self.make_entry(reply, move |fs| fs.symlink(&caller, parent, &name, &target));
    }

    fn link(&self, _request: &Request, ino: INodeNo, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let (ino, parent, name) = (convert::ino(ino), convert::ino(parent), name.as_bytes().to_vec());
        self.make_entry(reply, move |fs| fs.link(ino, parent, &name));
    }

    fn unlink(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let (parent, name) = (convert::ino(parent), name.as_bytes().to_vec());
        self.serve_empty(Lane::Change, reply, move |fs| fs.unlink(parent, &name));
    }

    fn rmdir(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let (parent, name) = (convert::ino(parent), name.as_bytes().to_vec());
        self.serve_empty(Lane::Change, reply, move |fs| fs.rmdir(parent, &name));
    }

    fn rename(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let from = (convert::ino(parent), name.as_bytes().to_vec());
        let to = (convert::ino(new_parent), new_name.as_bytes().to_vec());
        self.rename_entry(convert::caller(request), from, to, flags.bits(), reply);
    }

    fn open(&self, request: &Request, ino: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        self.open_file(convert::caller(request), convert::ino(ino), flags.0, reply);
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        flags: i32,
        reply: ReplyCreate,
    ) {
        let (caller, name) = (convert::caller(request), name.as_bytes().to_vec());
        self.create_file(caller, convert::ino(parent), name, (mode as u16, umask as u16), flags, reply);
    }

    fn read(
        &self,
        _request: &Request,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        size: u32,
        flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let direct = flags.0 & libc::O_DIRECT != 0;
        self.read_file((convert::ino(ino), fh), offset, size, direct, reply);
    }

    fn write(
        &self,
        _request: &Request,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        data: &[u8],
        write_flags: WriteFlags,
        flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let source = match write_flags.contains(WriteFlags::FUSE_WRITE_CACHE) {
            true => Source::Cache,
            false if flags.0 & libc::O_DIRECT != 0 => Source::Direct,
            false => Source::Through,
        };
        let kill_priv = write_flags.contains(WriteFlags::FUSE_WRITE_KILL_SUIDGID);
        // The kernel waits for the bucket after a synced write, but not after one that it did not wait for itself
        // (fuse_aio_complete in fs/fuse/file.c).
        let synced = source == Source::Direct && flags.0 & libc::O_DSYNC != 0;
        self.write_file((convert::ino(ino), fh), offset, data, (kill_priv, source, synced), reply);
    }

    /// close(2). The kernel has written back what it cached before it asks; there is nothing more to wait
    /// for, since only fsync(2) promises the bucket.
    fn flush(
        &self,
        _request: &Request,
        ino: INodeNo,
        fh: FileHandle,
        _lock_owner: LockOwner,
        reply: ReplyEmpty,
    ) {
        let (ino, handle) = (convert::ino(ino), Handle::from_number(fh.0));
        let pages = self.pages.clone();
        if handle.writable() {
            self.refusals.forget(ino);
            // The kernel asks by itself after this.
            self.space.take(ino);
        }
        self.serve_empty(Lane::Change, reply, move |fs| {
            if fs.flush(ino, handle)? {
                pages.forget_attributes(ino);
            }
            Ok(())
        });
    }

    fn release(
        &self,
        _request: &Request,
        ino: INodeNo,
        fh: FileHandle,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        self.fs.release(convert::ino(ino), Handle::from_number(fh.0));
        reply.ok();
        self.lanes.served();
    }

    fn fsync(&self, _request: &Request, ino: INodeNo, _fh: FileHandle, _datasync: bool, reply: ReplyEmpty) {
        let (ino, pages) = (convert::ino(ino), self.pages.clone());
        let is_old = self.space.is_old(ino);
        self.serve_empty(Lane::Change, reply, move |fs| {
            fs.sync()?;
            if is_old {
                pages.forget_attributes(ino);
            }
            Ok(())
        });
    }

    fn opendir(&self, _request: &Request, ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        self.open_directory(convert::ino(ino), reply);
    }

    fn readdir(&self, _request: &Request, ino: INodeNo, _fh: FileHandle, offset: u64, reply: ReplyDirectory) {
        self.read_directory(convert::ino(ino), offset, reply);
    }

    fn readdirplus(
        &self,
        _request: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        reply: ReplyDirectoryPlus,
    ) {
        self.read_directory_plus(convert::ino(ino), offset, reply);
    }

    fn releasedir(
        &self,
        _request: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _flags: OpenFlags,
        reply: ReplyEmpty,
    ) {
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
        self.serve_empty(Lane::Change, reply, Filesystem::sync);
    }

    fn statfs(&self, _request: &Request, _ino: INodeNo, reply: ReplyStatfs) {
        self.space(reply);
    }

    fn setxattr(
        &self,
        request: &Request,
        ino: INodeNo,
        name: &OsStr,
        value: &[u8],
        flags: i32,
        _position: u32,
        reply: ReplyEmpty,
    ) {
        let (caller, ino, name) = (convert::caller(request), convert::ino(ino), name.as_bytes().to_vec());
        let value = value.to_vec();
        self.labels.saw(&name);
        self.serve_empty(Lane::Change, reply, move |fs| fs.setxattr(&caller, ino, &name, &value, flags));
    }

    fn getxattr(&self, _request: &Request, ino: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        self.get_xattr(convert::ino(ino), name.as_bytes().to_vec(), size, reply);
    }

    fn listxattr(&self, request: &Request, ino: INodeNo, size: u32, reply: ReplyXattr) {
        self.list_xattrs(convert::caller(request), convert::ino(ino), size, reply);
    }

    fn removexattr(&self, _request: &Request, ino: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let (ino, name) = (convert::ino(ino), name.as_bytes().to_vec());
        self.serve_empty(Lane::Change, reply, move |fs| fs.removexattr(ino, &name));
    }

    fn fallocate(
        &self,
        request: &Request,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        let (caller, file) = (convert::caller(request), (convert::ino(ino), Handle::from_number(fh.0)));
        self.serve_empty(Lane::Change, reply, move |fs| fs.fallocate(&caller, file, mode, offset, length));
    }

    fn lseek(
        &self,
        _request: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: i64,
        whence: i32,
        reply: ReplyLseek,
    ) {
        self.seek_file(convert::ino(ino), offset, whence, reply);
    }

    fn copy_file_range(
        &self,
        request: &Request,
        ino_in: INodeNo,
        _fh_in: FileHandle,
        offset_in: u64,
        ino_out: INodeNo,
        fh_out: FileHandle,
        offset_out: u64,
        len: u64,
        flags: CopyFileRangeFlags,
        reply: ReplyWrite,
    ) {
        if !flags.is_empty() {
            return reply.error(Errno::EINVAL);
        }
        let (from, to) = ((convert::ino(ino_in), offset_in), (convert::ino(ino_out), offset_out));
        self.copy_file(convert::caller(request), from, (to, fh_out), len, reply);
    }

    /// There are no ioctls; the kernel's own (sizes, flags) work without us or not at all.
    fn ioctl(
        &self,
        _request: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _flags: IoctlFlags,
        _cmd: u32,
        _in_data: &[u8],
        _out_size: u32,
        reply: ReplyIoctl,
    ) {
        reply.error(Errno::ENOTTY);
    }

    /// Files are always ready; ENOSYS makes the kernel answer so by itself from now on.
    fn poll(
        &self,
        _request: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _notifier: PollNotifier,
        _events: PollEvents,
        _flags: PollFlags,
        reply: ReplyPoll,
    ) {
        reply.error(Errno::ENOSYS);
    }
}
