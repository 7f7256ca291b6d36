//! Checkpoints: the committed tail is folded into the tree, so that a mount reads little and memory is bounded (M7).
//!
//! The tail is frozen (new commits go to a fresh one), folded into new packs, the packs are uploaded, and only then
//! the new root replaces tree and frozen layer here. The next entry names it to others. Writers never wait. A
//! failed checkpoint puts the frozen layer back under the tail; its packs are garbage for gc.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::error::VolumeError;
use super::mounted::Volume;
use super::recovery::encode_root;
use crate::base::{ObjectId, Seq};
use crate::commit_log::{Checkpoint, EntryHash};
use crate::meta::overlay::Overlay;
use crate::meta::tree::{SealedPack, TreeRoot, fold};
use crate::object::{Condition, ErrorKind, get_at_most};

/// Bytes of the tail that make a checkpoint worth it.
const WORTH_BYTES: usize = 16 << 20;
/// Entries since the last checkpoint that do.
const WORTH_ENTRIES: u64 = 128;
/// Entries that make one worth it at unmount, so that the next mount is quick.
const WORTH_ENTRIES_AT_CLOSE: u64 = 3;
/// Packs uploaded at the same time.
const PARALLEL_UPLOADS: usize = 4;

/// What is being folded.
struct Frozen {
    layer: Arc<Overlay>,
    base: TreeRoot,
    seq: Seq,
    hash: EntryHash,
    generation: u64,
}

impl Volume {
    /// Whether the tail is long enough.
    pub(super) fn wants_checkpoint(&self) -> bool {
        let state = self.state.read();
        let committed = &state.committed;
        let entries = committed.seq.0 - committed.checkpoint.seq.0;
        !self.is_read_only()
            && committed.folding.is_none()
            && (committed.tail.bytes() > WORTH_BYTES || entries >= WORTH_ENTRIES)
    }

    /// Whether the next mount would be glad about one.
    pub(super) fn wants_checkpoint_at_close(&self) -> bool {
        let state = self.state.read();
        let entries = state.committed.seq.0 - state.committed.checkpoint.seq.0;
        !self.is_read_only()
            && (entries > WORTH_ENTRIES_AT_CLOSE || state.committed.tail.bytes() > WORTH_BYTES / 4)
    }

    /// Commits everything, folds it, and commits the new root: afterwards the newest entry names a tree that holds
    /// all this machine knew. Nodes of packs in `vacate` are moved to new packs. Blocks; for gc.
    ///
    /// # Errors
    /// What the bucket says; the volume goes on.
    pub fn checkpoint_now(&self, vacate: &HashSet<ObjectId>) -> Result<(), VolumeError> {
        self.sync()?;
        self.checkpoint(vacate)?;
        self.commit_once()
    }

    /// The newest entry that is part of a checkpoint which the log names.
    pub fn checkpoint_seq(&self) -> Seq {
        self.state.read().published
    }

    /// Makes one checkpoint of what is committed now. One at a time; blocks.
    pub(super) fn checkpoint(&self, vacate: &HashSet<ObjectId>) -> Result<(), VolumeError> {
        let _one_at_a_time = self.checkpointing.lock();
        let Some(frozen) = self.freeze(vacate) else { return Ok(()) };
        let folded = self.fold_and_upload(&frozen, vacate);
        self.replace_base(&frozen, folded)
    }

    fn freeze(&self, vacate: &HashSet<ObjectId>) -> Option<Frozen> {
        let _desk = self.desk.lock();
        let mut state = self.state.write();
        let generation = state.generation;
        let committed = &mut state.committed;
        if committed.seq == committed.checkpoint.seq && vacate.is_empty() {
            return None;
        }
        let layer = std::mem::take(&mut committed.tail);
        committed.folding = Some(Arc::clone(&layer));
        Some(Frozen { layer, base: committed.base, seq: committed.seq, hash: committed.hash, generation })
    }

    fn fold_and_upload(&self, frozen: &Frozen, vacate: &HashSet<ObjectId>) -> Result<TreeRoot, VolumeError> {
        let mut uploads =
            Uploads { volume: self, room: Arc::new(Semaphore::new(PARALLEL_UPLOADS)), running: vec![] };
        let folded = fold(
            &*self.packs,
            frozen.base,
            &frozen.layer,
            vacate,
            &self.env.vault,
            &*self.env.random,
            &mut |pack| {
                uploads.start(pack);
                Ok(())
            },
        );
        let uploaded = uploads.finish();
        let root = folded?;
        uploaded?;
        Ok(root)
    }

    fn replace_base(
        &self,
        frozen: &Frozen,
        folded: Result<TreeRoot, VolumeError>,
    ) -> Result<(), VolumeError> {
        let _desk = self.desk.lock();
        let mut state = self.state.write();
        if state.generation != frozen.generation {
            // The state was read anew meanwhile: the frozen layer is no part of it.
            return folded.map(|_| ());
        }
        let committed = &mut state.committed;
        committed.folding = None;
        match folded {
            Ok(root) => {
                committed.base = root;
                committed.base_seq = frozen.seq;
                if frozen.seq >= committed.checkpoint.seq {
                    committed.checkpoint =
                        Checkpoint { seq: frozen.seq, hash: frozen.hash, root: encode_root(root) };
                }
                Ok(())
            }
            Err(error) => {
                let newer = std::mem::take(&mut committed.tail);
                let mut whole = Overlay::clone(&frozen.layer);
                whole.absorb(Arc::unwrap_or_clone(newer));
                committed.tail = Arc::new(whole);
                Err(error)
            }
        }
    }
}

/// Packs on their way to the bucket.
struct Uploads<'a> {
    volume: &'a Volume,
    room: Arc<Semaphore>,
    running: Vec<JoinHandle<Result<(), VolumeError>>>,
}

impl Uploads<'_> {
    /// Waits for room, then uploads in the background.
    fn start(&mut self, pack: SealedPack) {
        let env = &self.volume.env;
        // The semaphore is never closed: without a permit the upload would only start early.
        let permit = env.runtime.block_on(Arc::clone(&self.room).acquire_owned()).ok();
        let bucket = Arc::clone(&env.bucket);
        // What was just folded is what the next look-up needs.
        if let Err(error) = self.volume.packs.nodes.insert_pack(pack.pack, pack.sealed.clone()) {
            log::warn!("a pack just made does not open: {error}");
        }
        self.running.push(env.runtime.spawn(async move {
            let _permit = permit;
            let key = pack.pack.object_key();
            match bucket.put(&key, pack.sealed.clone(), Condition::CreateOnly).await {
                Ok(_) => Ok(()),
                // The id is random: this is our own upload, whose reply was lost, if the bytes say so.
                Err(error) if error.kind == ErrorKind::Precondition => {
                    let found = get_at_most(&*bucket, &key, pack.sealed.len() as u64).await?;
                    if found.bytes == pack.sealed { Ok(()) } else { Err(error.into()) }
                }
                Err(error) => Err(error.into()),
            }
        }));
    }

    /// Waits for all of them.
    fn finish(self) -> Result<(), VolumeError> {
        let mut outcome = Ok(());
        for upload in self.running {
            let done = self.volume.env.runtime.block_on(upload);
            outcome = outcome.and(done.unwrap_or_else(|ended| Err(std::io::Error::other(ended).into())));
        }
        outcome
    }
}
