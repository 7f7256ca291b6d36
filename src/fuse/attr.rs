//! Requests about attributes, symlinks and space.

use fuser::{ReplyAttr, ReplyData, ReplyStatfs};

use super::adapter::Adapter;
use super::convert;
use super::lanes::Lane;
use crate::base::Ino;
use crate::fs::{BLOCK, Caller, Changes, FsError, Handle, MAX_NAME};

impl Adapter {
    /// `handle` is where the kernel asks on behalf of a write(2) or the like.
    pub(super) fn get_attr(&self, ino: Ino, handle: Option<Handle>, reply: ReplyAttr) {
        let refused = self.refusals.take(ino, handle);
        let ttl = self.refusals.cap(ino, self.ttl);
        self.serve(
            Lane::Read,
            reply,
            move |fs| if refused { Err(FsError::NoSpace) } else { fs.getattr(ino) },
            move |reply, result| match result {
                Ok(attr) => reply.attr(&ttl, &convert::attr(&attr)),
                Err(errno) => reply.error(errno),
            },
        );
    }

    pub(super) fn set_attr(&self, caller: Caller, ino: Ino, changes: Changes, reply: ReplyAttr) {
        let ttl = self.ttl;
        self.serve(
            Lane::Change,
            reply,
            move |fs| fs.setattr(&caller, ino, changes),
            move |reply, result| match result {
                Ok(attr) => reply.attr(&ttl, &convert::attr(&attr)),
                Err(errno) => reply.error(errno),
            },
        );
    }

    pub(super) fn read_link(&self, ino: Ino, reply: ReplyData) {
        self.serve(
            Lane::Read,
            reply,
            move |fs| fs.readlink(ino),
            |reply, result| match result {
                Ok(target) => reply.data(&target),
                Err(errno) => reply.error(errno),
            },
        );
    }

    pub(super) fn space(&self, reply: ReplyStatfs) {
        self.serve(
            Lane::Read,
            reply,
            |fs| fs.statfs(),
            |reply, result| match result {
                Ok(space) => {
                    let (block, name) = (BLOCK as u32, MAX_NAME as u32);
                    let free = space.free_blocks;
                    reply.statfs(
                        space.blocks,
                        free,
                        free,
                        space.inodes,
                        space.free_inodes,
                        block,
                        name,
                        block,
                    );
                }
                Err(errno) => reply.error(errno),
            },
        );
    }
}
