//! The log: dense, chained, openable from the first entry that gc left to its end.

use super::super::gc::Inventory;
use super::super::{Volume, VolumeError};
use super::FsckReport;
use crate::base::Seq;
use crate::commit_log::Log;

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
    let Some(start) = volume.runtime().block_on(log.read(first))? else {
        report.problem(format!("log entry {first} disappeared while it was read"));
        return Ok(());
    };
    report.entries = 1;
    let (mut hash, mut epoch) = (start.hash, start.epoch);
    let mut next = first.next();
    while next <= last {
        let end = Seq(last.0.min(next.0 + STEP - 1));
        match volume.runtime().block_on(log.read_chain(next, end, hash, epoch)) {
            Ok(chain) => {
                report.entries += chain.len() as u64;
                (hash, epoch) = chain.last().map_or((hash, epoch), |stored| (stored.hash, stored.epoch));
            }
            Err(error) => {
                report.problem(format!("log entries {next} to {end}: {error}"));
                return Ok(());
            }
        }
        next = end.next();
    }
    Ok(())
}
