//! What is left of a directory that was removed while somebody still refers to it: a working directory, an open
//! handle, one opened with O_PATH.
//!
//! Its records are gone, here and in the bucket. Attributes can be read and changed as on a disk, and nobody but
//! those who refer to it ever sees them.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::acl::{self, Acl};
use super::error::FsError;
use crate::base::{Ino, Timestamp};
use crate::meta::read;
use crate::meta::record::{Inode, MAX_XATTR};
use crate::meta::view::{ReadError, View};

/// Names and values that can be added to a ghost, in bytes: it lives in memory.
const ROOM: usize = 2 * MAX_XATTR;

/// The last state of an inode whose record is gone.
#[derive(Debug)]
pub struct Ghost {
    pub inode: Inode,
    xattrs: BTreeMap<Bytes, Bytes>,
}

impl Ghost {
    /// What `inode` has in the way of extended attributes is in `xattrs`.
    pub fn new(inode: Inode, xattrs: BTreeMap<Bytes, Bytes>) -> Self {
        Self { inode, xattrs }
    }

    /// Sets the permission bits, which show in the access list too, where there is one.
    ///
    /// # Errors
    /// `Invalid` for a list that is none.
    pub fn chmod(&mut self, perm: u16) -> Result<(), FsError> {
        self.inode.perm = perm;
        if let Some(value) = self.xattrs.get_mut(acl::ACCESS)
            && let Some(list) = Acl::from_xattr(value)?
        {
            *value = list.with_permission_bits(perm).to_xattr().into();
        }
        Ok(())
    }

    /// The value of an attribute.
    ///
    /// # Errors
    /// `NoXattr`.
    pub fn xattr(&self, name: &[u8]) -> Result<Bytes, FsError> {
        self.xattrs.get(name).cloned().ok_or(FsError::NoXattr)
    }

    /// The names of all attributes.
    pub fn xattr_names(&self) -> Vec<Bytes> {
        self.xattrs.keys().cloned().collect()
    }

    /// Sets an attribute, which must be new (`Some(true)`), be there (`Some(false)`), or either.
    ///
    /// # Errors
    /// `Exists`, `NoXattr`; `NoSpace` when there are too many.
    pub fn set_xattr(
        &mut self,
        name: &[u8],
        value: &[u8],
        create: Option<bool>,
        ctime: Timestamp,
    ) -> Result<(), FsError> {
        match (self.xattrs.contains_key(name), create) {
            (true, Some(true)) => return Err(FsError::Exists),
            (false, Some(false)) => return Err(FsError::NoXattr),
            _ => {}
        }
        if !fits(&self.xattrs, name, value) {
            return Err(FsError::NoSpace);
        }
        self.xattrs.insert(Bytes::copy_from_slice(name), Bytes::copy_from_slice(value));
        self.inode.ctime = ctime;
        Ok(())
    }

    /// Removes an attribute.
    ///
    /// # Errors
    /// `NoXattr`.
    pub fn remove_xattr(&mut self, name: &[u8], ctime: Timestamp) -> Result<(), FsError> {
        self.xattrs.remove(name).ok_or(FsError::NoXattr)?;
        self.inode.ctime = ctime;
        Ok(())
    }
}

/// Whether an attribute can be added to the others, or take the place of what it was.
fn fits(xattrs: &BTreeMap<Bytes, Bytes>, name: &[u8], value: &[u8]) -> bool {
    let others = xattrs.iter().filter(|(other, _)| *other != name);
    let taken: usize = others.map(|(name, value)| name.len() + value.len()).sum();
    taken + name.len() + value.len() <= ROOM
}

/// All extended attributes of `inode`, whose number is `ino`.
///
/// # Errors
/// Those of reading.
pub fn xattrs_of(view: &impl View, ino: Ino, inode: &Inode) -> Result<BTreeMap<Bytes, Bytes>, ReadError> {
    let mut found = BTreeMap::new();
    if inode.has_xattrs {
        for name in read::xattr_names(view, ino)? {
            if let Some(value) = read::xattr(view, ino, &name)? {
                found.insert(name, value);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ghost_takes_so_many_bytes_of_attributes_and_no_more() {
        let longest = Bytes::from(vec![1; MAX_XATTR]);
        let xattrs = BTreeMap::from([(Bytes::from_static(b"user.a"), longest.clone())]);
        assert!(fits(&BTreeMap::new(), b"user.a", &longest));
        assert!(fits(&xattrs, b"user.a", &longest), "it takes its own place");
        assert!(!fits(&xattrs, b"user.b", &longest));
        assert!(fits(&xattrs, b"user.b", &longest[..MAX_XATTR - 12]));
    }
}
