//! Keeping a list and the permission bits in step (acl(5), "Correspondence between ACL entries and file
//! permission bits").

use super::{Acl, Tag};

impl Acl {
    /// The nine permission bits the list shows as: owner, mask (else group), other.
    pub fn permission_bits(&self) -> u16 {
        let perm = |tag| self.find(tag).map(|entry| u16::from(entry.perm));
        let group = perm(Tag::Mask).or(perm(Tag::GroupObj)).unwrap_or(0);
        perm(Tag::UserObj).unwrap_or(0) << 6 | group << 3 | perm(Tag::Other).unwrap_or(0)
    }

    /// Whether the permission bits alone say the same, so that the list need not be kept.
    pub fn is_plain(&self) -> bool {
        self.entries.len() == 3
    }

    /// The list after chmod(2) to `perm`: owner and other follow, and the group's bits go to the mask, or to
    /// the group's entry where there is no mask.
    pub fn with_permission_bits(&self, perm: u16) -> Acl {
        let group = if self.find(Tag::Mask).is_some() { Tag::Mask } else { Tag::GroupObj };
        let mut changed = self.clone();
        for entry in &mut changed.entries {
            let bits = match entry.tag {
                Tag::UserObj => perm >> 6,
                Tag::Other => perm,
                tag if tag == group => perm >> 3,
                _ => continue,
            };
            entry.perm = (bits & 7) as u8;
        }
        changed
    }
}
