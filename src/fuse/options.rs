//! How to mount: `-o` options, threads, and how long the kernel may believe what it was told.

use std::time::Duration;

use fuser::{MountOption, SessionACL};
use thiserror::Error;

use crate::fs::{AccessTimes, FsOptions};

/// Who may use the mount. Permission bits and ACLs are checked in every case (`default_permissions`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The user who mounted.
    Owner,
    /// The user who mounted, and root (`allow_root`).
    OwnerAndRoot,
    /// Everybody (`allow_other`). Ordinary users need `user_allow_other` in /etc/fuse.conf for it.
    Everybody,
}

/// An `-o` option that is not known, or not like this.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OptionError {
    #[error("mount option {0:?} is not known")]
    Unknown(String),
    #[error("mount option {name:?} needs {expected}")]
    Value { name: String, expected: &'static str },
}

/// Everything about a mount that is not about its volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountConfig {
    /// What /proc/mounts shows as the device: the bucket's address.
    pub source: String,
    pub access: Access,
    pub read_only: bool,
    pub access_times: AccessTimes,
    pub nodiratime: bool,
    /// An option was about access times; a remount leaves them as they are otherwise.
    pub names_access_times: bool,
    /// Devices and set-id bits work on this mount. Only root can allow that.
    pub dev: bool,
    pub suid: bool,
    pub exec: bool,
    /// No symlink on this mount is followed (`nosymfollow`). Only root can ask for that.
    pub nosymfollow: bool,
    /// Directory changes, or all writes, go through at once (`dirsync`, `sync`).
    pub dirsync: bool,
    pub sync: bool,
    /// The kernel collects writes in its page cache.
    pub writeback: bool,
    /// Threads that take requests from the kernel, 2..=64.
    pub threads: usize,
    /// How long the kernel may use names and attributes without asking. What other machines change is
    /// taken back at once, so this only matters while they cannot be heard.
    pub ttl: Duration,
    /// A mount that is there already is to be changed.
    pub remount: bool,
}

/// What `hushfs mount` uses by itself.
pub const DEFAULT_THREADS: usize = 16;
const DEFAULT_TTL: Duration = Duration::from_secs(3600);

impl MountConfig {
    /// The defaults: as root for everybody, like a disk; as an ordinary user for that user.
    pub fn new(source: impl Into<String>) -> Self {
        let root = rustix::process::geteuid().is_root();
        Self {
            source: source.into(),
            access: if root { Access::Everybody } else { Access::Owner },
            read_only: false,
            access_times: AccessTimes::Relative,
            nodiratime: false,
            names_access_times: false,
            dev: false,
            suid: false,
            exec: true,
            nosymfollow: false,
            dirsync: false,
            sync: false,
            writeback: true,
            threads: DEFAULT_THREADS,
            ttl: DEFAULT_TTL,
            remount: false,
        }
    }

    /// Takes a list of options as mount(8) passes it: comma-separated, the last one wins. Options that are
    /// meant for mount(8) and fstab(5) are accepted and mean nothing here.
    ///
    /// # Errors
    /// The first option that is not known, or whose value is not usable.
    pub fn apply(&mut self, options: &str) -> Result<(), OptionError> {
        options.split(',').map(str::trim).filter(|option| !option.is_empty()).try_for_each(|o| self.one(o))
    }

    fn one(&mut self, option: &str) -> Result<(), OptionError> {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        if self.about_access_times(name) {
            self.names_access_times = true;
            return Ok(());
        }
        match name {
            "ro" => self.read_only = true,
            "rw" => self.read_only = false,
            "dev" => self.dev = true,
            "nodev" => self.dev = false,
            "suid" => self.suid = true,
            "nosuid" => self.suid = false,
            "exec" => self.exec = true,
            "noexec" => self.exec = false,
            "symfollow" => self.nosymfollow = false,
            "nosymfollow" => self.nosymfollow = true,
            "dirsync" => self.dirsync = true,
            "sync" => self.sync = true,
            "async" => self.sync = false,
            "allow_other" => self.access = Access::Everybody,
            "allow_root" => self.access = Access::OwnerAndRoot,
            "allow_owner" => self.access = Access::Owner,
            "writeback_cache" => self.writeback = true,
            "no_writeback_cache" => self.writeback = false,
            "remount" => self.remount = true,
            "threads" => self.threads = number(name, value, 2, 64)? as usize,
            "ttl" => self.ttl = Duration::from_secs(number(name, value, 0, 86_400)?),
            "defaults"
            | "auto"
            | "noauto"
            | "user"
            | "nouser"
            | "users"
            | "owner"
            | "group"
            | "_netdev"
            | "nofail"
            // Always so, and what mount(8) reads from the table of mounts before it remounts.
            | "default_permissions"
            | "acl"
            | "user_xattr"
            | "user_id"
            | "group_id"
            | "iversion"
            | "noiversion"
            | "lazytime"
            | "nolazytime"
            | "mand"
            | "nomand"
            | "silent"
            | "loud"
            | "comment" => {}
            _ if name.starts_with("x-") => {}
            _ => return Err(OptionError::Unknown(option.to_owned())),
        }
        Ok(())
    }

