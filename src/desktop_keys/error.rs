//! Why the Secret Service did not keep or give back a secret.

use std::io;

use thiserror::Error;

/// Errors of the Secret Service, grouped by what the user can do.
#[derive(Debug, Error)]
pub enum DesktopKeysError {
    /// No address in the environment and no socket in its usual place.
    #[error("there is no session bus here")]
    NoBus,
    /// The address names something else than a socket of this machine.
    #[error(
        "the session bus at {0:?} is not used: only a socket of this machine is (unix:path=, unix:abstract=)"
    )]
    ForeignBus(String),
    /// Somebody else listens at the socket.
    #[error("the session bus at {address:?} is not used: it belongs to user {owner}")]
    AnotherUsersBus { address: String, owner: u32 },
    /// The socket is there, and nobody answers.
    #[error("the session bus at {address:?} cannot be reached")]
    Bus { address: String, source: io::Error },
    /// The bus has no such service, nor a program that would start one.
    #[error("no Secret Service runs in this session")]
    NoService,
    /// The service was never given a collection to keep things in.
    #[error("the Secret Service has no default collection; make one (in Passwords and Keys, for example)")]
    NoCollection,
    /// It is locked, and nobody was to be asked.
    #[error("the Secret Service is locked")]
    Locked,
    /// The window that asks for its password was closed.
    #[error("the Secret Service stays locked: its question was not answered")]
    Dismissed,
    /// Nothing came within the limit.
    #[error("the Secret Service does not answer (waited for {0} seconds)")]
    Silent(u64),
    /// What came is not what hushfs keeps.
    #[error("the Secret Service gave back something else than was kept: {0}")]
    Nonsense(String),
    /// Anything else.
    #[error("the Secret Service failed: {0}")]
    Failed(String),
}

/// Whether a D-Bus error says that there is nobody of the service's name.
fn is_nobody(name: &str) -> bool {
    matches!(
        name,
        "org.freedesktop.DBus.Error.ServiceUnknown"
            | "org.freedesktop.DBus.Error.NameHasNoOwner"
            | "org.freedesktop.DBus.Error.Spawn.ExecFailed"
            | "org.freedesktop.DBus.Error.Spawn.ChildExited"
            | "org.freedesktop.DBus.Error.Spawn.ServiceNotFound"
    )
}

impl From<zbus::Error> for DesktopKeysError {
    fn from(error: zbus::Error) -> Self {
        match &error {
            zbus::Error::MethodError(name, _, _) if is_nobody(name.as_str()) => DesktopKeysError::NoService,
            zbus::Error::FDO(fdo) => match fdo.as_ref() {
                zbus::fdo::Error::ServiceUnknown(_) | zbus::fdo::Error::NameHasNoOwner(_) => {
                    DesktopKeysError::NoService
                }
                other => DesktopKeysError::Failed(other.to_string()),
            },
            other => DesktopKeysError::Failed(other.to_string()),
        }
    }
}

impl From<secret_service::Error> for DesktopKeysError {
    fn from(error: secret_service::Error) -> Self {
        match error {
            secret_service::Error::Unavailable => DesktopKeysError::NoService,
            secret_service::Error::NoResult => DesktopKeysError::NoCollection,
            secret_service::Error::Locked => DesktopKeysError::Locked,
            secret_service::Error::Prompt | secret_service::Error::PromptDisconnected => {
                DesktopKeysError::Dismissed
            }
            secret_service::Error::Crypto(what) => DesktopKeysError::Nonsense(what.to_owned()),
            secret_service::Error::Zbus(error) => error.into(),
            other => DesktopKeysError::Failed(other.to_string()),
        }
    }
}
