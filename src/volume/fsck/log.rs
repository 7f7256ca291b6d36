//! The log: dense, chained, openable from the first entry that gc left to its end.

use super::super::gc::Inventory;
use super::super::{Volume, VolumeError};
use super::FsckReport;
use crate::base::Seq;
use crate::commit_log::{Log, LogError};

/// Entries read at a time.
const STEP: u64 = 64;

/// `boundary`: gc has deleted no entry from there on. `newest` was known before the bucket was listed.
pub(super) fn check(
    volume: &Volume,
    inventory: &Inventory,
    boundary: Seq,
    newest: Seq,
    report: &mut FsckReport,
) -> Result<(), VolumeError> {
    let Some(last) = inventory.entries.keys().next_back().copied() else {
        report.problem("the log has no entry at all".into());
        return Ok(());
    };
    if last < newest {
        report.problem(format!(
            "entry {newest} of the log was read, but the bucket lists none after {last}: its listing is short"
        ));
    }
    // Entries apart from the rest are strays of writers that slept through a gc: everybody ignores them (M3).
    let without_gap =
        inventory.entries.keys().rev().zip(0..).take_while(|(seq, back)| seq.0 + back == last.0);
    let first = without_gap.last().map_or(last, |(seq, _)| *seq);
    if first > boundary.max(Seq(1)) {
        report.problem(format!(
            "the entry before {first} is missing from the log, but gc has deleted none from {boundary} on"
        ));
        return Ok(());
    }
    let env = volume.environment();
    let log = Log::new(env.bucket.clone(), env.vault.clone(), env.random.clone());
    let mut first = first;
    loop {
        match volume.runtime().block_on(follow(&log, first, last)) {
            Ok(entries) => {
                report.entries = entries;
                return Ok(());
            }
            // What stands before it is a stray, too, that has no gap behind it.
            Err((_, LogError::Unchained(seq))) if first < seq && seq <= boundary => first = seq,
            Err((read, error)) => {
                report.problem(format!("log entries {} to {last}: {error}", Seq(first.0 + read)));
                report.entries = read;
                return Ok(());
            }
        }
    }
}

/// Follows the chain of entries `first..=last`; how many there are. An error comes with how many were in order.
async fn follow(log: &Log, first: Seq, last: Seq) -> Result<u64, (u64, LogError)> {
    let start = log.read(first).await.and_then(|found| found.ok_or(LogError::Missing(first)));
    let start = start.map_err(|error| (0, error))?;
    let (mut hash, mut epoch, mut entries) = (start.hash, start.epoch, 1);
    let mut next = first.next();
    while next <= last {
        let end = Seq(last.0.min(next.0 + STEP - 1));
        let chain = log.read_chain(next, end, hash, epoch).await.map_err(|error| (entries, error))?;
        entries += chain.len() as u64;
        (hash, epoch) = chain.last().map_or((hash, epoch), |stored| (stored.hash, stored.epoch));
        next = end.next();
    }
    Ok(entries)
}