    /// Takes an option about access times; false when it is about something else.
    fn about_access_times(&mut self, name: &str) -> bool {
        match name {
            "noatime" => self.access_times = AccessTimes::Never,
            "atime" | "relatime" => self.access_times = AccessTimes::Relative,
            "strictatime" => self.access_times = AccessTimes::Strict,
            "nodiratime" => self.nodiratime = true,
            "diratime" => self.nodiratime = false,
            _ => return false,
        }
        true
    }

    /// What the file operations have to know.
    pub fn fs_options(&self) -> FsOptions {
        let Self { writeback, access_times, nodiratime, .. } = *self;
        FsOptions { writeback, access_times, nodiratime }
    }

    /// The words of mount(8) for the rule of access times.
    pub fn access_times(&self) -> String {
        let rule = match self.access_times {
            AccessTimes::Never => "noatime",
            AccessTimes::Relative => "relatime",
            AccessTimes::Strict => "strictatime",
        };
        format!("{rule},{}", if self.nodiratime { "nodiratime" } else { "diratime" })
    }

    /// What the library is told.
    pub(super) fn to_fuser(&self) -> fuser::Config {
        let flag = |on, yes, no| if on { yes } else { no };
        let mut options = vec![
            MountOption::FSName(shown(&self.source)),
            // Given like this it reaches the kernel by either way of mounting; /proc/mounts says fuse.hushfs.
            MountOption::CUSTOM("subtype=hushfs".to_owned()),
            MountOption::DefaultPermissions,
            flag(self.read_only, MountOption::RO, MountOption::RW),
            flag(self.dev, MountOption::Dev, MountOption::NoDev),
            flag(self.suid, MountOption::Suid, MountOption::NoSuid),
            flag(self.exec, MountOption::Exec, MountOption::NoExec),
        ];
        let more = [
            (self.access_times == AccessTimes::Never, MountOption::NoAtime),
            (self.dirsync, MountOption::DirSync),
            (self.sync, MountOption::Sync),
        ];
        options.extend(more.into_iter().filter(|(on, _)| *on).map(|(_, option)| option));
        let mut config = fuser::Config::default();
        config.mount_options = options;
        config.acl = match self.access {
            Access::Owner => SessionACL::Owner,
            Access::OwnerAndRoot => SessionACL::RootAndOwner,
            Access::Everybody => SessionACL::All,
        };
        config.n_threads = Some(self.threads);
        config.clone_fd = true;
        config
    }
}

fn number(name: &str, value: &str, least: u64, most: u64) -> Result<u64, OptionError> {
    let number = value.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| OptionError::Value {
        name: name.to_owned(),
        expected: if name == "threads" { "a number from 2 to 64" } else { "seconds from 0 to 86400" },
    })
}

/// The source without what would end or split an option in the list that fusermount3 reads: as the table of mounts
/// has it.
pub fn shown(source: &str) -> String {
    source.chars().map(|c| if c == ',' || c == '\\' || c.is_control() { '_' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> MountConfig {
        MountConfig::new("s3://bucket/prefix")
    }

    #[test]
    fn the_last_of_contradicting_options_wins() {
        let mut config = config();
        config.apply("ro,noatime,nosuid,rw,suid,,allow_root,ttl=5").unwrap();
        assert!(!config.read_only && config.suid);
        assert_eq!(config.fs_options().access_times, AccessTimes::Never);
        assert_eq!((config.access, config.ttl), (Access::OwnerAndRoot, Duration::from_secs(5)));
    }

    #[test]
    fn options_of_fstab_are_accepted() {
        let mut config = config();
        config.apply("defaults,_netdev,nofail,x-systemd.automount,user,noauto,lazytime,noiversion").unwrap();
        assert!(!config.names_access_times);
    }

    #[test]
    fn every_option_about_access_times_is_told_to_a_mount_that_is_there() {
        for option in ["noatime", "atime", "relatime", "strictatime", "nodiratime", "diratime"] {
            let mut config = config();
            config.apply(&format!("rw,{option}")).unwrap();
            assert!(config.names_access_times, "{option}");
        }
    }

    #[test]
    fn unknown_options_and_bad_values_are_named() {
        assert_eq!(config().apply("rw,turbo"), Err(OptionError::Unknown("turbo".into())));
        for option in ["threads=1", "threads=x", "threads", "ttl=-1"] {
            assert!(matches!(config().apply(option), Err(OptionError::Value { .. })), "{option}");
        }
    }

    #[test]
    fn permissions_are_always_checked_by_the_kernel() {
        let options = config().to_fuser().mount_options;
        assert!(options.contains(&MountOption::DefaultPermissions));
        assert!(options.contains(&MountOption::NoDev) && options.contains(&MountOption::NoSuid));
    }

    #[test]
    fn a_source_cannot_smuggle_options_in() {
        assert_eq!(shown("file:///a,suid,\\x\n"), "file:///a_suid__x_");
    }
}
