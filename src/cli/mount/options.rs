//! The words of `-o`: which are for the kernel, which for nobody.

/// One word that is no option of hushfs itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MountOption {
    ReadOnly,
    ReadWrite,
    AllowOther,
    AllowRoot,
    NoAtime,
    Atime,
    NoDev,
    Dev,
    NoSuid,
    Suid,
    NoExec,
    Exec,
    DirSync,
    Sync,
    Async,
    /// For mount(8), systemd or the desktop, or true anyway.
    Ignored,
}

/// The word without its value.
pub fn option_word(word: &str) -> &str {
    word.split_once('=').map_or(word, |(name, _)| name)
}

impl MountOption {
    /// Reads a word; `None` when it is no mount option.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "ro" => Self::ReadOnly,
            "rw" => Self::ReadWrite,
            "allow_other" => Self::AllowOther,
            "allow_root" => Self::AllowRoot,
            "noatime" => Self::NoAtime,
            "atime" | "relatime" | "strictatime" => Self::Atime,
            "nodev" => Self::NoDev,
            "dev" => Self::Dev,
            "nosuid" => Self::NoSuid,
            "suid" => Self::Suid,
            "noexec" => Self::NoExec,
            "exec" => Self::Exec,
            "dirsync" => Self::DirSync,
            "sync" => Self::Sync,
            "async" => Self::Async,
            ""
            | "defaults"
            | "auto"
            | "noauto"
            | "user"
            | "nouser"
            | "users"
            | "owner"
            | "group"
            | "_netdev"
            | "nofail"
            | "default_permissions"
            | "nodiratime"
            | "diratime"
            | "norelatime"
            | "lazytime"
            | "nolazytime"
            | "nonempty"
            | "remount" => Self::Ignored,
            _ if ["x-", "X-", "comment=", "fsname=", "subtype="]
                .iter()
                .any(|start| word.starts_with(start)) =>
            {
                Self::Ignored
            }
            _ => return None,
        })
    }
}
