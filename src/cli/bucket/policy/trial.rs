//! A trial under a policy that has just been applied: the machines of the volume must still get through, and where an
//! encryption is demanded, a client that asks for none must not.
//!
//! Both are writes of a throw-away object, which is removed. A policy under which the volume's own machines cannot
//! write is taken back.

use anyhow::{Context, Result};

use crate::cli::bucket::reach::settled;
use crate::cli::opening::Opened;
use crate::cli::spot::Spot;
use crate::object::S3Bucket;
use crate::object::policy::Requirements;

/// What the trial found, for the user.
pub(super) enum Outcome {
    /// hushfs writes; what a plain client is told, where that was asked.
    Proven { plain_is_refused: bool },
    /// hushfs cannot write any more: why.
    LockedOut(anyhow::Error),
    /// hushfs writes, and so does a client that asks for nothing.
    NotEnforced,
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
    let spot = Spot::draw(opened, requirements.encryption.as_ref())?;
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
