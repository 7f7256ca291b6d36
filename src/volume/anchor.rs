//! Whether the bucket still shows what this mount has seen of the log (M6).
//!
//! A bucket that was rolled back shows nothing after an older entry, just as one in which nothing happens, and takes
//! new entries all the same. So a mount looks, now and then and before it says that everything is stored: whether the
//! *newest* entry known here stands and is the same, and whether *every* entry since the last such look does, which a
//! mount that commits all the time would otherwise never find out, as its newest entry is always its own.
//!
//! Failure behaviour: nothing is committed, what waits keeps waiting, and each further attempt looks again.

use std::time::Duration;

use super::commit::Desk;
use super::error::VolumeError;
use super::mounted::Volume;
use crate::base::Seq;
use crate::commit_log::entry_key;

/// How long a mount that is idle goes without looking whether its newest entry still stands.
pub(super) const ANCHOR_IDLE: Duration = Duration::from_secs(300);
/// The same for one that is about to commit onto it.
pub(super) const ANCHOR_COMMIT: Duration = Duration::from_secs(10);
/// How long a mount that commits all the time goes without looking whether everything before stands: a listing.
const WHOLE: Duration = Duration::from_secs(60);

/// The last look at the log as a whole.
pub(super) struct Whole {
    /// Every entry up to this one was seen to stand then, but for those that gc had deleted.
    upto: Seq,
    /// Time since boot; `None`: it has to be looked at before anything is committed.
    seen: Option<Duration>,
}

impl Whole {
    /// The log was read as far as `upto` just now.
    pub fn new(upto: Seq, now: Duration) -> Self {
        Self { upto, seen: Some(now) }
    }
}

impl Desk {
    /// The next commit believes nothing that was not looked at just before.
    pub fn doubt(&mut self) {
        (self.anchor, self.whole.seen) = (None, None);
    }
}

impl Volume {
    /// As [`Volume::sync`], for somebody who wants to be told that all is stored: what was committed before is looked
    /// for as well, with two requests at most.
    ///
    /// # Errors
    /// As [`Volume::sync`]; `RolledBack`.
    pub fn sync_and_look(&self) -> Result<(), VolumeError> {
        self.doubt();
        self.sync()?;
        let mut desk = self.desk.lock();
        if self.is_read_only() || self.state.read().in_flight.is_some() {
            return Ok(());
        }
        self.check_anchor(&mut desk, ANCHOR_IDLE)
    }

    /// Before the next commit, or the next look, nothing is believed to stand.
    pub(super) fn doubt(&self) {
        self.desk.lock().doubt();
    }

    /// Looks whether the newest entry known here still stands in the log, when nobody has for `pause`, and whether
    /// those before do, when nobody has for a minute (M6). No request when nothing was committed in that time.
    ///
    /// # Errors
    /// `RolledBack` when something is gone or another one; what the bucket says.
    pub(super) fn check_anchor(&self, desk: &mut Desk, pause: Duration) -> Result<(), VolumeError> {
        let now = self.env.clock.boot();
        self.check_whole(desk, now, pause.max(WHOLE))?;
        if desk.anchor.is_some_and(|seen| now.saturating_sub(seen) < pause) {
            return Ok(());
        }
        let (seq, hash) = {
            let state = self.state.read();
            (state.committed.seq, state.committed.hash)
        };
        let found = self.with_newest_keys(|| Ok(self.env.runtime.block_on(self.log.read(seq))?))?;
        let what = match found {
            Some(found) if found.hash == hash => {
                desk.anchor = Some(now);
                return Ok(());
            }
            Some(_) => "another one stands there now",
            None => "it is gone",
        };
        if self.others_went_on(seq)? {
            return Ok(());
        }
        Err(VolumeError::RolledBack(format!(
            "this mount has seen entry {seq} of the log ({}), but {what}: the bucket was rolled back or shows another \
             history. Put the newer objects back, beside those that are there now; what waits here is stored then",
            entry_key(seq)
        )))
    }

    /// Then gc may have deleted what is missing (M3): following the log tells.
    fn others_went_on(&self, newest: Seq) -> Result<bool, VolumeError> {
        Ok(self.env.runtime.block_on(self.log.find_tail(newest))? > newest)
    }

    /// Entries before gc's boundary may be gone: it was committed before anything was deleted, and nobody commits
    /// another one here while the desk is held.
    fn check_whole(&self, desk: &mut Desk, now: Duration, pause: Duration) -> Result<(), VolumeError> {
        let committed = self.state.read().committed.clone();
        let newest = committed.seq;
        let recent = desk.whole.seen.is_some_and(|seen| now.saturating_sub(seen) < pause);
        if recent || newest <= desk.whole.upto {
            return Ok(());
        }
        let first = desk.whole.upto.max(self.recovery().boundary(&committed)?);
        drop(committed);
        if let Some(missing) = self.env.runtime.block_on(self.log.first_missing(first, newest))? {
            if self.others_went_on(newest)? {
                return Ok(());
            }
            return Err(VolumeError::RolledBack(format!(
                "this mount has committed entry {newest} of the log, but entry {missing} ({}) is gone: the bucket was \
                 rolled back while it was in use. Put the newer objects back, beside those that are there now; what \
                 waits here is stored then",
                entry_key(missing)
            )));
        }
        desk.whole = Whole::new(newest, now);
        Ok(())
    }
}
