//! Where hushfs keeps its files on this machine (XDG base directories).

use std::ffi::OsStr;
use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use rustix::process::geteuid;
use sha2::{Digest, Sha256};

/// `$XDG_CACHE_HOME/hushfs`: the sealed disk cache, safe to delete.
///
/// # Errors
/// When there is no home directory to fall back to.
pub fn cache_root() -> io::Result<PathBuf> {
    base("XDG_CACHE_HOME", ".cache")
}

/// `$XDG_STATE_HOME/hushfs`: logs, and control sockets where there is no runtime folder.
///
/// # Errors
/// When there is no home directory to fall back to.
pub fn state_root() -> io::Result<PathBuf> {
    base("XDG_STATE_HOME", ".local/state")
}

/// `$XDG_DATA_HOME/hushfs`: the local keyring; it must outlive caches and states.
///
/// # Errors
/// When there is no home directory to fall back to.
pub fn data_root() -> io::Result<PathBuf> {
    base("XDG_DATA_HOME", ".local/share")
}

/// Folders that may hold control sockets, the preferred one first. A mount made at boot has no
/// session, so whoever looks for a socket looks into all of them.
pub fn runtime_roots() -> Vec<PathBuf> {
    let mut roots = Vec::new();
    if let Some(folder) = absolute_variable("XDG_RUNTIME_DIR") {
        roots.push(folder.join("hushfs"));
    }
    if geteuid().is_root() {
        roots.push(PathBuf::from("/run/hushfs"));
    } else {
        roots.push(PathBuf::from(format!("/run/user/{}/hushfs", geteuid().as_raw())));
    }
    match state_root() {
        Ok(folder) => roots.push(folder.join("run")),
        Err(error) => log::debug!("no state folder for control sockets: {error}"),
    }
    roots.dedup();
    roots
}

/// A short file name for a mount point or bucket: two of them never share it by accident.
pub fn short_name(of: &OsStr) -> String {
    HEXLOWER.encode(&Sha256::digest(of.as_bytes())[..10])
}

/// Makes `folder` and its parents with mode 0700 and takes the group's and others' access away.
///
/// # Errors
/// When it cannot be made, or belongs to somebody else.
pub fn private_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mode = std::fs::metadata(folder)?.permissions().mode();
    if mode & 0o077 != 0 {
        std::fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// The mount point with all symbolic links resolved. Works for one whose process died, too: then only
/// its parent is looked at.
///
/// # Errors
/// When the path (or its parent) does not exist.
pub fn canonical_mountpoint(path: &Path) -> io::Result<PathBuf> {
    let error = match path.canonicalize() {
        Ok(path) => return Ok(path),
        Err(error) => error,
    };
    let absolute = std::path::absolute(path)?;
    match (absolute.parent(), absolute.file_name()) {
        (Some(parent), Some(name)) if error.kind() != io::ErrorKind::NotFound => {
            Ok(parent.canonicalize()?.join(name))
        }
        _ => Err(error),
    }
}

fn base(variable: &str, below_home: &str) -> io::Result<PathBuf> {
    if let Some(folder) = absolute_variable(variable) {
        return Ok(folder.join("hushfs"));
    }
    let home = std::env::home_dir().filter(|home| home.is_absolute());
    let home = home.ok_or_else(|| io::Error::other(format!("neither {variable} nor HOME names a folder")))?;
    Ok(home.join(below_home).join("hushfs"))
}

/// XDG: "all paths must be absolute; a relative one is invalid and to be ignored".
fn absolute_variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_stable_and_distinct() {
        let name = short_name(OsStr::new("/mnt/a"));
        assert_eq!(name.len(), 20);
        assert_eq!(name, short_name(OsStr::new("/mnt/a")));
        assert_ne!(name, short_name(OsStr::new("/mnt/b")));
    }

    #[test]
    fn a_private_folder_is_private_even_if_it_was_not() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("a/b");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        private_folder(&folder).unwrap();
        assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn mount_points_are_resolved_through_links() {
        let scratch = tempfile::tempdir().unwrap();
        let real = scratch.path().canonicalize().unwrap().join("real");
        std::fs::create_dir(&real).unwrap();
        let link = scratch.path().join("link");
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert_eq!(canonical_mountpoint(&link).unwrap(), real);
        assert!(canonical_mountpoint(&scratch.path().join("missing")).is_err());
    }
}
