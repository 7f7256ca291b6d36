//! What is mounted where (proc_pid_mountinfo(5)), and unmounting.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags};

use super::options::MountConfig;
use crate::base::Clock;
use crate::fs::AccessTimes;

/// A line of mountinfo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountInfo {
    /// `major:minor`, the same in every place where a filesystem is shown.
    pub device: String,
    pub mountpoint: PathBuf,
    /// `fuse.hushfs` for ours.
    pub fs_type: String,
    /// What is mounted: the bucket's address for ours.
    pub source: String,
    /// How it is mounted, as the kernel writes it: `rw,noatime`.
    pub options: String,
    /// The same of the filesystem in all its places: for FUSE with `user_id=`, who mounted it.
    pub super_options: String,
}

impl MountInfo {
    /// Whether it is a mount of hushfs.
    pub fn is_ours(&self) -> bool {
        self.fs_type == "fuse.hushfs"
    }

    /// Whether user `uid` mounted it. The kernel keeps this, so nobody can claim to be another.
    pub fn is_of(&self, uid: u32) -> bool {
        self.super_options.split(',').any(|one| one == format!("user_id={uid}"))
    }

    /// Whether it is mounted with this option.
    pub fn has(&self, option: &str) -> bool {
        self.options.split(',').any(|one| one == option)
    }
}

/// The mount at exactly this path, if there is one; works for mounts whose process died, too.
///
/// # Errors
/// When /proc cannot be read, or the directory that holds the mountpoint does not exist.
pub fn is_mounted(path: &Path) -> io::Result<Option<MountInfo>> {
    let path = resolve(path)?;
    let table = fs::read("/proc/self/mountinfo")?;
    // The last one covers the others.
    Ok(parse(&table).into_iter().rfind(|mount| mount.mountpoint == path))
}

/// Every mount of hushfs that this process can see.
///
/// # Errors
/// When /proc cannot be read.
pub fn ours() -> io::Result<Vec<MountInfo>> {
    let table = fs::read("/proc/self/mountinfo")?;
    Ok(parse(&table).into_iter().filter(MountInfo::is_ours).collect())
}

/// Looks again whenever the table of mounts changes, until `look` finds nothing or `patience` is over: what it found
/// last.
///
/// # Errors
/// Those of `look`; when /proc cannot be read.
pub fn until_gone<T>(
    clock: &dyn Clock,
    patience: Duration,
    mut look: impl FnMut() -> io::Result<Option<T>>,
) -> io::Result<Option<T>> {
    // Changes since it was opened are told, so none is missed between a look and the wait after it.
    let table = fs::File::open("/proc/self/mountinfo")?;
    let end = clock.boot() + patience;
    loop {
        let found = look()?;
        let left = end.saturating_sub(clock.boot());
        if found.is_none() || left.is_zero() {
            return Ok(found);
        }
        let left = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&table, PollFlags::PRI)], Some(&left)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Unmounts what is mounted at `path`. Lazily: it disappears at once and ends when nobody uses it any more.
///
/// # Errors
/// EBUSY while it is in use; what fusermount3 says, for ordinary users.
pub fn unmount(path: &Path, lazy: bool) -> io::Result<()> {
    let path = resolve(path)?;
    if rustix::process::geteuid().is_root() {
        let detach = if lazy { UnmountFlags::DETACH } else { UnmountFlags::empty() };
        return Ok(rustix::mount::unmount(path.as_path(), detach | UnmountFlags::NOFOLLOW)?);
    }
    let mut command = Command::new("fusermount3");
    command.arg("-u");
    if lazy {
        command.arg("-z");
    }
    let output = command.arg("--").arg(&path).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let kind =
        if said.contains("busy") { io::ErrorKind::ResourceBusy } else { io::ErrorKind::PermissionDenied };
    Err(io::Error::new(kind, said))
}

/// Mounts what is mounted at `path` anew with what the kernel can change of `config`: `ro`, `nosuid`, `nodev`,
/// `noexec`, `nosymfollow`, `sync`, `dirsync`, and with `access_times` what it says of those. On the way to `ro` the kernel writes back all that it caches.
///
/// # Errors
/// EPERM for everybody but root; EBUSY for `ro` while a file is open for writing.
pub fn remount(path: &Path, config: &MountConfig, access_times: bool) -> io::Result<()> {
    // Where it is told nothing of them, the kernel leaves them.
    let left = if access_times { MountFlags::empty() } else { OF_ACCESS_TIMES };
    Ok(rustix::mount::mount_remount(path, flags(config) - left, "")?)
}

const OF_ACCESS_TIMES: MountFlags = MountFlags::NOATIME
    .union(MountFlags::RELATIME)
    .union(MountFlags::STRICTATIME)
    .union(MountFlags::NODIRATIME);

/// Shows what is mounted at `path` at `place`, too, with the flags of `config` that belong to a place.
///
/// # Errors
/// EPERM for everybody but root, NotFound when nothing is mounted at `path` any more; nothing is shown then.
pub fn show_at(path: &Path, place: &Path, config: &MountConfig) -> io::Result<()> {
    let before = is_mounted(path)?.ok_or(io::ErrorKind::NotFound)?;
    rustix::mount::mount_bind(path, place)?;
    if is_mounted(place)?.is_none_or(|shown| shown.device != before.device) {
        // It was unmounted a moment before: what shows now is the directory that was beneath it.
        unmount(place, false)?;
        return Err(io::ErrorKind::NotFound.into());
    }
    set_at(place, config).inspect_err(|_| {
        if let Err(left) = unmount(place, false) {
            log::warn!("{} stays mounted: {left}", place.display());
        }
    })
}

