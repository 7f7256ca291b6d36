//! A credential on its way from the terminal to whoever unlocks, in this process or the next.

use std::io::{Read, Write};

use anyhow::{Result, bail};

use crate::crypto::SecretBytes;
use crate::keyring::SlotKind;

/// The longest secret that is passed on, in bytes (a key file's limit).
pub(super) const MAX_SECRET_LEN: usize = 64 * 1024;

/// What was read from a source, not yet looked at.
pub struct RawCredential {
    kind: SlotKind,
    secret: SecretBytes,
}

impl RawCredential {
    /// `secret` opens a slot of `kind`.
    pub fn new(kind: SlotKind, secret: SecretBytes) -> Self {
        Self { kind, secret }
    }

    /// What kind of slot it opens.
    pub fn kind(&self) -> SlotKind {
        self.kind
    }

    /// The secret itself.
    pub fn secret(&self) -> &SecretBytes {
        &self.secret
    }

    pub(super) fn into_parts(self) -> (SlotKind, SecretBytes) {
        (self.kind, self.secret)
    }

    /// Writes it to a pipe that nobody else reads.
    ///
    /// # Errors
    /// When the other end is gone.
    pub fn send(&self, pipe: &mut dyn Write) -> std::io::Result<()> {
        let kind = match self.kind {
            SlotKind::Passphrase => b'p',
            SlotKind::RecoveryCode => b'r',
            SlotKind::KeyFile => b'k',
        };
        let len = self.secret.len() as u32;
        pipe.write_all(&[kind])?;
        pipe.write_all(&len.to_le_bytes())?;
        pipe.write_all(self.secret.expose())?;
        pipe.flush()
    }

    /// Reads what [`Self::send`] wrote.
    ///
    /// # Errors
    /// When the pipe ends early or holds something else.
    pub fn receive(pipe: &mut dyn Read) -> Result<Self> {
        let mut head = [0; 5];
        pipe.read_exact(&mut head)?;
        let kind = match head[0] {
            b'p' => SlotKind::Passphrase,
            b'r' => SlotKind::RecoveryCode,
            b'k' => SlotKind::KeyFile,
            other => bail!("no credential begins with byte {other}"),
        };
        let len = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
        if len > MAX_SECRET_LEN {
            bail!("a credential of {len} bytes is too long");
        }
        let mut secret = zeroize::Zeroizing::new(vec![0; len]);
        pipe.read_exact(&mut secret)?;
        Ok(Self::new(kind, SecretBytes::new(std::mem::take(&mut *secret))))
    }
}
