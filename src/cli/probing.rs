//! Conditional writes: is this store safe for several writers?

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::exit::{Exit, refuse};
use super::opening::Store;
use super::paths;
use crate::object::{Location, Probe, probe_conditional_writes, probe_create_only};

/// Refuses a store that ignores conditional writes, unless there is only one writer: then returns a
/// warning for the user. For `init`: asks everything.
///
/// # Errors
/// `UnsafeStore`; those of the store.
pub async fn examine(store: &Store, single_writer: bool) -> Result<Option<String>> {
    let probe = probe_conditional_writes(store.impatient().as_ref(), store.random.as_ref()).await;
    judge(store, &probe.with_context(|| format!("probing {}", store.location))?, single_writer)
}

/// As [`examine`], with the cheapest question, asked once by each machine: a store that passed is
/// remembered.
///
/// # Errors
/// As [`examine`].
pub async fn examine_once(store: &Store, single_writer: bool) -> Result<Option<String>> {
    if !single_writer && is_remembered(store) {
        return Ok(None);
    }
    // A folder's conditions are our own code, on a filesystem that init has examined.
    if let Location::Folder(_) = store.location {
        return Ok(None);
    }
    let probe = probe_create_only(store.impatient().as_ref(), store.random.as_ref()).await;
    let warning =
        judge(store, &probe.with_context(|| format!("probing {}", store.location))?, single_writer)?;
    if let Some(mark) = mark(store).filter(|_| warning.is_none())
        && let Err(error) = remember(&mark)
    {
        log::info!("the probe will be repeated, its result cannot be kept: {error}");
    }
    Ok(warning)
}

fn judge(store: &Store, probe: &Probe, single_writer: bool) -> Result<Option<String>> {
    let location = &store.location;
    if probe.is_sound() {
        return Ok(None);
    }
    if !single_writer {
        return Err(refuse(
            Exit::UnsafeStore,
            format!(
                "{location}: {probe}. Two machines could overwrite each other's changes. Use another store, or \
                 give --single-writer and never mount the volume twice"
            ),
        ));
    }
    Ok(Some(format!(
        "{location}: {probe}. A lock object keeps a second writer out as well as it can; never mount this \
         volume on two machines"
    )))
}

/// Whether this machine knows a store that passed, so that [`examine_once`] asks nothing of several writers.
pub fn is_remembered(store: &Store) -> bool {
    mark(store).is_some_and(|mark| mark.exists())
}

fn mark(store: &Store) -> Option<PathBuf> {
    let root = paths::state_root().ok()?;
    Some(root.join("probed").join(paths::short_name(store.place.as_ref())))
}

fn remember(mark: &std::path::Path) -> std::io::Result<()> {
    if let Some(folder) = mark.parent() {
        paths::private_folder(folder)?;
    }
    std::fs::write(mark, b"")
}
