//! Reading secrets from files, descriptors, commands and the service manager.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow};
use zeroize::Zeroizing;

use super::raw_credential::MAX_SECRET_LEN;
use crate::base::Random;
use crate::cli::exit::{Exit, refuse};
use crate::crypto::SecretBytes;
use crate::keyring::MIN_KEY_FILE_LEN;

/// Length of a key file that `init` makes, in bytes.
const NEW_KEY_LEN: usize = 64;

/// The contents of a passphrase file without the newline at its end. A file that others can read is
/// used all the same, with a warning: its owner may have closed the folder instead.
pub(super) fn passphrase_file(path: &Path) -> Result<SecretBytes> {
    text_file(path, "passphrase file")
}

/// The same of a file with a recovery code, or a recovery page.
pub(super) fn recovery_code_file(path: &Path) -> Result<SecretBytes> {
    text_file(path, "recovery code file")
}

fn text_file(path: &Path, what: &str) -> Result<SecretBytes> {
    let file = open(path, what)?;
    warn_if_open(&file, path, what)?;
    let mut bytes = read_all(file, &format!("the {what} {}", path.display()))?;
    cut_newline(&mut bytes);
    Ok(SecretBytes::new(std::mem::take(&mut *bytes)))
}

/// The whole contents of a key file, which nobody else may be able to read.
pub(in crate::cli) fn key_file(path: &Path) -> Result<SecretBytes> {
    let file = open(path, "key file")?;
    let status = file.metadata().with_context(|| format!("the key file {}", path.display()))?;
    if status.is_file() && status.mode() & 0o077 != 0 {
        return Err(refuse(
            Exit::Denied,
            format!(
                "the key file {path} can be read by others (mode {mode:04o}); make it private: chmod 600 {path}",
                path = path.display(),
                mode = status.mode() & 0o7777
            ),
        ));
    }
    warn_of_owner(&status, path, "key file");
    let mut bytes = read_all(file, &format!("the key file {}", path.display()))?;
    if bytes.len() < MIN_KEY_FILE_LEN {
        let (path, len) = (path.display(), bytes.len());
        return Err(refuse(
            Exit::Usage,
            format!(
                "the key file {path} has {len} bytes and needs {MIN_KEY_FILE_LEN} at least; one that is not there \
                 is made: hushfs key add --new-key-file"
            ),
        ));
    }
    Ok(SecretBytes::new(std::mem::take(&mut *bytes)))
}

/// The text of an age identity file. Of a hardware key's it is no secret, so others may read it, with a
/// warning.
pub(super) fn identity_file(path: &Path) -> Result<SecretBytes> {
    let what = "identity file";
    let file = open(path, what)?;
    warn_if_open(&file, path, what)?;
    let mut bytes = read_all(file, &format!("the {what} {}", path.display()))?;
    Ok(SecretBytes::new(std::mem::take(&mut *bytes)))
}

/// Writes a fresh key file of mode 0600, durable when it returns. The file must not exist.
///
/// # Errors
/// When it cannot be written.
pub fn create_key_file(path: &Path, random: &dyn Random) -> Result<()> {
    let mut key = Zeroizing::new([0; NEW_KEY_LEN]);
    random.fill(key.as_mut());
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(key.as_ref())?;
        file.sync_all()?;
        let folder = std::path::absolute(path)?;
        File::open(folder.parent().unwrap_or(Path::new("/")))?.sync_all()
    };
    write().with_context(|| format!("the key file {} could not be made", path.display()))
}

/// What an inherited descriptor holds, to its end, without the last newline. It is opened anew through
/// /proc, which works for files and pipes.
pub(super) fn descriptor(fd: u32) -> Result<SecretBytes> {
    let path = format!("/proc/self/fd/{fd}");
    let file = File::open(&path)
        .with_context(|| format!("descriptor {fd} is not open for reading (try {fd}<FILE)"))?;
    let mut bytes = read_all(file, &format!("descriptor {fd}"))?;
    cut_newline(&mut bytes);
    Ok(SecretBytes::new(std::mem::take(&mut *bytes)))
}

/// The first line that `sh -c command` prints. The command may talk to the terminal.
pub(super) fn command(command: &str) -> Result<SecretBytes> {
    let mut child = Command::new("sh")
        .arg("-c")
        .arg(command)
        .stdout(Stdio::piped())
        .spawn()
        .context("--passphrase-command: sh could not be started")?;
    let output = child.stdout.take().context("--passphrase-command: no output")?;
    let bytes = read_all(output, "the passphrase command's output");
    let status = child.wait().context("--passphrase-command")?;
    // What says too much is killed by its pipe.
    let bytes = bytes?;
    if !status.success() {
        return Err(anyhow!("the passphrase command failed ({status}): {command}"));
    }
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut line = Zeroizing::new(line.to_vec());
    cut_newline(&mut line);
    Ok(SecretBytes::new(std::mem::take(&mut *line)))
}

/// The systemd credential `name` (systemd.exec(5), LoadCredential=); `None` when the service has none.
pub(super) fn systemd_credential(name: &str) -> Result<Option<SecretBytes>> {
    let Some(folder) = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from) else { return Ok(None) };
    if name.contains('/') {
        return Err(refuse(Exit::Usage, format!("{name:?} is no name of a systemd credential")));
    }
    let path = folder.join(name);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(error).with_context(|| format!("the systemd credential {}", path.display()));
        }
    };
    let mut bytes = read_all(file, &format!("the systemd credential {}", path.display()))?;
    cut_newline(&mut bytes);
    Ok(Some(SecretBytes::new(std::mem::take(&mut *bytes))))
}

/// Says that another user, who is not root, may exchange what is read. Links are followed: secrets of containers and
/// of the service manager are reached by them.
fn warn_of_owner(status: &Metadata, path: &Path, what: &str) {
    let owner = status.uid();
    if status.is_file() && owner != 0 && owner != rustix::process::geteuid().as_raw() {
        log::warn!(
            "the {what} {} belongs to another user (uid {owner}), who can exchange it",
            path.display()
        );
    }
}

fn warn_if_open(file: &File, path: &Path, what: &str) -> Result<()> {
    let status = file.metadata().with_context(|| format!("the {what} {}", path.display()))?;
    warn_of_owner(&status, path, what);
    let path = path.display();
    if status.is_file() && status.mode() & 0o077 != 0 {
        let mode = status.mode() & 0o7777;
        log::warn!("the {what} {path} can be read by others (mode {mode:04o}): chmod 600 {path}");
    }
    Ok(())
}

fn open(path: &Path, what: &str) -> Result<File> {
    File::open(path).with_context(|| format!("the {what} {} cannot be read", path.display()))
}

/// Reads to the end into memory that is wiped. The buffer never grows, so it leaves no copies behind.
fn read_all(source: impl Read, what: &str) -> Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_SECRET_LEN + 1));
    source
        .take(MAX_SECRET_LEN as u64 + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("reading {what}"))?;
    if bytes.len() > MAX_SECRET_LEN {
        return Err(refuse(Exit::Usage, format!("{what} has more than 64 KiB")));
    }
    Ok(bytes)
}

fn cut_newline(bytes: &mut Vec<u8>) {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
}
