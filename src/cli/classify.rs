//! From every layer's errors to an exit code: the one mapping.

use std::io;

use anyhow::Error;

use super::exit::{Exit, Refusal};
use crate::age_keys::AgeError;
use crate::data::DataError;
use crate::desktop_keys::DesktopKeysError;
use crate::kernel_keys::KernelKeysError;
use crate::keyring::{KeyringError, LocalError};
use crate::kms::{KmsError, KmsErrorKind};
use crate::object::policy::PolicyError;
use crate::object::{BucketError, ErrorKind, LockError, is_answer};
use crate::vault::VaultError;
use crate::volume::VolumeError;

/// The exit code that belongs to `error`: that of the first cause that has one.
pub fn classify(error: &Error) -> Exit {
    error.chain().find_map(classify_one).unwrap_or(Exit::Failure)
}

fn classify_one(cause: &(dyn std::error::Error + 'static)) -> Option<Exit> {
    if let Some(refusal) = cause.downcast_ref::<Refusal>() {
        Some(refusal.exit)
    } else if let Some(error) = cause.downcast_ref::<VolumeError>() {
        of_volume(error)
    } else if let Some(error) = cause.downcast_ref::<DataError>() {
        of_data(error)
    } else if let Some(error) = cause.downcast_ref::<BucketError>() {
        Some(of_bucket(error))
    } else if let Some(error) = cause.downcast_ref::<VaultError>() {
        Some(of_vault(error))
    } else if let Some(error) = cause.downcast_ref::<KeyringError>() {
        Some(of_keyring(error))
    } else if let Some(error) = cause.downcast_ref::<LocalError>() {
        Some(of_local(error))
    } else if let Some(error) = cause.downcast_ref::<LockError>() {
        Some(of_lock(error))
    } else if let Some(error) = cause.downcast_ref::<KmsError>() {
        Some(of_kms(error))
    } else if let Some(error) = cause.downcast_ref::<AgeError>() {
        Some(of_age(error))
    } else if let Some(error) = cause.downcast_ref::<PolicyError>() {
        Some(of_policy(error))
    } else if let Some(error) = cause.downcast_ref::<DesktopKeysError>() {
        Some(of_desktop(error))
    } else if let Some(error) = cause.downcast_ref::<KernelKeysError>() {
        Some(of_kernel(error))
    } else {
        cause.downcast_ref::<io::Error>().and_then(of_io)
    }
}

fn of_bucket(error: &BucketError) -> Exit {
    match of_kind(error.kind) {
        // What a server refuses in the middle of work, a redirect for one, is not the command line's fault.
        Exit::Usage if is_answer(error) => Exit::Failure,
        exit => exit,
    }
}

fn of_kind(kind: ErrorKind) -> Exit {
    match kind {
        ErrorKind::NotFound => Exit::NoVolume,
        ErrorKind::Transient | ErrorKind::Full => Exit::Unreachable,
        ErrorKind::Denied => Exit::Denied,
        ErrorKind::Encryption => Exit::Encryption,
        ErrorKind::Corrupt => Exit::Tampered,
        ErrorKind::Insecure => Exit::Insecure,
        ErrorKind::Invalid => Exit::Usage,
        ErrorKind::Unsupported | ErrorKind::Precondition => Exit::Failure,
    }
}

fn of_vault(error: &VaultError) -> Exit {
    match error {
        VaultError::Tampered(_) | VaultError::UnknownEpoch { .. } => Exit::Tampered,
        VaultError::Unsupported(_) => Exit::NewerFormat,
        VaultError::Bounds(_) => Exit::Failure,
    }
}

fn of_keyring(error: &KeyringError) -> Exit {
    match error {
        KeyringError::WrongKey(_) | KeyringError::NoSlot(_) | KeyringError::RecoveryCode(_) => Exit::WrongKey,
        KeyringError::Foreign => Exit::NoVolume,
        KeyringError::NewerFormat(_) => Exit::NewerFormat,
        KeyringError::Damaged(_)
        | KeyringError::Tampered(_)
        | KeyringError::Cost(_)
        | KeyringError::AnotherVolume { .. }
        | KeyringError::VolumeKeyReplaced => Exit::Tampered,
        KeyringError::Credential(_) | KeyringError::Settings(_) => Exit::Usage,
        KeyringError::EpochKeys(_) | KeyringError::Bounds(_) | KeyringError::Derivation(_) => Exit::Failure,
    }
}

fn of_local(error: &LocalError) -> Exit {
    match error {
        LocalError::AnotherVolume { .. } | LocalError::AnotherKey { .. } | LocalError::OlderHeader { .. } => {
            Exit::Tampered
        }
        LocalError::NotPrivate { .. } => Exit::Denied,
        LocalError::WrongPassphrase { .. } => Exit::WrongKey,
        LocalError::Io { source, .. } => of_io(source).unwrap_or(Exit::Failure),
        LocalError::Damaged { .. }
        | LocalError::Lost { .. }
        | LocalError::DamagedMachine { .. }
        | LocalError::DamagedKept { .. }
        | LocalError::RefusedKept { .. }
        | LocalError::Forged { .. }
        | LocalError::Sealing { .. }
        | LocalError::Bounds(_) => Exit::Failure,
    }
}

fn of_lock(error: &LockError) -> Exit {
    match error {
        LockError::Held(_) | LockError::Lost(_) | LockError::Damaged(_) => Exit::InUse,
        LockError::Bucket(error) => of_bucket(error),
    }
}

fn of_kms(error: &KmsError) -> Exit {
    match error.kind {
        KmsErrorKind::Denied | KmsErrorKind::Unusable => Exit::Denied,
        KmsErrorKind::Throttled | KmsErrorKind::Unreachable => Exit::Unreachable,
        KmsErrorKind::WrongKey => Exit::WrongKey,
        KmsErrorKind::Altered => Exit::Tampered,
        KmsErrorKind::Endpoint => Exit::Usage,
        KmsErrorKind::Insecure => Exit::Insecure,
        KmsErrorKind::Nonsense => Exit::Failure,
    }
}

fn of_age(error: &AgeError) -> Exit {
    match error {
        AgeError::Recipient(_) | AgeError::Identities(_) => Exit::Usage,
        AgeError::NoMatch => Exit::WrongKey,
        AgeError::Altered(_) => Exit::Tampered,
        AgeError::PluginMissing(_)
        | AgeError::PluginStopped(_)
        | AgeError::Plugin(_)
        | AgeError::Failed(_) => Exit::Failure,
    }
}

fn of_policy(error: &PolicyError) -> Exit {
    match error {
        PolicyError::Wildcard(_)
        | PolicyError::WildcardKey(_)
        | PolicyError::Alias(_)
        | PolicyError::NothingToDemand
        | PolicyError::Contradiction => Exit::Usage,
        PolicyError::Oversized(_) | PolicyError::Malformed(_) | PolicyError::TooLong(_) => Exit::Failure,
    }
}

fn of_desktop(error: &DesktopKeysError) -> Exit {
    match error {
        DesktopKeysError::ForeignBus(_)
        | DesktopKeysError::AnotherUsersBus { .. }
        | DesktopKeysError::Locked
        | DesktopKeysError::Dismissed => Exit::Denied,
        DesktopKeysError::NoBus
        | DesktopKeysError::Bus { .. }
        | DesktopKeysError::NoService
        | DesktopKeysError::NoCollection
        | DesktopKeysError::Silent(_)
        | DesktopKeysError::Nonsense(_)
        | DesktopKeysError::Failed(_) => Exit::Failure,
    }
}

fn of_kernel(error: &KernelKeysError) -> Exit {
    match error {
        KernelKeysError::Forbidden | KernelKeysError::Denied => Exit::Denied,
        KernelKeysError::Missing
        | KernelKeysError::Full
        | KernelKeysError::TooLong(_)
        | KernelKeysError::Failed(_) => Exit::Failure,
    }
}

fn of_io(error: &io::Error) -> Option<Exit> {
    (error.kind() == io::ErrorKind::PermissionDenied).then_some(Exit::Denied)
}

/// `None` where a cause further down decides.
fn of_data(error: &DataError) -> Option<Exit> {
    match error {
        // What metadata refers to has to be there.
        _ if error.is_gone() => Some(Exit::Tampered),
        DataError::Dangling { .. } => Some(Exit::Tampered),
        DataError::Bucket { source, .. } => Some(of_bucket(source)),
        DataError::Tampered { source, .. } => Some(of_vault(source)),
        DataError::Local(source) => of_io(source),
    }
}

/// `None` where a cause further down decides.
fn of_volume(error: &VolumeError) -> Option<Exit> {
    match error.root() {
        VolumeError::Bucket(error) => Some(of_bucket(error)),
        VolumeError::Data(error) => of_data(error),
        VolumeError::RolledBack(_) | VolumeError::Corrupt(_) => Some(Exit::Tampered),
        VolumeError::HalfInitialised(_) => Some(Exit::NoVolume),
        VolumeError::Tampered { source, .. } => Some(of_vault(source)),
        VolumeError::Local(error) => of_io(error),
        // What an operation may not do has no code of its own.
        VolumeError::Apply(_) if error.is_damage() => Some(Exit::Tampered),
        VolumeError::Apply(_) => error.kind().map(of_kind),
        VolumeError::Keys(_) | VolumeError::ReadOnly | VolumeError::Shared(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use anyhow::Context;

    use super::*;
    use crate::base::ObjectId;
    use crate::keyring::SlotKind;

    #[test]
    fn what_is_missing_or_damaged_below_the_log_is_called_so() {
        let segment = ObjectId([7; 16]);
        let lacking = |kind| {
            let source = Arc::new(BucketError::new(kind, "get", "tree/07", "no such key"));
            VolumeError::from(DataError::Bucket { segment, source })
        };
        let damaged = || VolumeError::Corrupt("node 3 ends early".into());
        for (error, exit) in [
            (lacking(ErrorKind::NotFound), Exit::Tampered),
            (lacking(ErrorKind::Transient), Exit::Unreachable),
            (damaged(), Exit::Tampered),
            (VolumeError::from(Arc::new(damaged())), Exit::Tampered),
        ] {
            assert_eq!(classify(&Error::new(error)), exit);
        }
    }

    #[test]
    fn the_first_cause_that_has_a_code_decides() {
        let unreachable = BucketError::new(ErrorKind::Transient, "get", "volume", "timed out");
        let chain = Err::<(), _>(unreachable).context("opening").unwrap_err();
        assert_eq!(classify(&chain), Exit::Unreachable);
        let wrong = Err::<(), _>(KeyringError::WrongKey(SlotKind::Passphrase)).context("mount").unwrap_err();
        assert_eq!(classify(&wrong), Exit::WrongKey);
        let inner = BucketError::new(ErrorKind::Denied, "put", "log/1", "403");
        assert_eq!(classify(&Error::new(VolumeError::Bucket(inner))), Exit::Denied);
        assert_eq!(classify(&anyhow::anyhow!("anything else")), Exit::Failure);
    }
}
