//! Exit codes: every way a command can end, and the one mapping from the layers' errors to them.

use std::fmt;

use anyhow::Error;

/// How a command ended, for scripts. The numbers are part of the interface and never change meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[repr(u8)]
pub enum Exit {
    Success = 0,
    Failure = 1,
    Usage = 2,
    WrongKey = 3,
    NoVolume = 4,
    NewerFormat = 5,
    Tampered = 6,
    Unreachable = 7,
    Denied = 8,
    AlreadyMounted = 9,
    NotAllStored = 10,
    ProblemsFound = 11,
    UnsafeStore = 12,
    NotEmpty = 13,
    NotMounted = 14,
    Busy = 15,
    InUse = 16,
    Insecure = 17,
    Encryption = 18,
    AuditFailed = 19,
}

impl Exit {
    /// All of them, in the order of their numbers.
    pub const ALL: [Exit; 20] = [
        Exit::Success,
        Exit::Failure,
        Exit::Usage,
        Exit::WrongKey,
        Exit::NoVolume,
        Exit::NewerFormat,
        Exit::Tampered,
        Exit::Unreachable,
        Exit::Denied,
        Exit::AlreadyMounted,
        Exit::NotAllStored,
        Exit::ProblemsFound,
        Exit::UnsafeStore,
        Exit::NotEmpty,
        Exit::NotMounted,
        Exit::Busy,
        Exit::InUse,
        Exit::Insecure,
        Exit::Encryption,
        Exit::AuditFailed,
    ];

    /// The number the shell sees.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// What the number means, as the help and the README say it.
    pub fn meaning(self) -> &'static str {
        match self {
            Exit::Success => "done",
            Exit::Failure => "something failed that has no number of its own",
            Exit::Usage => "the command line makes no sense",
            Exit::WrongKey => "wrong passphrase, key file, recovery code or other key",
            Exit::NoVolume => "no volume there, a foreign bucket, or a half-made volume",
            Exit::NewerFormat => "the volume needs a newer hushfs",
            Exit::Tampered => "the bucket was tampered with, damaged or rolled back",
            Exit::Unreachable => "the bucket cannot be reached, or is full",
            Exit::Denied => "not permitted, by the bucket or on this machine",
            Exit::AlreadyMounted => "something is mounted there already",
            Exit::NotAllStored => "not everything is in the bucket",
            Exit::ProblemsFound => "fsck found problems",
            Exit::UnsafeStore => "the store does not honour conditional writes",
            Exit::NotEmpty => "init: a volume or other objects are there already",
            Exit::NotMounted => "no hushfs is mounted there",
            Exit::Busy => "files below the mount point are in use",
            Exit::InUse => "this volume is mounted on this machine, or locked by a single writer",
            Exit::Insecure => "the connection to the bucket would not be safe (certificate, TLS, plain HTTP)",
            Exit::Encryption => "the server does not encrypt at rest as it was asked to",
            Exit::AuditFailed => "the audit found something that must not stay so",
        }
    }

    /// What a person can do about it; `None` where the message itself says it.
    pub fn advice(self) -> Option<&'static str> {
        match self {
            Exit::WrongKey => Some(
                "check it for mistakes (layout, caps lock); `hushfs key list` shows what else opens the volume. A key that \
                 is right for sure and opens nothing means that its slot was changed or replaced in the bucket: open the \
                 volume with another, or restore the object \"volume\"",
            ),
            Exit::NewerFormat => Some("install a newer hushfs; this one leaves the volume alone"),
            Exit::Tampered => Some(
                "do not write to this bucket; find out who changed it, restore it from a copy if there is one, \
                 then run `hushfs fsck --data`",
            ),
            Exit::Unreachable => Some("check the network, --endpoint-url and the space left, then try again"),
            Exit::Denied => Some(
                "look at what is named: owner and mode of a file or folder, what this machine permits; or, where the \
                 bucket or KMS refused, the credentials (`aws sts get-caller-identity`), the bucket's policy (`hushfs \
                 bucket policy BUCKET`) and that of the KMS key",
            ),
            Exit::Encryption => Some(
                "look at the KMS key, the bucket's policy and default encryption, or choose another kind (--sse)",
            ),
            Exit::Success
            | Exit::Failure
            | Exit::Usage
            | Exit::NoVolume
            | Exit::AlreadyMounted
            | Exit::NotAllStored
            | Exit::ProblemsFound
            | Exit::UnsafeStore
            | Exit::NotEmpty
            | Exit::NotMounted
            | Exit::Busy
            | Exit::InUse
            | Exit::Insecure
            | Exit::AuditFailed => None,
        }
    }
}

/// The table at the end of `hushfs --help`.
pub const EXIT_CODES_HELP: &str = "\
Exit codes:
   0  done
   1  something failed that has no number of its own
   2  the command line makes no sense
   3  wrong passphrase, key file, recovery code or other key
   4  no volume there, a foreign bucket, or a half-made volume
   5  the volume needs a newer hushfs
   6  the bucket was tampered with, damaged or rolled back
   7  the bucket cannot be reached, or is full
   8  not permitted, by the bucket or on this machine
   9  something is mounted there already
  10  not everything is in the bucket
  11  fsck found problems
  12  the store does not honour conditional writes
  13  init: a volume or other objects are there already
  14  no hushfs is mounted there
  15  files below the mount point are in use
  16  this volume is mounted on this machine, or locked by a single writer
  17  the connection to the bucket would not be safe (certificate, TLS, plain HTTP)
  18  the server does not encrypt at rest as it was asked to
  19  the audit found something that must not stay so";

/// An error that the commands themselves raise, with its exit code.
#[derive(Debug)]
pub struct Refusal {
    pub exit: Exit,
    message: String,
}

impl Refusal {
    /// `message` says what happened, to what, and what to do.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

/// A [`Refusal`] as the error that commands return.
pub fn refuse(exit: Exit, message: impl Into<String>) -> Error {
    Error::new(Refusal::new(exit, message))
}
