//! Words every layer shares: ids, time, randomness and bounded decoding.
//!
//! Invariants: nothing here performs I/O on the volume; integers are fixed width and little endian
//! on disk (big endian only inside sort keys); every decoder checks a length before it allocates.

mod bidi;
mod causes;
pub mod clock;
pub mod codec;
pub mod ids;
pub mod random;

pub use bidi::turns_text;
pub use causes::with_causes;
pub use clock::{Clock, SystemClock, Timestamp};
pub use codec::{DecodeError, Reader, Writer};
pub use ids::{CommitId, Epoch, Ino, MachineId, ObjectId, Seq, SessionId, VolumeId};
pub use random::{OsRandom, Random};
