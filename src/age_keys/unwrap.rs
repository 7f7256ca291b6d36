//! A secret out of an age file.

use std::io::Read;
use std::sync::Arc;

use age::{Decryptor, IdentityFile};

use super::conversation::{Adapter, Conversation};
use super::error::{AgeError, line};
use super::watch::{Limits, watched};
use crate::crypto::{SecretBytes, SecretKey};

/// Unwraps what [`super::wrap`] made, with the identities in the text of an identity file (as age-keygen and
/// plugins write them). Plugins' programs are run for their identities.
///
/// # Errors
/// `NoMatch` when it is for somebody else; `Altered` for anything that is not the secret of a slot;
/// `Identities`, `PluginMissing`, `PluginStopped`, `Failed`.
pub fn unwrap(
    file: &[u8],
    identities: &SecretBytes,
    conversation: Arc<dyn Conversation>,
) -> Result<SecretKey, AgeError> {
    watched(conversation, Limits::USUAL, |conversation| unwrap_with(file, identities, conversation))
}

fn unwrap_with(
    file: &[u8],
    identities: &SecretBytes,
    conversation: Arc<dyn Conversation>,
) -> Result<SecretKey, AgeError> {
    let unusable = |error: std::io::Error| AgeError::Identities(line(&error));
    let parsed = IdentityFile::from_buffer(identities.expose()).map_err(unusable)?;
    let identities = parsed.with_callbacks(Adapter(conversation)).into_identities()?;
    if identities.is_empty() {
        return Err(AgeError::Identities("it holds no identity".to_owned()));
    }
    let decryptor = Decryptor::new_buffered(file)?;
    let identities = identities.iter().map(|identity| &**identity as &dyn age::Identity);
    let mut reader = decryptor.decrypt(identities)?;
    let altered = |error: std::io::Error| AgeError::Altered(line(&error));
    let secret = SecretKey::filled_by(|secret| reader.read_exact(secret).map_err(altered))?;
    let mut beyond = [0; 1];
    if reader.read(&mut beyond).map_err(altered)? != 0 {
        return Err(AgeError::Altered("it holds more than a slot's secret".to_owned()));
    }
    Ok(secret)
}
