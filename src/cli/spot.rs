//! A write on trial, of an object that nobody needs: whether the server does what it is asked before anything depends on it.

use anyhow::{Context, Result};
use bytes::Bytes;

use super::exit::{Exit, refuse};
use super::opening::Opened;
use crate::base::ObjectId;
use crate::data::segment_key;
use crate::object::{Bucket, Condition, ErrorKind, ServerEncryption, throw_away_key};
use crate::vault::ObjectKind;

/// A throw-away object, at a place where `kind` matters.
pub struct Spot {
    key: String,
    body: Bytes,
}

impl Spot {
    /// Under `probe/`. With customer keys that place is left open, and the key to send depends on what an object is
    /// sealed under: there it is a segment that nothing refers to, as gc removes them.
    pub fn draw(opened: &Opened, kind: Option<&ServerEncryption>) -> Result<Self> {
        let random = opened.store.random.as_ref();
        if kind != Some(&ServerEncryption::Customer) {
            let mut body = [0; 32];
            random.fill(&mut body);
            return Ok(Self { key: throw_away_key(random), body: Bytes::copy_from_slice(&body) });
        }
        let (id, vault) = (ObjectId::generate(random), &opened.vault);
        let body = vault.seal_object(ObjectKind::Segment, id, &[], random)?;
        Ok(Self { key: segment_key(vault.epoch(), id), body: body.into() })
    }

    /// Writes and removes it; `false` when the write was denied.
    ///
    /// # Errors
    /// What is neither a denial nor a success.
    pub async fn admits(&self, bucket: &dyn Bucket) -> Result<bool> {
        let remove = || bucket.delete(std::slice::from_ref(&self.key));
        match bucket.put(&self.key, self.body.clone(), Condition::Overwrite).await {
            Ok(_) => {
                let removed = remove().await;
                removed.with_context(|| format!("removing the trial object {:?}", self.key))?;
                Ok(true)
            }
            Err(error) if error.kind == ErrorKind::Denied => Ok(false),
            Err(error) => {
                // A server that did something else than asked has written it all the same.
                if error.kind == ErrorKind::Encryption
                    && let Err(left) = remove().await
                {
                    log::warn!(
                        "the trial object {:?} could not be removed: {left}: {}",
                        self.key,
                        left.source
                    );
                }
                Err(error.into())
            }
        }
    }
}

/// A write by the rules in force, which ask for `kind`, before anything else is changed for it.
///
/// # Errors
/// What the server says to it.
pub async fn try_writing(opened: &Opened, kind: &ServerEncryption) -> Result<()> {
    let tried = async {
        match Spot::draw(opened, Some(kind))?.admits(opened.store.impatient().as_ref()).await? {
            true => Ok(()),
            false => Err(refuse(Exit::Denied, "it is denied")),
        }
    };
    tried.await.with_context(|| format!("a trial write with {kind}; nothing was changed"))
}
