//! A secret into an age file.

use std::io::Write;
use std::sync::Arc;

use age::plugin::RecipientPluginV1;
use age::{Encryptor, plugin, tag, tagpq, x25519};

use super::conversation::{Adapter, Conversation};
use super::error::{AgeError, line};
use super::watch::{Limits, watched};
use crate::crypto::SecretKey;

/// Wraps `secret` for `recipient` (`age1…`). A plugin's program is run for a recipient that is not built in.
///
/// # Errors
/// `Recipient`, `PluginMissing`, `PluginStopped`, `Failed`.
pub fn wrap(
    recipient: &str,
    secret: &SecretKey,
    conversation: Arc<dyn Conversation>,
) -> Result<Vec<u8>, AgeError> {
    watched(conversation, Limits::USUAL, |conversation| wrap_with(recipient, secret, conversation))
}

fn wrap_with(
    recipient: &str,
    secret: &SecretKey,
    conversation: Arc<dyn Conversation>,
) -> Result<Vec<u8>, AgeError> {
    let recipient = parse(recipient, conversation)?;
    let encryptor = Encryptor::with_recipients(std::iter::once(recipient.as_ref()))?;
    let mut file = Vec::new();
    let failed = |error: std::io::Error| AgeError::Failed(line(&error));
    let mut writer = encryptor.wrap_output(&mut file).map_err(failed)?;
    writer.write_all(secret.expose()).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(file)
}

pub(super) fn parse(
    text: &str,
    conversation: Arc<dyn Conversation>,
) -> Result<Box<dyn age::Recipient>, AgeError> {
    if let Ok(recipient) = text.parse::<x25519::Recipient>() {
        return Ok(Box::new(recipient));
    }
    if let Ok(recipient) = text.parse::<tag::Recipient>() {
        return Ok(Box::new(recipient));
    }
    if let Ok(recipient) = text.parse::<tagpq::Recipient>() {
        return Ok(Box::new(recipient));
    }
    let unknown = |_: &'static str| AgeError::Recipient(text.to_owned());
    let recipient: plugin::Recipient = text.parse().map_err(unknown)?;
    let name = recipient.plugin().to_owned();
    let plugin = RecipientPluginV1::new(&name, &[recipient], &[], Adapter(conversation))
        .map_err(|error| AgeError::PluginMissing(line(&error)))?;
    Ok(Box::new(plugin))
}
