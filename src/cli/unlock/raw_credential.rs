//! A credential on its way from the terminal to whoever unlocks, in this process or the next.

use std::io::{Read, Write};

use anyhow::{Context, Result, bail};

use crate::base::VolumeId;
use crate::cli::recovery_page::code_in;
use crate::crypto::{SecretBytes, SecretKey};
use crate::keyring::{
    Credential, Fingerprint, KeptKey, KeyringError, RecoveryCode, SlotId, SlotKind, UnwrappedSecret,
};

/// The longest secret that is passed on, in bytes (a key file's limit).
pub(super) const MAX_SECRET_LEN: usize = 64 * 1024;
/// In the place of a slot's kind: a kept key.
const KEPT: u8 = 0;

/// What was read from a source, not yet looked at.
pub struct RawCredential {
    /// What it opens; `None` for the volume key itself, which this machine has kept.
    kind: Option<SlotKind>,
    /// The only slot that it opens, for the kinds that are unwrapped elsewhere.
    slot: Option<SlotId>,
    secret: SecretBytes,
    trust: Trust,
}

/// Why a volume that was unlocked is believed to be the user's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trust {
    /// False where the slot can be made by anybody who knows something public (an age recipient, a KMS key):
    /// then a store could put a volume of its own in place. This machine's memory of the volume, or the
    /// fingerprint, has to say that it is not so.
    pub vouched: bool,
    /// What the user says that the fingerprint is.
    pub fingerprint: Option<Fingerprint>,
}

impl Trust {
    /// The secret itself says so: nobody else could have made the slot.
    pub const SECRET: Trust = Trust { vouched: true, fingerprint: None };
}

impl RawCredential {
    /// `secret` opens a slot of `kind`.
    pub fn new(kind: SlotKind, secret: SecretBytes) -> Self {
        Self { kind: Some(kind), slot: None, secret, trust: Trust::SECRET }
    }

    /// `secret` is what a place on this machine has kept (see [`KeptKey`]).
    pub fn kept(secret: SecretBytes) -> Self {
        Self { kind: None, slot: None, secret, trust: Trust::SECRET }
    }

    /// It opens `slot` alone.
    pub(super) fn for_slot(self, slot: SlotId) -> Self {
        Self { slot: Some(slot), ..self }
    }

    /// Anybody could have made the slot.
    pub(super) fn without_voucher(self) -> Self {
        Self { trust: Trust { vouched: false, ..self.trust }, ..self }
    }

    /// The volume's fingerprint must be this one, if any is given.
    pub(super) fn expecting(self, fingerprint: Option<Fingerprint>) -> Self {
        Self { trust: Trust { fingerprint, ..self.trust }, ..self }
    }

    /// Why the volume is to be believed.
    pub fn trust(&self) -> Trust {
        self.trust
    }

    /// What kind of slot it opens, if it opens one.
    pub fn kind(&self) -> Option<SlotKind> {
        self.kind
    }

    /// The secret itself.
    pub fn secret(&self) -> &SecretBytes {
        &self.secret
    }

    /// Checks the text of a recovery code and the form of a kept key of `volume`; the other kinds are taken as
    /// they are.
    ///
    /// # Errors
    /// Where the code was mistyped; for a kept key of another volume.
    pub fn into_credential(self, volume: VolumeId) -> Result<Credential> {
        let Self { kind, slot, secret, .. } = self;
        let Some(kind) = kind else {
            return Ok(Credential::Kept(KeptKey::decode(secret.expose(), volume)?));
        };
        Ok(match kind {
            SlotKind::Passphrase => Credential::Passphrase(secret),
            SlotKind::KeyFile => Credential::KeyFile(secret),
            SlotKind::RecoveryCode => {
                let text = std::str::from_utf8(secret.expose()).context("the recovery code is no text")?;
                Credential::RecoveryCode(RecoveryCode::parse(&code_in(text)).map_err(KeyringError::from)?)
            }
            SlotKind::Kms => Credential::Kms(unwrapped(slot, &secret)?),
            SlotKind::Age => Credential::Age(unwrapped(slot, &secret)?),
        })
    }

    /// Writes it to a pipe that nobody else reads.
    ///
    /// # Errors
    /// When the other end is gone.
    pub fn send(&self, pipe: &mut dyn Write) -> std::io::Result<()> {
        let kind = self.kind.map_or(KEPT, |kind| kind as u8);
        pipe.write_all(&[kind, u8::from(self.trust.vouched)])?;
        send_option(pipe, self.slot.map(|slot| slot.0))?;
        send_option(pipe, self.trust.fingerprint.map(|fingerprint| fingerprint.0))?;
        pipe.write_all(&(self.secret.len() as u32).to_le_bytes())?;
        pipe.write_all(self.secret.expose())?;
        pipe.flush()
    }

    /// Reads what [`Self::send`] wrote.
    ///
    /// # Errors
    /// When the pipe ends early or holds something else.
    pub fn receive(pipe: &mut dyn Read) -> Result<Self> {
        let [kind, vouched] = receive_array(pipe)?;
        let known = SlotKind::ALL.into_iter().find(|known| *known as u8 == kind);
        if known.is_none() && kind != KEPT {
            bail!("no credential begins with byte {kind}");
        }
        let slot = receive_option(pipe)?.map(SlotId);
        let fingerprint = receive_option(pipe)?.map(Fingerprint);
        let len = u32::from_le_bytes(receive_array(pipe)?) as usize;
        if len > MAX_SECRET_LEN {
            bail!("a credential of {len} bytes is too long");
        }
        let mut secret = zeroize::Zeroizing::new(vec![0; len]);
        pipe.read_exact(&mut secret)?;
        let secret = SecretBytes::new(std::mem::take(&mut *secret));
        Ok(Self { kind: known, slot, secret, trust: Trust { vouched: vouched == 1, fingerprint } })
    }
}

fn unwrapped(slot: Option<SlotId>, secret: &SecretBytes) -> Result<UnwrappedSecret> {
    let slot = slot.context("a secret from outside belongs to a slot")?;
    let secret: &[u8; SecretKey::LEN] = secret.expose().try_into().context("a slot's secret has 32 bytes")?;
    Ok(UnwrappedSecret { slot, secret: SecretKey::copy_of(secret) })
}

fn send_option(pipe: &mut dyn Write, value: Option<[u8; 16]>) -> std::io::Result<()> {
    pipe.write_all(&[u8::from(value.is_some())])?;
    pipe.write_all(&value.unwrap_or_default())
}

fn receive_option(pipe: &mut dyn Read) -> Result<Option<[u8; 16]>> {
    let [there] = receive_array(pipe)?;
    let value = receive_array(pipe)?;
    Ok((there == 1).then_some(value))
}

fn receive_array<const N: usize>(pipe: &mut dyn Read) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    pipe.read_exact(&mut bytes)?;
    Ok(bytes)
}
