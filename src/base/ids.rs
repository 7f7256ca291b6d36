//! Identifiers, one type each so that they cannot be confused.

use std::fmt;

use data_encoding::HEXLOWER;

use super::random::Random;

macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// Length in bytes, on disk as in memory.
            pub const LEN: usize = $len;

            /// A fresh id drawn from `random`.
            pub fn generate(random: &dyn Random) -> Self {
                let mut bytes = [0; $len];
                random.fill(&mut bytes);
                Self(bytes)
            }

            /// The id as lower-case hexadecimal, as it stands in object names.
            pub fn to_hex(self) -> String {
                HEXLOWER.encode(&self.0)
            }

            /// Parses exactly what [`Self::to_hex`] writes; anything else is `None`.
            pub fn from_hex(text: &str) -> Option<Self> {
                let bytes = HEXLOWER.decode(text.as_bytes()).ok()?;
                Some(Self(bytes.try_into().ok()?))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.to_hex())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.to_hex())
            }
        }
    };
}

random_id!(
    /// Names one volume for its whole life.
    VolumeId, 16
);
random_id!(
    /// Names one sealed object (log entry, tree pack or segment).
    ObjectId, 16
);
random_id!(
    /// Names one attempt to commit, so that a lost reply can be told from a lost race.
    CommitId, 16
);
random_id!(
    /// Names one machine, as its local keyring remembers it.
    MachineId, 16
);
random_id!(
    /// Names one mount (or one maintenance run): the writer of commits.
    SessionId, 8
);

/// Position of a commit in the log; dense, starting at 1. 0 means "before the first".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Seq(pub u64);

impl Seq {
    /// The position after this one.
    pub fn next(self) -> Seq {
        Seq(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Generation of the keys that objects are sealed under; starts at 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Epoch(pub u32);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Inode number. The upper 32 bits are the slot of the session that created it (0 for the root),
/// so that two machines never hand out the same number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Ino(pub u64);

impl Ino {
    /// The root directory, the number FUSE gives it.
    pub const ROOT: Ino = Ino(1);
}

impl fmt::Display for Ino {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
