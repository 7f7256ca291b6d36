//! Extended attributes (xattr(7)).
//!
//! The kernel checks permissions by namespace, lengths of names (255 bytes) and of values (64 KiB).

use bytes::Bytes;

use crate::base::Ino;
use crate::fs::acl;
use crate::fs::caller::Caller;
use crate::fs::error::FsError;
use crate::fs::filesystem::{Filesystem, inode_of};
use crate::meta::op::Op;
use crate::meta::read;
use crate::meta::record::{FileKind, MAX_NAME, MAX_XATTR};

/// Flags of setxattr(2) that nothing can satisfy: disks answer as to the one that fails.
const CREATE_AND_REPLACE: i32 = libc::XATTR_CREATE | libc::XATTR_REPLACE;

/// How a name is treated.
enum Namespace {
    /// Kept as it is.
    Plain,
    /// An access control list.
    Acl,
}

/// Linux knows four namespaces; of `system.` only the access control lists exist here.
fn namespace(name: &[u8]) -> Result<Namespace, FsError> {
    if name.len() > MAX_NAME {
        return Err(FsError::BufferTooSmall); // ERANGE, as setxattr(2) says of names
    }
    if name == acl::ACCESS || name == acl::DEFAULT {
        return Ok(Namespace::Acl);
    }
    let known = [b"user.".as_slice(), b"trusted.", b"security."];
    match known.iter().find(|prefix| name.starts_with(prefix)) {
        // `xattr_resolve_name` in the kernel's fs/xattr.c says so for the filesystems that it looks after.
        Some(prefix) if name.len() == prefix.len() => {
            Err(FsError::Invalid("a prefix is no attribute's name"))
        }
        Some(_) => Ok(Namespace::Plain),
        None => Err(FsError::NotSupported),
    }
}

impl Filesystem {
    /// Sets an attribute; `flags` as of setxattr(2).
    ///
    /// # Errors
    /// `Exists` or `NoXattr` against the flags; `XattrTooBig`; `NotSupported` for unknown namespaces and for
    /// lists on symlinks; `Invalid` for bad lists.
    pub fn setxattr(
        &self,
        caller: &Caller,
        ino: Ino,
        name: &[u8],
        value: &[u8],
        flags: i32,
    ) -> Result<(), FsError> {
        let create = match flags {
            0 => None,
            libc::XATTR_CREATE => Some(true),
            libc::XATTR_REPLACE => Some(false),
            CREATE_AND_REPLACE => return Err(self.why_neither(ino, name)),
            _ => return Err(FsError::Invalid("flags of setxattr")),
        };
        if value.len() > MAX_XATTR {
            return Err(FsError::XattrTooBig);
        }
        let ctime = self.volume.now();
        let set = match namespace(name)? {
            Namespace::Acl => return self.set_acl(caller, ino, name, value),
            Namespace::Plain => self.change(|txn| {
                txn.apply(Op::SetXattr {
                    ino,
                    name: Bytes::copy_from_slice(name),
                    value: Bytes::copy_from_slice(value),
                    create,
                    perm: None,
                    ctime,
                })?;
                Ok(())
            }),
        };
        self.or_ghost(set, ino, |ghost| ghost.set_xattr(name, value, create, ctime))
    }

    /// Which of both flags an attribute fails.
    fn why_neither(&self, ino: Ino, name: &[u8]) -> FsError {
        self.getxattr(ino, name).err().unwrap_or(FsError::Exists)
    }

    /// The value of an attribute.
    ///
    /// # Errors
    /// `NoXattr`; `NotSupported` for unknown namespaces and for lists on symlinks.
    pub fn getxattr(&self, ino: Ino, name: &[u8]) -> Result<Bytes, FsError> {
        let namespace = namespace(name)?;
        let value = self.volume.read(|view| {
            let inode = inode_of(view, ino)?;
            if matches!(namespace, Namespace::Acl) && inode.kind == FileKind::Symlink {
                return Err(FsError::NotSupported);
            }
            if !inode.has_xattrs {
                return Err(FsError::NoXattr);
            }
            read::xattr(view, ino, name)?.ok_or(FsError::NoXattr)
        });
        self.or_ghost(value, ino, |ghost| ghost.xattr(name))
    }

    /// The names of all attributes the caller may know of, each with a NUL behind it. `trusted.` ones are
    /// shown to root alone.
    ///
    /// # Errors
    /// `Stale` when the inode is gone.
    pub fn listxattr(&self, caller: &Caller, ino: Ino) -> Result<Vec<u8>, FsError> {
        let names = self.volume.read(|view| match inode_of(view, ino)?.has_xattrs {
            true => Ok::<_, FsError>(read::xattr_names(view, ino)?),
            false => Ok(Vec::new()),
        });
        let names = self.or_ghost(names, ino, |ghost| Ok(ghost.xattr_names()))?;
        let mut list = Vec::new();
        for name in names {
            if caller.uid == 0 || !name.starts_with(b"trusted.") {
                list.extend_from_slice(&name);
                list.push(0);
            }
        }
        Ok(list)
    }

    /// Removes an attribute.
    ///
    /// # Errors
    /// `NoXattr`, except for access control lists: a list that says nothing may be absent.
    pub fn removexattr(&self, ino: Ino, name: &[u8]) -> Result<(), FsError> {
        let ctime = self.volume.now();
        let removed = match namespace(name)? {
            Namespace::Acl => return self.remove_acl(ino, name),
            Namespace::Plain => self.change(|txn| {
                let name = Bytes::copy_from_slice(name);
                txn.apply(Op::RemoveXattr { ino, name, perm: None, ctime })?;
                Ok(())
            }),
        };
        self.or_ghost(removed, ino, |ghost| ghost.remove_xattr(name, ctime))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_namespaces_of_linux_exist() {
        for name in [b"user.a".as_slice(), b"trusted.overlay.opaque", b"security.capability"] {
            assert!(matches!(namespace(name), Ok(Namespace::Plain)));
        }
        assert!(matches!(namespace(b"system.posix_acl_access"), Ok(Namespace::Acl)));
        for name in [b"system.nfs4_acl".as_slice(), b"mine", b""] {
            assert!(matches!(namespace(name), Err(FsError::NotSupported)));
        }
        assert!(matches!(namespace(b"user."), Err(FsError::Invalid(_))));
    }
}
