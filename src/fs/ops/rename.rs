//! rename(2) and renameat2(2).

use bytes::Bytes;

use super::last_link::Parting;
use super::make::{New, create};
use crate::base::{Ino, Timestamp};
use crate::fs::caller::Caller;
use crate::fs::error::FsError;
use crate::fs::filesystem::{Filesystem, inode_of};
use crate::fs::name;
use crate::meta::key;
use crate::meta::op::{LastLink, Op};
use crate::meta::read;
use crate::meta::record::{Dentry, FileKind};
use crate::volume::OpTxn;

/// What happens to an entry that stands at the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenameMode {
    /// It is replaced.
    Replace,
    /// The call fails (RENAME_NOREPLACE).
    NoReplace,
    /// The two swap places (RENAME_EXCHANGE).
    Exchange,
}

impl RenameMode {
    /// From the flags of renameat2(2); also whether a whiteout stays behind (RENAME_WHITEOUT).
    ///
    /// # Errors
    /// `Invalid` for flags that do not go together, and for others.
    pub fn from_flags(flags: u32) -> Result<(Self, bool), FsError> {
        let whiteout = flags & libc::RENAME_WHITEOUT != 0;
        match flags & !libc::RENAME_WHITEOUT {
            0 => Ok((Self::Replace, whiteout)),
            libc::RENAME_NOREPLACE => Ok((Self::NoReplace, whiteout)),
            libc::RENAME_EXCHANGE if !whiteout => Ok((Self::Exchange, false)),
            _ => Err(FsError::Invalid("flags of renameat2")),
        }
    }
}

/// One place of a rename.
#[derive(Clone, Copy)]
struct Place<'a> {
    parent: Ino,
    name: &'a [u8],
}

impl Filesystem {
    /// Moves an entry. Two names of the same inode stay as they are, as POSIX wants.
    ///
    /// # Errors
    /// `NotFound`, `Exists` (NoReplace), `NotDirectory` (a directory over a file), `IsDirectory` (a file over a
    /// directory), `NotEmpty`, `IntoItself`, `NameTooLong`, `TooManyLinks`.
    pub fn rename(
        &self,
        parent: Ino,
        name: &[u8],
        new_parent: Ino,
        new_name: &[u8],
        mode: RenameMode,
    ) -> Result<(), FsError> {
        self.move_entry(Place { parent, name }, Place { parent: new_parent, name: new_name }, mode, None)
    }

    /// The same, and a whiteout of the caller's takes the old place in one step (RENAME_WHITEOUT): a device 0:0
    /// by which overlay filesystems know that the name is gone from the layers below. `from` and `to` are
    /// directories and names.
    ///
    /// # Errors
    /// Those of [`Self::rename`], and `NoSpace` over the quota.
    pub fn rename_leaving_whiteout(
        &self,
        caller: &Caller,
        from: (Ino, &[u8]),
        to: (Ino, &[u8]),
        mode: RenameMode,
    ) -> Result<(), FsError> {
        let (from, to) = (Place { parent: from.0, name: from.1 }, Place { parent: to.0, name: to.1 });
        self.with_room(|| self.move_entry(from, to, mode, Some((caller, self.volume.next_ino()))))
    }

    /// `whiteout`: who leaves one behind, and its number.
    fn move_entry(
        &self,
        from: Place<'_>,
        to: Place<'_>,
        mode: RenameMode,
        whiteout: Option<(&Caller, Ino)>,
    ) -> Result<(), FsError> {
        name::check(to.name)?;
        let time = self.volume.now();
        let permit = self.volume.enter()?;
        let (moved, parting) = self.volume.transact(&permit, |txn| {
            let done = self.rename_in(txn, from, to, mode, time)?;
            if let Some((caller, ino)) = whiteout {
                create(txn, caller, ino, &New::whiteout(from.parent, from.name), time)?;
            }
            Ok::<_, FsError>(done)
        })?;
        if let Some(parting) = parting {
            self.parted(parting, time);
        }
        drop(permit);
        self.commit_if_contested(to.parent, to.name, moved).inspect_err(|_| {
            // The kernel believes that nothing happened, but the entry has a conflict name now.
            self.volume.announce(&[key::dentry(from.parent, from.name), key::dentry(to.parent, to.name)]);
        })
    }

