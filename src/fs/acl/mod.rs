//! POSIX access control lists (POSIX.1e draft 17, acl(5)) as Linux keeps them in two extended attributes.
//!
//! The kernel does the permission checks; here is what it leaves to the filesystem: refusing lists that
//! are not well formed, keeping list and permission bits in step, and inheritance. An access list that
//! says no more than the permission bits is never stored, so most files have none.

mod format;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod inherit;
mod mode;

use super::error::FsError;

/// The attribute that grants access to the file.
pub const ACCESS: &[u8] = b"system.posix_acl_access";
/// The attribute of a directory that its new entries inherit.
pub const DEFAULT: &[u8] = b"system.posix_acl_default";

/// Whom an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    /// The file's owner.
    UserObj,
    /// The user of this id.
    User(u32),
    /// The file's group.
    GroupObj,
    /// The group of this id.
    Group(u32),
    /// Upper bound of `User`, `GroupObj` and `Group`.
    Mask,
    /// Everybody else.
    Other,
}

/// What one subject may do: `perm` is a combination of 4 (read), 2 (write) and 1 (execute).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub tag: Tag,
    pub perm: u8,
}

/// A well-formed list: owner, users, group, groups, mask (always there when a user or group is named),
/// other, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acl {
    entries: Vec<Entry>,
}

impl Acl {
    /// Checks that `entries` are a well-formed list, in the order in which the kernel wants them.
    ///
    /// # Errors
    /// `Invalid` when they are not.
    pub fn new(entries: Vec<Entry>) -> Result<Self, FsError> {
        let mut last = None;
        let (mut named, mut masked) = (false, false);
        for entry in &entries {
            let rank = rank(entry.tag);
            let repeatable = matches!(entry.tag, Tag::User(_) | Tag::Group(_));
            if last.is_some_and(|last| rank < last || (rank == last && !repeatable)) {
                return Err(FsError::Invalid("order of an access control list"));
            }
            last = Some(rank);
            named |= repeatable;
            masked |= entry.tag == Tag::Mask;
            if entry.perm > 7 {
                return Err(FsError::Invalid("permissions in an access control list"));
            }
        }
        let has = |tag| entries.iter().any(|entry| entry.tag == tag);
        let complete = has(Tag::UserObj) && has(Tag::GroupObj) && has(Tag::Other);
        if !complete || (named && !masked) {
            return Err(FsError::Invalid("an access control list lacks an entry"));
        }
        Ok(Self { entries })
    }

    /// The entries, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn find(&self, tag: Tag) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.tag == tag)
    }
}

/// Place of a tag in the order of entries.
fn rank(tag: Tag) -> u8 {
    match tag {
        Tag::UserObj => 0,
        Tag::User(_) => 1,
        Tag::GroupObj => 2,
        Tag::Group(_) => 3,
        Tag::Mask => 4,
        Tag::Other => 5,
    }
}

#[cfg(test)]
mod tests;
