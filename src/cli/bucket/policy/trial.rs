//! A trial under a policy that has just been applied: the machines of the volume must still get through, and where an
//! encryption is demanded, a client that asks for none must not.
//!
//! Both are writes of a throw-away object, which is removed. A policy under which the volume's own machines cannot
//! write is taken back.

use anyhow::{Context, Result};
use bytes::Bytes;

use crate::base::ObjectId;
use crate::cli::bucket::reach::settled;
use crate::cli::exit::{Exit, refuse};
use crate::cli::opening::Opened;
use crate::data::segment_key;
use crate::object::policy::Requirements;
use crate::object::{Bucket, Condition, ErrorKind, S3Bucket, ServerEncryption, throw_away_key};
use crate::vault::ObjectKind;

/// What the trial found, for the user.
pub(super) enum Outcome {
    /// hushfs writes; what a plain client is told, where that was asked.
    Proven { plain_is_refused: bool },
    /// hushfs cannot write any more: why.
    LockedOut(anyhow::Error),
    /// hushfs writes, and so does a client that asks for nothing.
    NotEnforced,
}

/// An object that nobody needs, at a place that the policy is about.
struct Spot {
    key: String,
    body: Bytes,
}

impl Spot {
    /// Under `probe/`. With customer keys that place is left open, and the key to send depends on what an object is
    /// sealed under: there it is a segment that nothing refers to, as gc removes them.
    fn draw(opened: &Opened, requirements: &Requirements) -> Result<Self> {
        let random = opened.store.random.as_ref();
        if requirements.encryption != Some(ServerEncryption::Customer) {
            let mut body = [0; 32];
            random.fill(&mut body);
            return Ok(Self { key: throw_away_key(random), body: Bytes::copy_from_slice(&body) });
        }
        let (id, vault) = (ObjectId::generate(random), &opened.vault);
        let body = vault.seal_object(ObjectKind::Segment, id, &[], random)?;
        Ok(Self { key: segment_key(vault.epoch(), id), body: body.into() })
    }

    /// Writes and removes it; `false` when the write was denied.
    async fn admits(&self, bucket: &dyn Bucket) -> Result<bool> {
        match bucket.put(&self.key, self.body.clone(), Condition::Overwrite).await {
            Ok(_) => {
                let removed = bucket.delete(std::slice::from_ref(&self.key)).await;
                removed.with_context(|| format!("removing the trial object {:?}", self.key))?;
                Ok(true)
            }
            Err(error) if error.kind == ErrorKind::Denied => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// A write with the volume's rules of the moment, before any policy is there.
///
/// # Errors
/// What the server says to it.
pub(super) async fn try_setting(opened: &Opened, requirements: &Requirements) -> Result<()> {
    let spot = Spot::draw(opened, requirements)?;
    match spot.admits(opened.store.impatient().as_ref()).await? {
        true => Ok(()),
        false => Err(refuse(Exit::Denied, "it is denied")),
    }
}

/// Tries it. `plain` asks for no encryption. First comes what is to be denied, until the policy is in force; then what
/// is not.
///
/// # Errors
/// What is neither a denial nor a success.
pub(super) async fn attempt(
    opened: &Opened,
    plain: &S3Bucket,
    requirements: &Requirements,
) -> Result<Outcome> {
    let spot = Spot::draw(opened, requirements)?;
    let asked = requirements.encryption.is_some();
    let mut enforced = true;
    if asked {
        let answer = settled(async || spot.admits(plain).await, |admitted| !admitted).await;
        enforced = answer.context("a trial write without encryption")?.is_ok();
    }
    let ours = opened.store.impatient();
    match spot.admits(ours.as_ref()).await {
        Ok(true) if !enforced => Ok(Outcome::NotEnforced),
        Ok(true) => Ok(Outcome::Proven { plain_is_refused: asked }),
        Ok(false) => Ok(Outcome::LockedOut(anyhow::anyhow!("it is denied"))),
        Err(error) => Ok(Outcome::LockedOut(error)),
    }
}