    /// Checks and applies; gives back what moved, and the inode that lost its name at the destination.
    fn rename_in(
        &self,
        txn: &mut OpTxn<'_>,
        from: Place<'_>,
        to: Place<'_>,
        mode: RenameMode,
        time: Timestamp,
    ) -> Result<(Ino, Option<Parting>), FsError> {
        let source = read::lookup(txn, from.parent, from.name)?.ok_or(FsError::NotFound)?;
        let target = read::lookup(txn, to.parent, to.name)?;
        check(&source, target.as_ref(), mode)?;
        if target.as_ref().is_some_and(|target| target.ino == source.ino) {
            return Ok((source.ino, None));
        }
        let exchange = mode == RenameMode::Exchange;
        let parting = match &target {
            Some(target) if !exchange => {
                Some(Parting::decide(self, txn, target.ino, inode_of(txn, target.ino)?)?)
            }
            Some(_) | None => None,
        };
        txn.apply(Op::Rename {
            from: from.parent,
            name: Bytes::copy_from_slice(from.name),
            ino: source.ino,
            to: to.parent,
            new_name: Bytes::copy_from_slice(to.name),
            replaced: target.map(|target| target.ino),
            exchange,
            last: parting.as_ref().map_or(LastLink::Reap, Parting::last),
            time,
        })?;
        let parting = parting.map(|parting| parting.applied(txn)).transpose()?;
        Ok((source.ino, parting))
    }
}

/// The rules about what may stand at the destination.
fn check(source: &Dentry, target: Option<&Dentry>, mode: RenameMode) -> Result<(), FsError> {
    let directory = |dentry: &Dentry| dentry.kind == FileKind::Directory;
    match (mode, target) {
        (RenameMode::NoReplace, Some(_)) => Err(FsError::Exists),
        (RenameMode::Exchange, None) => Err(FsError::NotFound),
        (RenameMode::Replace, Some(target)) if directory(source) && !directory(target) => {
            Err(FsError::NotDirectory)
        }
        (RenameMode::Replace, Some(target)) if !directory(source) && directory(target) => {
            Err(FsError::IsDirectory)
        }
        (RenameMode::Replace | RenameMode::NoReplace, _) | (RenameMode::Exchange, Some(_)) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dentry(ino: u64, kind: FileKind) -> Dentry {
        Dentry { ino: Ino(ino), kind }
    }

    #[test]
    fn a_directory_replaces_only_a_directory_and_a_file_only_a_file() {
        let (file, dir) = (dentry(2, FileKind::Regular), dentry(3, FileKind::Directory));
        assert!(matches!(check(&dir, Some(&file), RenameMode::Replace), Err(FsError::NotDirectory)));
        assert!(matches!(check(&file, Some(&dir), RenameMode::Replace), Err(FsError::IsDirectory)));
        assert!(check(&file, Some(&dentry(4, FileKind::Symlink)), RenameMode::Replace).is_ok());
        assert!(check(&dir, Some(&file), RenameMode::Exchange).is_ok());
    }

    #[test]
    fn noreplace_and_exchange_insist_on_what_stands_there() {
        let file = dentry(2, FileKind::Regular);
        assert!(matches!(check(&file, Some(&file), RenameMode::NoReplace), Err(FsError::Exists)));
        assert!(check(&file, None, RenameMode::NoReplace).is_ok());
        assert!(matches!(check(&file, None, RenameMode::Exchange), Err(FsError::NotFound)));
    }

    #[test]
    fn flags_that_do_not_go_together_are_refused() {
        assert_eq!(RenameMode::from_flags(0).unwrap(), (RenameMode::Replace, false));
        let both = libc::RENAME_WHITEOUT | libc::RENAME_NOREPLACE;
        assert_eq!(RenameMode::from_flags(both).unwrap(), (RenameMode::NoReplace, true));
        let exchange = libc::RENAME_EXCHANGE;
        for flags in [exchange | libc::RENAME_WHITEOUT, exchange | libc::RENAME_NOREPLACE, 1 << 31] {
            assert!(RenameMode::from_flags(flags).is_err());
        }
    }
}
