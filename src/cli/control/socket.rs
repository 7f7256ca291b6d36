//! Where sockets are, and making one.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use crate::cli::paths;

fn socket_name(mountpoint: &Path) -> String {
    format!("{}.sock", paths::short_name(mountpoint.as_os_str()))
}

/// Binds the socket of `mountpoint` in the first folder that can hold it.
///
/// # Errors
/// `AlreadyExists` when a live mount answers there; else the reason why no folder would do.
pub(super) fn bind(mountpoint: &Path) -> io::Result<(UnixListener, PathBuf)> {
    if connect(mountpoint)?.is_some() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "another hushfs process serves this mount point",
        ));
    }
    let mut last = io::Error::other("there is no folder for control sockets");
    for root in paths::runtime_roots() {
        match bind_in(&root, mountpoint) {
            Ok(bound) => return Ok(bound),
            Err(error) => {
                log::debug!("no control socket in {}: {error}", root.display());
                last = error;
            }
        }
    }
    Err(last)
}

fn bind_in(root: &Path, mountpoint: &Path) -> io::Result<(UnixListener, PathBuf)> {
    paths::private_folder(root)?;
    let path = root.join(socket_name(mountpoint));
    // Nobody answered: a leftover of a process that died.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok((listener, path))
}

/// Connects to whoever serves `mountpoint`; `None` when nobody does.
///
/// # Errors
/// When a socket is there and must not be used.
pub(super) fn connect(mountpoint: &Path) -> io::Result<Option<UnixStream>> {
    let name = socket_name(mountpoint);
    for root in search_roots() {
        if let Some(stream) = connect_to(&root.join(&name))? {
            return Ok(Some(stream));
        }
    }
    Ok(None)
}

fn connect_to(path: &Path) -> io::Result<Option<UnixStream>> {
    match UnixStream::connect(path) {
        Ok(stream) => Ok(Some(stream)),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::NotADirectory => {
                Ok(None)
            }
            // A path too long for a socket address cannot have been bound either.
            io::ErrorKind::InvalidInput => Ok(None),
            _ => Err(error),
        },
    }
}

/// Connections to every live mount of this user (for root: of everybody).
///
/// # Errors
/// When a folder of sockets cannot be read.
pub fn live_sockets() -> io::Result<Vec<UnixStream>> {
    let mut streams = Vec::new();
    for root in search_roots() {
        let entries = match std::fs::read_dir(&root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "sock")
                && let Some(stream) = connect_to(&path)?
            {
                streams.push(stream);
            }
        }
    }
    Ok(streams)
}

/// The folders to look into; root also serves the sessions of others.
fn search_roots() -> Vec<PathBuf> {
    let mut roots = paths::runtime_roots();
    if geteuid().is_root()
        && let Ok(sessions) = std::fs::read_dir("/run/user")
    {
        roots.extend(sessions.flatten().map(|session| session.path().join("hushfs")));
    }
    roots.sort();
    roots.dedup();
    roots
}
