//! Frames of one GET, opened as their bytes come.
//!
//! A reader waits for its own frame, not for the end of a GET that reaches far ahead of it; and a frame is opened while
//! the processor's cache still has its bytes.
//!
//! Invariants: a frame lands once, verified, whatever comes of the GET that brought it. An attempt that begins again, or
//! one beside another, goes on where the furthest has come to.

use std::collections::VecDeque;

use parking_lot::Mutex;

use super::fetcher::{Batch, Fetcher, Frame, part};

/// Sealed bytes that are opened at a time, at most: more than a connection hands over at once. The rest is left to
/// threads that may take long.
const AT_ONCE: u64 = 512 * 1024;

/// The frames that have not come yet.
pub(super) struct Arrival<'a> {
    fetcher: &'a Fetcher,
    batch: &'a Batch,
    /// Where the GET begins in the segment.
    base: u64,
    expected: Mutex<Expected>,
}

struct Expected {
    /// Ascending by number.
    frames: VecDeque<Frame>,
    sound: bool,
}

impl<'a> Arrival<'a> {
    /// Expects `frames`, ascending by number, of a GET that begins at `base` in the segment.
    pub fn new(fetcher: &'a Fetcher, batch: &'a Batch, base: u64, frames: Vec<Frame>) -> Self {
        let expected = Mutex::new(Expected { frames: frames.into(), sound: true });
        Self { fetcher, batch, base, expected }
    }

    /// Opens and lands what is complete in `so_far`, all bytes of an attempt up to now.
    pub fn watch(&self, so_far: &[u8]) {
        // Another attempt is at it: what it does not have is found next time.
        let Some(mut expected) = self.expected.try_lock() else { return };
        let mut bytes = 0;
        while bytes < AT_ONCE
            && let Some(sealed) =
                expected.frames.front().and_then(|frame| part(so_far, self.base, &frame.range))
            && let Some(frame) = expected.frames.pop_front()
        {
            bytes += sealed.len() as u64;
            let opened = self.batch.open(&frame, Some(sealed));
            expected.sound &= opened.is_ok();
            self.fetcher.land(frame, opened);
        }
    }

    /// True while all that landed did verify.
    pub fn is_sound(&self) -> bool {
        self.expected.lock().sound
    }

    /// What has not landed. From now on nothing is expected.
    pub fn rest(&self) -> Vec<Frame> {
        std::mem::take(&mut self.expected.lock().frames).into()
    }
}
