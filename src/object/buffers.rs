//! Memory for large bodies and chunks, used again.
//!
//! A buffer of some MiB comes from the kernel page by page, each with a fault, and goes back to it: while a large
//! file streams in that was a fifth of a mount's processor time. So buffers that come back are kept, up to
//! a limit, until none was asked for during [`IDLE`]: nothing stays with who does not read or write. Chunks of a
//! file that is written are kept the same way: other threads give them back than took them, and small blocks cut up
//! what lies free, which leaves holes in the allocator's arenas.
//!
//! Only what was put into a buffer is ever shown, not what it held before; keys do not belong in here.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::runtime::Handle;

/// Shorter bodies take memory of the heap, which the allocator uses again by itself (src/cli/allocator.rs), in bytes.
const LEAST: usize = 1_000_000;

/// Bytes of all buffers of one user that are kept for later, unless it says otherwise.
const KEPT: usize = 24 << 20;

/// Bytes of a page, and of the largest unit in which a disk is written.
pub const PAGE: usize = 4096;

/// How long buffers are kept that nobody asks for.
const IDLE: Duration = Duration::from_secs(1);

/// The buffers of one user. Clones share them.
#[derive(Clone)]
pub struct Buffers {
    least: usize,
    most_kept: usize,
    idle: Duration,
    /// Where the janitor runs. None: the runtime of the thread that gives a buffer back.
    runtime: Option<Handle>,
    shelf: Arc<Mutex<Shelf>>,
}

/// For bodies of requests.
impl Default for Buffers {
    fn default() -> Self {
        Self::new(LEAST)
    }
}

#[derive(Default)]
struct Shelf {
    kept: Vec<Vec<u8>>,
    /// One was asked for since the janitor looked.
    asked_for: bool,
    /// A task waits to give back what is kept.
    janitor: bool,
}

impl Shelf {
    /// Bytes of all that is here.
    fn kept(&self) -> usize {
        self.kept.iter().map(Vec::capacity).sum()
    }

    /// The smallest buffer that is large enough, else the largest, which can grow.
    fn find(&self, len: usize) -> Option<usize> {
        let sizes = || self.kept.iter().map(Vec::capacity).enumerate();
        // All of a size is usual.
        if let Some((at, _)) = sizes().next_back().filter(|(_, size)| *size == len) {
            return Some(at);
        }
        let fits = sizes().filter(|(_, size)| (len..=len * 4).contains(size)).min_by_key(|(_, size)| *size);
        let grows = || sizes().filter(|(_, size)| *size < len).max_by_key(|(_, size)| *size);
        fits.or_else(grows).map(|(at, _)| at)
    }
}

/// One of them, empty at first. It comes back when the last view of its bytes is dropped.
pub struct Buffer {
    bytes: Vec<u8>,
    /// None: too small to be worth keeping.
    home: Option<Buffers>,
}

impl Buffers {
    /// Buffers for what takes `least` bytes or more.
    pub fn new(least: usize) -> Self {
        Self { least, most_kept: KEPT, idle: IDLE, runtime: None, shelf: Arc::default() }
    }

    /// Keeps up to `bytes`, also of what comes back on threads outside of `runtime`.
    pub fn keeping(self, bytes: usize, runtime: Handle) -> Self {
        Self { most_kept: bytes, runtime: Some(runtime), ..self }
    }

    /// A buffer with room for `len` bytes, and for at most four times as many.
    pub fn take(&self, len: usize) -> Buffer {
        if len < self.least {
            return Buffer { bytes: Vec::with_capacity(len), home: None };
        }
        let kept = {
            let mut shelf = self.shelf.lock();
            shelf.asked_for = true;
            shelf.find(len).map(|at| shelf.kept.swap_remove(at))
        };
        let mut bytes = kept.unwrap_or_default();
        // A block that came from the kernel grows by pages at its end (mremap(2)): those it has stay.
        bytes.reserve_exact(len);
        Buffer { bytes, home: Some(self.clone()) }
    }

    /// A buffer for `len` bytes that lie at `offset` of a file or an object, at the same place within a page: from there
    /// the disk takes them without a copy (O_DIRECT, open(2)). Short ones, and ones that must grow, lie anywhere.
    pub fn take_at(&self, len: usize, offset: u64) -> PlacedBuffer {
        if len < self.least {
            return PlacedBuffer { buffer: self.take(len), start: 0 };
        }
        let mut buffer = self.take(len + PAGE);
        let start = (offset as usize).wrapping_sub(buffer.as_ptr().addr()) % PAGE;
        buffer.resize(start, 0);
        PlacedBuffer { buffer, start }
    }

    /// Without a runtime nothing is kept.
    fn put_back(&self, mut bytes: Vec<u8>) {
        bytes.clear();
        let Some(runtime) = self.runtime.clone().or_else(|| Handle::try_current().ok()) else { return };
        let mut shelf = self.shelf.lock();
        if shelf.kept() + bytes.capacity() > self.most_kept {
            // Parameters are dropped after locals: the lock is free when this memory goes to the kernel.
            return;
        }
        shelf.kept.push(bytes);
        if !std::mem::replace(&mut shelf.janitor, true) {
            runtime.spawn(self.clone().give_back());
        }
    }

