//! `--reencrypt`: the estimate, the work, and the end of the old keys.

use anyhow::{Context, Result};
use tokio::runtime::Runtime;

use super::worker::Worker;
use super::{RotateArgs, words};
use crate::base::Epoch;
use crate::cli::confirm::confirm;
use crate::cli::control::{ReencryptOrder, Reencrypted};
use crate::cli::exit::{Exit, refuse};
use crate::cli::key::change::Editing;
use crate::cli::opening::Opened;

/// Says what will be moved to `epoch`, and asks.
///
/// # Errors
/// `Failure` for a no, `Usage` when nobody can be asked.
pub fn ask(worker: &Worker<'_>, epoch: Epoch, args: &RotateArgs) -> Result<()> {
    eprintln!("{}", words::estimate(&worker.plan(epoch)?, args.limit_rate));
    if args.yes {
        return Ok(());
    }
    let question = format!("Re-encrypt {}?", args.bucket);
    confirm(&question, "give --yes to re-encrypt without being asked")
}

/// Moves everything to `epoch`, the volume's newest, and drops the older keys when nothing needs them any more.
///
/// # Errors
/// Those of the volume and of the store; the same command goes on from there.
pub fn run(
    runtime: &Runtime,
    editing: Editing,
    worker: &Worker<'_>,
    args: &RotateArgs,
    epoch: Epoch,
) -> Result<()> {
    let order = ReencryptOrder {
        limit_rate: args.limit_rate,
        grace_secs: args.grace.map(|hours| u64::from(hours) * 3600),
    };
    let done = worker.reencrypt(order).context("the same command goes on from here")?;
    println!("{}", words::moved(&done));
    if done.stopped {
        return Err(refuse(
            Exit::Failure,
            "the mount was taken away before everything was moved; the same command goes on",
        ));
    }
    if done.unreadable > 0 {
        println!("{}", words::unreadable(&done, &args.bucket));
        return Err(refuse(Exit::Tampered, "some chunks could not be moved, so the old keys stay"));
    }
    if done.left.objects() > 0 {
        println!("{}", words::waiting(&done, args.grace));
        return Ok(());
    }
    let dropped = drop_old_keys(runtime, editing, &done, epoch)?;
    worker.announce()?;
    println!("{}", words::dropped(&dropped));
    Ok(())
}

/// Returns the epochs whose keys are gone.
fn drop_old_keys(
    runtime: &Runtime,
    editing: Editing,
    done: &Reencrypted,
    epoch: Epoch,
) -> Result<Vec<Epoch>> {
    let mut dropped = Vec::new();
    let change = |opened: &Opened| {
        let keys = opened.unlocked.keys();
        if keys.current() != epoch || done.epoch != epoch.0 {
            return Err(refuse(
                Exit::Failure,
                "somebody else has rotated the keys meanwhile; the same command goes on",
            ));
        }
        dropped = keys.epochs().filter(|older| *older != epoch).collect();
        Ok(opened.unlocked.with_newest_epoch_only(opened.store.random.as_ref())?.bytes)
    };
    runtime.block_on(async { editing.replace(change).await })?;
    Ok(dropped)
}
