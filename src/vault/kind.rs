//! What a sealed object is for.

/// The purpose of an object: part of its key derivation and of every chunk's associated data, so that
/// one kind never passes for another. The numbers are on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// A commit: a batch of operations.
    LogEntry = 1,
    /// Nodes of the metadata tree.
    TreePack = 2,
    /// Chunks of files.
    Segment = 3,
    /// Reserved for keys kept apart from the `volume` object, whose own record is sealed differently;
    /// format 1 writes none.
    Keyring = 4,
    /// Cache, journal and spool on this machine.
    Local = 5,
}

impl ObjectKind {
    /// Every kind, for tests.
    pub const ALL: [ObjectKind; 5] = [
        ObjectKind::LogEntry,
        ObjectKind::TreePack,
        ObjectKind::Segment,
        ObjectKind::Keyring,
        ObjectKind::Local,
    ];

    /// The byte on disk.
    pub fn to_byte(self) -> u8 {
        self as u8
    }
}