    /// Waits until nobody asks any more.
    async fn give_back(self) {
        loop {
            tokio::time::sleep(self.idle).await;
            let mut shelf = self.shelf.lock();
            if !std::mem::take(&mut shelf.asked_for) {
                shelf.janitor = false;
                let gone = std::mem::take(&mut shelf.kept);
                drop(shelf);
                return drop(gone);
            }
        }
    }
}

impl From<Vec<u8>> for Buffer {
    /// Memory from elsewhere, which goes back there.
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, home: None }
    }
}

impl Deref for Buffer {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

impl Buffer {
    /// What was put in. Room that stayed empty is given back, where it is much.
    pub fn freeze(mut self) -> Bytes {
        if self.bytes.len() < self.bytes.capacity() / 4 * 3 {
            self.bytes.shrink_to_fit();
        }
        match self.home {
            Some(_) => Bytes::from_owner(self),
            None => Bytes::from(std::mem::take(&mut self.bytes)),
        }
    }
}

/// A buffer that is filled from a certain place in a page on. Empty at first.
pub struct PlacedBuffer {
    buffer: Buffer,
    /// Where its bytes begin.
    start: usize,
}

impl PlacedBuffer {
    /// Adds bytes at the end.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// What was put in.
    pub fn as_slice(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// What was put in, at the place where it is, unless most of the room stayed empty.
    pub fn freeze(self) -> Bytes {
        self.buffer.freeze().slice(self.start..)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(home) = &self.home {
            home.put_back(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(buffers: &Buffers, len: usize, byte: u8) -> Bytes {
        let mut buffer = buffers.take(len);
        buffer.extend(vec![byte; len]);
        buffer.freeze()
    }

    fn kept(buffers: &Buffers) -> usize {
        buffers.shelf.lock().kept()
    }

    #[tokio::test]
    async fn a_buffer_is_used_again_and_shows_nothing_old() {
        let buffers = Buffers::default();
        let first = body(&buffers, 2 * LEAST, 2);
        let place = first.as_ptr();
        let view = first.slice(5..9);
        drop(first);
        assert_eq!((kept(&buffers), &view[..]), (0, &[2; 4][..]), "a view keeps it");
        drop(view);
        let second = body(&buffers, 2 * LEAST - 1, 3);
        assert_eq!(second.as_ptr(), place);
        assert_eq!(second, vec![3; 2 * LEAST - 1]);
    }

    #[tokio::test]
    async fn a_buffer_for_a_place_in_a_file_lies_at_that_place_in_a_page() {
        let buffers = Buffers::default();
        for offset in [0, 1, 128, 4095, 4096, 5 * PAGE as u64 + 77, u64::MAX] {
            let mut buffer = buffers.take_at(LEAST, offset);
            buffer.extend_from_slice(&[1; LEAST / 2]);
            buffer.extend_from_slice(&[2; LEAST / 2]);
            assert_eq!(buffer.as_slice().len(), LEAST);
            let bytes = buffer.freeze();
            assert_eq!(bytes.as_ptr().addr() % PAGE, (offset % PAGE as u64) as usize, "{offset}");
            assert_eq!((bytes.len(), bytes[0], bytes[LEAST - 1]), (LEAST, 1, 2));
        }
        let mut short = buffers.take_at(10, 7);
        short.extend_from_slice(b"short");
        assert_eq!(short.freeze(), "short");
    }

    #[tokio::test]
    async fn what_is_kept_is_bounded_and_goes_when_nobody_asks() {
        let buffers = Buffers { idle: Duration::from_millis(5), ..Buffers::default() };
        for round in 0..2 {
            let out: Vec<Bytes> = (0..40).map(|number| body(&buffers, LEAST, number)).collect();
            drop(out);
            assert_eq!(kept(&buffers), KEPT / LEAST * LEAST, "round {round}");
            let gone = async {
                while kept(&buffers) > 0 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(60), gone).await.unwrap();
        }
    }

    #[tokio::test]
    async fn what_comes_back_on_a_thread_outside_of_the_runtime_is_kept_too() {
        let buffers = Buffers::new(LEAST).keeping(2 * LEAST, Handle::current());
        let out: Vec<Bytes> = (0..3).map(|number| body(&buffers, LEAST, number)).collect();
        std::thread::spawn(move || drop(out)).join().unwrap();
        assert_eq!(kept(&buffers), 2 * LEAST);
    }

    #[tokio::test]
    async fn a_small_body_does_not_hold_a_large_buffer_and_a_large_one_grows_what_is_there() {
        let buffers = Buffers::default();
        drop(body(&buffers, 5 * LEAST, 2));
        assert_eq!(kept(&buffers), 5 * LEAST);
        drop(body(&buffers, 10, 3));
        let small = body(&buffers, LEAST, 4);
        assert_eq!(kept(&buffers), 5 * LEAST, "another one was taken");
        let large = body(&buffers, 6 * LEAST, 5);
        assert_eq!((kept(&buffers), large.len()), (0, 6 * LEAST));
        drop(small);
        assert_eq!(kept(&buffers), LEAST);
    }
}
