//! What a new file gets from its directory's default list (acl(5), "Object creation and default ACLs").

use super::{Acl, Tag};

impl Acl {
    /// The access list and permission bits of a file that is created with `perm` in a directory with this
    /// default list. The umask has no part in it. The list is `None` when the bits say the same.
    pub fn inherited(&self, perm: u16) -> (Option<Acl>, u16) {
        let group = if self.find(Tag::Mask).is_some() { Tag::Mask } else { Tag::GroupObj };
        let mut list = self.clone();
        for entry in &mut list.entries {
            let asked = match entry.tag {
                Tag::UserObj => perm >> 6,
                Tag::Other => perm,
                tag if tag == group => perm >> 3,
                _ => continue,
            };
            entry.perm &= (asked & 7) as u8;
        }
        let perm = (perm & !0o777) | list.permission_bits();
        ((!list.is_plain()).then_some(list), perm)
    }
}
