//! statfs(2), for df(1).

use crate::base::Ino;
use crate::fs::content::MAX_FILE;
use crate::fs::error::FsError;
use crate::fs::filesystem::{Filesystem, inode_of};
use crate::meta::read;
use crate::meta::record::Superblock;
use crate::meta::view::View;

/// Unit of the block counts, in bytes.
pub const BLOCK: u64 = 4096;
/// Shown as the size of a volume without a quota: 16 TiB, so that what is shown as free fits into one file, as on a
/// disk. It is twice of what is used when more than half of that is used.
const UNLIMITED_BYTES: u64 = MAX_FILE;
/// Shown as the number of files of a volume without a quota.
const UNLIMITED_INODES: u64 = 1 << 40;

/// Space of the volume, in blocks of [`BLOCK`] bytes, and its inodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statfs {
    pub blocks: u64,
    pub free_blocks: u64,
    pub inodes: u64,
    pub free_inodes: u64,
}

/// What will be free in a moment.
struct Leaving {
    bytes: u64,
    inodes: u64,
}

impl Filesystem {
    /// Used and free space: of the quota, or of a large volume where there is none. Data that is not
    /// in the records yet counts as used; files that only wait to be reaped do not.
    ///
    /// # Errors
    /// What reading metadata can raise.
    pub fn statfs(&self) -> Result<Statfs, FsError> {
        self.volume.note_use();
        let promised = self.content.promised();
        let (mut superblock, unused) =
            self.volume.read(|view| Ok::<_, FsError>((read::superblock(view)?, self.unused(view)?)))?;
        let leaving = self.leaving(&unused);
        let used = superblock.allocated.saturating_add(promised);
        superblock.allocated = used.saturating_sub(leaving.bytes);
        superblock.inodes = superblock.inodes.saturating_sub(leaving.inodes);
        Ok(space(&superblock))
    }

    /// The files of this session that have no name and that nobody has open, and what their records hold.
    fn unused(&self, view: &dyn View) -> Result<Vec<(Ino, u64)>, FsError> {
        let slot = self.volume.slot();
        let mut unused = Vec::new();
        for (ino, orphan) in read::orphans(view)? {
            if orphan.slot == slot && !self.inodes.is_open(ino) {
                unused.push((ino, inode_of(view, ino)?.allocated));
            }
        }
        Ok(unused)
    }

    /// What they hold in all. Not within a read of the volume: the lock of a file comes before the state's, and
    /// whoever settles the file holds the one and waits for the other.
    fn leaving(&self, unused: &[(Ino, u64)]) -> Leaving {
        let dirty = |ino| self.content.dirty_attr(ino).map_or(0, |dirty| dirty.extra_allocated);
        Leaving {
            bytes: unused.iter().map(|(ino, recorded)| recorded + dirty(*ino)).sum(),
            inodes: unused.len() as u64,
        }
    }
}

fn space(superblock: &Superblock) -> Statfs {
    let limit = |quota, unlimited: u64, used: u64| match quota {
        0 => unlimited.max(used.saturating_mul(2)),
        quota => quota,
    };
    let blocks = limit(superblock.quota_bytes, UNLIMITED_BYTES, superblock.allocated) / BLOCK;
    let inodes = limit(superblock.quota_inodes, UNLIMITED_INODES, superblock.inodes);
    Statfs {
        blocks,
        free_blocks: blocks.saturating_sub(superblock.allocated.div_ceil(BLOCK)),
        inodes,
        free_inodes: inodes.saturating_sub(superblock.inodes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn within_a_quota_df_shows_the_quota() {
        let superblock = Superblock {
            allocated: 5000,
            inodes: 3,
            quota_bytes: 1 << 20,
            quota_inodes: 10,
            ..Superblock::default()
        };
        let expected = Statfs { blocks: 256, free_blocks: 254, inodes: 10, free_inodes: 7 };
        assert_eq!(space(&superblock), expected);
    }

    #[test]
    fn without_a_quota_there_is_always_as_much_free_as_used() {
        let superblock = Superblock { allocated: 1 << 60, ..Superblock::default() };
        let shown = space(&superblock);
        assert_eq!(shown.blocks, (1 << 61) / BLOCK);
        assert_eq!(shown.free_blocks, (1 << 60) / BLOCK);
    }

    #[test]
    fn a_quota_set_below_what_is_used_shows_nothing_free() {
        let superblock = Superblock { allocated: 1 << 20, quota_bytes: 4096, ..Superblock::default() };
        assert_eq!(space(&superblock).free_blocks, 0);
    }
}
