//! The places that keep keys, in the user's words.

use std::fmt;

use clap::ValueEnum;

use crate::keyring::KeptPlace;

/// A place as the command line names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeepIn {
    /// The desktop's password store (GNOME Keyring, KWallet, KeePassXC): until `hushfs lock`
    SecretService,
    /// The keyring that the kernel has for this user: until the machine is restarted, at most
    Kernel,
    /// A file of the local keyring, under a passphrase of its own, which is asked for instead
    File,
}

/// A place within a sentence.
pub struct Shown(pub KeptPlace);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            KeptPlace::SecretService => "the Secret Service",
            KeptPlace::Kernel => "the kernel keyring",
            KeptPlace::File => "a file under a passphrase",
        })
    }
}

/// A place in one word, as `--keep-in` and the JSON form have it.
pub fn word(place: KeptPlace) -> &'static str {
    match place {
        KeptPlace::SecretService => "secret-service",
        KeptPlace::Kernel => "kernel",
        KeptPlace::File => "file",
    }
}
