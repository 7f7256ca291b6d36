//! What an audit has found out, before anybody judges it.
//!
//! Everything that came from the server is a claim of the server's, and is bounded.

use std::borrow::Cow;

use super::remedy::quoted;
use crate::crypto::Cost;
use crate::object::{
    BucketDefault, BucketError, BucketResult, ErrorKind, LifecycleRule, LinkStatus, ObjectLock,
    PublicAccessBlock, ServerEncryption, Uploads, Versioning,
};

/// An answer, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known<T> {
    Is(T),
    /// The credentials lack this permission.
    Denied(&'static str),
    /// The server does not know the question, or answered nonsense; its words.
    Unsupported(String),
    /// Passing trouble; its words.
    Failed(String),
    /// A folder has nothing of the kind.
    NoServer,
}

/// Everything.
#[derive(Debug, Clone)]
pub struct Findings {
    /// `s3://bucket/prefix`, for remedies.
    pub location: String,
    /// A folder, which has no server.
    pub folder: bool,
    /// The server's address where it is not AWS.
    pub endpoint: Option<String>,
    pub link: LinkStatus,
    pub default: Known<BucketDefault>,
    pub policy: Known<Option<String>>,
    pub bucket_name: String,
    /// Beginning of all keys: empty, or ending in a slash.
    pub prefix: String,
    pub public_block: Known<Option<PublicAccessBlock>>,
    pub public_policy: Known<bool>,
    pub versioning: Known<Versioning>,
    pub object_lock: Known<ObjectLock>,
    pub lifecycle: Known<Vec<LifecycleRule>>,
    pub uploads: Known<Uploads>,
    /// What only the volume's key tells; `None` without it.
    pub secret: Option<Secret>,
    pub slots: Vec<FoundSlot>,
    pub objects: Objects,
}

impl Findings {
    /// The volume's place as a word for a shell.
    pub fn place(&self) -> Cow<'_, str> {
        quoted(&self.location)
    }

    /// Of a folder, before anybody has looked into it.
    pub fn of_folder(location: String) -> Self {
        Self {
            location,
            folder: true,
            endpoint: None,
            link: LinkStatus::None,
            default: Known::NoServer,
            policy: Known::NoServer,
            bucket_name: String::new(),
            prefix: String::new(),
            public_block: Known::NoServer,
            public_policy: Known::NoServer,
            versioning: Known::NoServer,
            object_lock: Known::NoServer,
            lifecycle: Known::NoServer,
            uploads: Known::NoServer,
            secret: None,
            slots: Vec::new(),
            objects: Objects::default(),
        }
    }
}

/// What the sealed settings say.
#[derive(Debug, Clone)]
pub struct Secret {
    /// The kinds that objects may have, the one for writing first.
    pub kinds: Vec<ServerEncryption>,
    pub epoch: u32,
}

/// A key slot.
#[derive(Debug, Clone)]
pub struct FoundSlot {
    pub kind: String,
    pub id: String,
    /// Of a passphrase slot.
    pub cost: Option<Cost>,
}

/// The objects under the prefix.
#[derive(Debug, Clone, Default)]
pub struct Objects {
    /// Listed with names of the format, and how many of these were looked at one by one.
    pub own: u64,
    pub looked_at: u64,
    /// By what the server says of them, most of them first.
    pub encryption: Vec<Group>,
    /// Names that the format does not know.
    pub foreign: Strays,
    /// Names of the format without a sealed object of this volume behind.
    pub unsealed: Strays,
    /// Objects by the epoch that they are sealed under: segments by name, others by header where they were looked at.
    pub epochs: Vec<(u32, u64)>,
    /// Could not be looked at.
    pub unread: u64,
    pub unread_because: Option<String>,
    /// Why the listing ended early or never began.
    pub listing_failed: Option<String>,
}

/// Objects of one encryption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The server's words, printable.
    pub says: String,
    pub standing: Standing,
    pub count: u64,
    pub examples: Vec<String>,
}

/// What the settings say to an object's encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Standing {
    /// What the volume writes now.
    Current,
    /// What older objects may have.
    Older,
    /// What no object may have: reading it is refused.
    Wrong,
    /// The settings are not known.
    Unknown,
}

/// Objects that do not belong there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Strays {
    pub count: u64,
    pub bytes: u64,
    /// The first names, as they are, and their sizes.
    pub named: Vec<(String, u64)>,
}

/// Names that are shown as examples.
pub const EXAMPLES: usize = 5;
/// Names of strays that are kept.
const MOST_NAMED: usize = 1000;

impl Strays {
    /// Takes one more.
    pub fn add(&mut self, key: &str, len: u64) {
        self.count += 1;
        self.bytes = self.bytes.saturating_add(len);
        if self.named.len() < MOST_NAMED {
            self.named.push((key.to_owned(), len));
        }
    }

    /// Those that stand in the table.
    pub fn shown(&self) -> &[(String, u64)] {
        &self.named[..self.named.len().min(EXAMPLES)]
    }
}

impl<T> Known<T> {
    /// Sorts an answer; `permission` is what the question takes.
    pub fn of(answer: BucketResult<T>, permission: &'static str) -> Self {
        let words = |error: BucketError| tame(&error.source.to_string());
        match answer {
            Ok(value) => Self::Is(value),
            Err(error) => match error.kind {
                ErrorKind::Denied => Self::Denied(permission),
                ErrorKind::Transient => Self::Failed(words(error)),
                ErrorKind::NotFound
                | ErrorKind::Precondition
                | ErrorKind::Full
                | ErrorKind::Invalid
                | ErrorKind::Unsupported
                | ErrorKind::Insecure
                | ErrorKind::Encryption
                | ErrorKind::Corrupt => Self::Unsupported(words(error)),
            },
        }
    }
}

/// A name or a message from outside, short and without anything that a terminal would obey.
pub fn tame(text: &str) -> String {
    const LONGEST: usize = 120;
    let mut letters = text.chars();
    let mut tamed: String = letters.by_ref().take(LONGEST).flat_map(char::escape_debug).collect();
    // Quotes are harmless; escaped they only hurt the eye.
    tamed = tamed.replace("\\\"", "\"").replace("\\'", "'");
    if letters.next().is_some() {
        tamed.push('…');
    }
    tamed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_outside_are_short_and_tame() {
        assert_eq!(tame("tax 2025 \"final\".pdf"), "tax 2025 \"final\".pdf");
        assert_eq!(tame("a\u{1b}[2J\r\nb\u{202e}"), "a\\u{1b}[2J\\r\\nb\\u{202e}");
        assert_eq!(tame(&"x".repeat(1000)).chars().count(), 121);
    }

    #[test]
    fn a_refusal_is_told_from_a_question_that_the_server_does_not_know() {
        let answer =
            |kind| Known::<()>::of(Err(BucketError::new(kind, "get", "?policy", "so it is")), "s3:X");
        assert_eq!(answer(ErrorKind::Denied), Known::Denied("s3:X"));
        assert_eq!(answer(ErrorKind::Transient), Known::Failed("so it is".into()));
        for kind in [ErrorKind::Invalid, ErrorKind::Unsupported] {
            assert_eq!(answer(kind), Known::Unsupported("so it is".into()));
        }
        assert_eq!(Known::of(Ok(7), "s3:X"), Known::Is(7));
    }
}
