//! Who else may be writing to the volume.

use std::time::Duration;

use super::error::VolumeError;
use super::mounted::Volume;
use crate::meta::read;
use crate::meta::record::Session;

/// How long a session that was not closed is taken to be alive after it was last heard of.
pub(super) const SESSION_LEASE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Somebody with an open session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writer {
    /// Its machine's name, as it gave it; without control characters.
    pub host: String,
    /// It was opened on this machine.
    pub here: bool,
}

impl Volume {
    /// The open sessions beside this one; those of other machines only while they can be alive. An idle mount, which
    /// has written nothing yet, has none.
    ///
    /// # Errors
    /// Those of reading records.
    pub fn other_writers(&self) -> Result<Vec<Writer>, VolumeError> {
        let now = self.now();
        let machine = self.env.machine;
        let others = self.other_sessions()?.into_iter().filter_map(|session| {
            let here = session.machine == machine;
            let host = session.host.chars().filter(|letter| !letter.is_control()).collect();
            (here || session.last_seen.age(now) < SESSION_LEASE).then_some(Writer { host, here })
        });
        Ok(others.collect())
    }

    /// Whether another machine has a session that it has not closed, however long it has not been heard of: that it is
    /// dead is known from clocks alone, and these may be years apart.
    ///
    /// # Errors
    /// Those of reading records.
    pub(super) fn has_foreign_sessions(&self) -> Result<bool, VolumeError> {
        Ok(self.other_sessions()?.iter().any(|session| session.machine != self.env.machine))
    }

    /// The sessions that nobody has closed, beside this one.
    fn other_sessions(&self) -> Result<Vec<Session>, VolumeError> {
        let sessions = self.read(|view| Ok::<_, VolumeError>(read::sessions(view)?))?;
        let others = sessions.into_iter().filter(|(slot, _)| *slot != self.slot());
        Ok(others.map(|(_, session)| session).collect())
    }
}
