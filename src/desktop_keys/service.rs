//! Items of the service's default collection.

use std::collections::HashMap;
use std::time::Duration;

use secret_service::{EncryptionType, Item, SearchItemsResult, SecretService};
use tokio::time::timeout;

use super::bus;
use super::error::DesktopKeysError;
use crate::base::VolumeId;
use crate::crypto::SecretBytes;

/// How long an answer of the bus or the service is waited for; it may have to be started first.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long a person is waited for.
const PERSONS_PATIENCE: Duration = Duration::from_secs(120);
/// Longest secret that is taken back, in bytes.
const MAX_LEN: usize = 1024;
const CONTENT_TYPE: &str = "application/octet-stream";

/// Whether a locked service may ask the user for its password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prompts {
    Allowed,
    /// Then what is locked is an error.
    Never,
}

/// A session with the service. Everything in it may wait for another process: up to 15 seconds, or two minutes
/// for a person.
pub struct DesktopKeys {
    service: SecretService<'static>,
    prompts: Prompts,
}

type Found<'a> = SearchItemsResult<Item<'a>>;

impl DesktopKeys {
    /// Finds the service on the session bus of the environment, and agrees upon a key for the session.
    ///
    /// # Errors
    /// `NoBus`, `ForeignBus`, `AnotherUsersBus`, `Bus`, `NoService`, `Silent`, `Failed`.
    pub async fn connect(prompts: Prompts) -> Result<Self, DesktopKeysError> {
        let (address, place) = bus::find()?;
        let service = within(PATIENCE, async {
            let stream = bus::connect(&address, &place).await?;
            let connection = zbus::connection::Builder::unix_stream(stream).build().await?;
            Ok(SecretService::connect_with_existing(EncryptionType::Dh, connection).await?)
        });
        Ok(Self { service: service.await?, prompts })
    }

    /// Keeps `secret` for `volume` in place of what was kept before.
    ///
    /// # Errors
    /// `NoCollection`, `Locked`, `Dismissed`, `Silent`, `Failed`.
    pub async fn keep(&self, volume: VolumeId, secret: &SecretBytes) -> Result<(), DesktopKeysError> {
        let collection = within(PATIENCE, async { Ok(self.service.get_default_collection().await?) }).await?;
        if within(PATIENCE, async { Ok(collection.is_locked().await?) }).await? {
            self.may_prompt()?;
            within(PERSONS_PATIENCE, async { Ok(collection.unlock().await?) }).await?;
        }
        let id = volume.to_hex();
        let label = format!("hushfs: the key of volume {id}");
        let created = async {
            let attributes = attributes(Some(&id));
            collection.create_item(&label, attributes, secret.expose(), true, CONTENT_TYPE).await?;
            Ok(())
        };
        within(PERSONS_PATIENCE, created).await
    }

    /// What is kept for `volume`.
    ///
    /// # Errors
    /// `Locked`, `Dismissed`, `Nonsense`, `Silent`, `Failed`.
    pub async fn find(&self, volume: VolumeId) -> Result<Option<SecretBytes>, DesktopKeysError> {
        let id = volume.to_hex();
        let found = self.search(Some(&id)).await?;
        self.unlock(&found).await?;
        let Some(item) = found.unlocked.first().or(found.locked.first()) else { return Ok(None) };
        let secret = within(PATIENCE, async { Ok(item.get_secret().await?) }).await?;
        let secret = SecretBytes::new(secret);
        if secret.len() > MAX_LEN {
            return Err(DesktopKeysError::Nonsense(format!("{} bytes", secret.len())));
        }
        Ok(Some(secret))
    }

    /// Forgets what is kept for `volume`, or everything that hushfs ever kept there; returns how much that was.
    ///
    /// # Errors
    /// `Locked`, `Dismissed`, `Silent`, `Failed`.
    pub async fn forget(&self, volume: Option<VolumeId>) -> Result<usize, DesktopKeysError> {
        let id = volume.map(VolumeId::to_hex);
        let found = self.search(id.as_deref()).await?;
        self.unlock(&found).await?;
        let mut forgotten = 0;
        for item in found.unlocked.iter().chain(&found.locked) {
            within(PERSONS_PATIENCE, async { Ok(item.delete().await?) }).await?;
            forgotten += 1;
        }
        Ok(forgotten)
    }

    async fn search(&self, id: Option<&str>) -> Result<Found<'_>, DesktopKeysError> {
        within(PATIENCE, async { Ok(self.service.search_items(attributes(id)).await?) }).await
    }

    async fn unlock(&self, found: &Found<'_>) -> Result<(), DesktopKeysError> {
        if found.locked.is_empty() {
            return Ok(());
        }
        self.may_prompt()?;
        let locked: Vec<&Item<'_>> = found.locked.iter().collect();
        within(PERSONS_PATIENCE, async { Ok(self.service.unlock_all(&locked).await?) }).await
    }

    fn may_prompt(&self) -> Result<(), DesktopKeysError> {
        match self.prompts {
            Prompts::Allowed => Ok(()),
            Prompts::Never => Err(DesktopKeysError::Locked),
        }
    }
}

/// What an item is found by. They stand in the clear in the service's files.
fn attributes(id: Option<&str>) -> HashMap<&str, &str> {
    let mut attributes = HashMap::from([("application", "hushfs")]);
    attributes.extend(id.map(|id| ("volume", id)));
    attributes
}

async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, DesktopKeysError>>,
) -> Result<T, DesktopKeysError> {
    timeout(limit, answer).await.unwrap_or(Err(DesktopKeysError::Silent(limit.as_secs())))
}
