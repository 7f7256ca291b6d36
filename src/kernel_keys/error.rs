//! Why the kernel did not keep or give back a secret.

use linux_keyutils::KeyError;
use thiserror::Error;

/// Errors of the kernel's keyrings, grouped by what the user can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KernelKeysError {
    /// EPERM: a container's filter, in practice.
    #[error("the kernel keyring is not permitted here (containers often forbid it)")]
    Forbidden,
    /// ENOSYS, ENOTSUP: a kernel without CONFIG_KEYS.
    #[error("this kernel has no keyrings")]
    Missing,
    /// EDQUOT: `/proc/sys/kernel/keys/maxkeys` and `maxbytes`.
    #[error("the kernel keeps no more keys for this user (see /proc/key-users)")]
    Full,
    /// EACCES: a key of that name which belongs to somebody else, or was locked down.
    #[error("the kernel denies access to the key")]
    Denied,
    /// What is there is not what hushfs puts there.
    #[error("the key in the kernel keyring has {0} bytes, more than hushfs keeps")]
    TooLong(usize),
    /// Anything else.
    #[error("the kernel keyring failed: {0}")]
    Failed(KeyError),
}

impl From<KeyError> for KernelKeysError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::PermissionDenied => KernelKeysError::Forbidden,
            KeyError::OperationNotSupported | KeyError::Unknown(libc::ENOSYS) => KernelKeysError::Missing,
            KeyError::QuotaExceeded => KernelKeysError::Full,
            KeyError::AccessDenied => KernelKeysError::Denied,
            other => KernelKeysError::Failed(other),
        }
    }
}

/// A key that is not there, was taken back or has run out.
pub(super) fn is_absent(error: KeyError) -> bool {
    matches!(
        error,
        KeyError::KeyDoesNotExist
            | KeyError::KeyExpired
            | KeyError::KeyRevoked
            | KeyError::MissingFileOrDirectory
    )
}