/// Gives `place` the flags of `config` that belong to a place, without a word to the filesystem.
///
/// # Errors
/// EPERM for everybody but root.
pub(super) fn set_at(place: &Path, config: &MountConfig) -> io::Result<()> {
    let of_place = flags(config) - MountFlags::SYNCHRONOUS - MountFlags::DIRSYNC;
    Ok(rustix::mount::mount_remount(place, MountFlags::BIND | of_place, "")?)
}

fn flags(config: &MountConfig) -> MountFlags {
    let flags = [
        (config.read_only, MountFlags::RDONLY),
        (!config.suid, MountFlags::NOSUID),
        (!config.dev, MountFlags::NODEV),
        (!config.exec, MountFlags::NOEXEC),
        (config.nosymfollow, MountFlags::NOSYMFOLLOW),
        (config.access_times == AccessTimes::Never, MountFlags::NOATIME),
        (config.access_times == AccessTimes::Relative, MountFlags::RELATIME),
        (config.access_times == AccessTimes::Strict, MountFlags::STRICTATIME),
        (config.nodiratime, MountFlags::NODIRATIME),
        (config.sync, MountFlags::SYNCHRONOUS),
        (config.dirsync, MountFlags::DIRSYNC),
    ];
    flags.into_iter().filter(|(on, _)| *on).map(|(_, flag)| flag).collect()
}

/// The path without symlinks. The last component is left alone: asking about it fails when the process
/// behind a mount is dead. A path that ends in nothing of its own (`/`, `..`) is asked about after all.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    let Some(name) = path.file_name() else { return path.canonicalize() };
    if fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()) {
        return path.canonicalize();
    }
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    Ok(parent.canonicalize()?.join(name))
}

/// Lines that are not like the manual says are left out.
pub(super) fn parse(table: &[u8]) -> Vec<MountInfo> {
    table.split(|byte| *byte == b'\n').filter_map(parse_line).collect()
}

/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`
fn parse_line(line: &[u8]) -> Option<MountInfo> {
    let mut fields = line.split(|byte| *byte == b' ');
    let text = |field: &[u8]| String::from_utf8_lossy(&unescape(field)).into_owned();
    let device = text(fields.nth(2)?);
    let mountpoint = PathBuf::from(OsString::from_vec(unescape(fields.nth(1)?)));
    let options = text(fields.next()?);
    let mut fields = fields.skip_while(|field| *field != b"-").skip(1);
    let fs_type = text(fields.next()?);
    let source = text(fields.next()?);
    let super_options = text(fields.next()?);
    Some(MountInfo { device, mountpoint, fs_type, source, options, super_options })
}

/// Space, tab, newline and backslash stand as three octal digits behind a backslash.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, tail)) = rest.split_first() {
        let digits = (first == b'\\').then(|| tail.get(..3)).flatten();
        match digits.and_then(octal) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    bytes
}

fn octal(digits: &[u8]) -> Option<u8> {
    let digit = |byte: &u8| byte.checked_sub(b'0').filter(|digit| *digit < 8).map(u16::from);
    let value = digits.iter().try_fold(0u16, |value, byte| Some(value * 8 + digit(byte)?))?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"22 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw\n\
        36 35 98:0 / /mnt/my\\040disk\\134x rw,nosuid master:1 shared:2 - fuse.hushfs s3://b/p rw,user_id=0\n\
        37 35 0:5 /sub /plain rw - tmpfs none rw\n\
        broken line\n";

    #[test]
    fn mountpoints_with_odd_characters_are_found() {
        let mounts = parse(TABLE);
        assert_eq!(mounts.len(), 3);
        assert_eq!(mounts[1].mountpoint, Path::new("/mnt/my disk\\x"));
        assert_eq!(mounts[1].source, "s3://b/p");
        assert!(mounts[1].is_ours() && !mounts[0].is_ours());
        assert!(mounts[1].has("nosuid") && !mounts[1].has("suid") && !mounts[1].has("user_id=0"));
        assert_eq!(mounts[1].device, "98:0");
        assert!(mounts[1].is_of(0) && !mounts[1].is_of(1000) && !mounts[0].is_of(0));
    }

    #[test]
    fn lines_with_and_without_optional_fields_are_read_alike() {
        let mounts = parse(TABLE);
        assert_eq!((mounts[0].fs_type.as_str(), mounts[0].source.as_str()), ("ext4", "/dev/vda1"));
        assert_eq!((mounts[2].fs_type.as_str(), mounts[2].source.as_str()), ("tmpfs", "none"));
    }

    #[test]
    fn a_backslash_that_escapes_nothing_stays() {
        assert_eq!(unescape(b"a\\04"), b"a\\04");
        assert_eq!(unescape(b"a\\999b"), b"a\\999b");
        assert_eq!(unescape(b"\\377\\400"), b"\xff\\400");
        assert_eq!(unescape(b"tail\\"), b"tail\\");
    }

    #[test]
    fn proc_is_a_mount_and_a_plain_folder_is_none() {
        let proc = is_mounted(Path::new("/proc")).unwrap().unwrap();
        assert_eq!(proc.fs_type, "proc");
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(is_mounted(folder.path()).unwrap(), None);
    }
}
