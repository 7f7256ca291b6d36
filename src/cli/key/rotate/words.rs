//! What `key rotate` says: what it did, what it did not do, and what nobody can undo.

use crate::base::Epoch;
use crate::cli::control::Reencrypted;
use crate::cli::size::{count, show_size};
use crate::object::Location;
use crate::volume::Plan;

/// What re-encryption cannot undo.
const KEPT_ELSEWHERE: &str = "\
What this cannot undo: older copies of these objects (versions in the bucket, backups) are still sealed under the old
keys, and whoever had the volume's keys may have kept them and whatever they read.";

/// A new epoch.
pub fn rotated(old: Epoch, new: Epoch) -> String {
    format!("epoch {new} from now on (before: epoch {old})")
}

/// A new epoch, and old data stays.
pub fn rotated_only(old: Epoch, new: Epoch, bucket: &Location) -> String {
    format!("{}\n{}", rotated(old, new), old_data(bucket))
}

/// A new volume key, and old data stays.
pub fn replaced_only(old: Epoch, new: Epoch, bucket: &Location) -> String {
    format!(
        "{}\nWhat is in the bucket already stays under its older keys, which whoever had the old volume key may have \
         kept, until it is moved: hushfs key rotate --reencrypt {bucket}",
        rotated(old, new)
    )
}

/// A rotation that somebody had begun.
pub fn finished(old: Epoch, new: Epoch, bucket: &Location) -> String {
    format!(
        "finished a rotation that was interrupted: epoch {new} from now on (before: epoch {old}); to begin another \
         epoch, give the command again\n{}",
        old_data(bucket)
    )
}

fn old_data(bucket: &Location) -> String {
    format!(
        "What is in the bucket already stays under its older keys, until it is moved: hushfs key rotate --reencrypt \
         {bucket}\nWhoever has the volume key can read both; after a loss: --new-volume-key"
    )
}

/// An interrupted re-encryption.
pub fn goes_on(epoch: Epoch) -> String {
    format!(
        "going on with the re-encryption to epoch {epoch} that was begun before (to move everything to a fresh epoch \
         instead, rotate without --reencrypt first)"
    )
}

/// What there is to do.
pub fn estimate(plan: &Plan, limit_rate: Option<u64>) -> String {
    let amount = &plan.to_move;
    let mut text = format!(
        "to be read and written again: {} with {} under older keys; about {} and {}",
        count(amount.objects, "object"),
        show_size(amount.bytes),
        count(plan.reads, "GET"),
        count(plan.writes, "PUT"),
    );
    if let Some(rate) = limit_rate.filter(|rate| *rate > 0 && amount.bytes > 0) {
        let minutes = (amount.bytes / rate).div_ceil(60);
        text.push_str(&format!("; about {} at {}/s", count(minutes, "minute"), show_size(rate)));
    }
    text
}

/// What was done.
pub fn moved(done: &Reencrypted) -> String {
    format!(
        "moved {} ({}) to epoch {}; deleted {}",
        count(done.moved.objects, "object"),
        show_size(done.moved.bytes),
        done.epoch,
        count(done.deleted, "object"),
    )
}

/// Chunks that nobody can read.
pub fn unreadable(done: &Reencrypted, bucket: &Location) -> String {
    format!(
        "{} cannot be read and stay where they are; hushfs fsck --data {bucket} tells which files they belong to. Remove \
         or restore those, and give the command again",
        count(done.unreadable, "chunk")
    )
}

/// Old objects that wait for other machines, for `grace` hours if that was given.
pub fn waiting(done: &Reencrypted, grace: Option<u32>) -> String {
    let grace = match grace {
        None => "a day".to_owned(),
        Some(0 | 1) => "an hour".to_owned(),
        Some(hours) => count(u64::from(hours), "hour"),
    };
    let left = &done.left;
    let who = match done.others.as_slice() {
        [] => "machines that had the volume mounted a moment ago".to_owned(),
        hosts => format!("other mounts of the volume ({})", hosts.join(", ")),
    };
    format!(
        "{} ({}: {}, {}, {}) under older keys wait, because {who} may still be reading them. They can go {grace} after \
         they were left behind: give the same command again then, it deletes them and drops the old keys",
        count(left.objects(), "object"),
        show_size(left.bytes),
        count(left.segments, "segment"),
        count(left.packs, "pack"),
        log_entries(left.entries),
    )
}

fn log_entries(number: u64) -> String {
    if number == 1 { "1 log entry".to_owned() } else { format!("{number} log entries") }
}

/// The end.
pub fn dropped(epochs: &[Epoch]) -> String {
    let listed: Vec<String> = epochs.iter().map(Epoch::to_string).collect();
    let keys = match listed.as_slice() {
        [] => "there are no older keys".to_owned(),
        [one] => format!("the key of epoch {one} is dropped from the volume"),
        _ => format!("the keys of epochs {} are dropped from the volume", listed.join(", ")),
    };
    format!("nothing in the bucket is sealed under an older epoch any more; {keys}\n{KEPT_ELSEWHERE}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::{Amount, Leftovers};

    #[test]
    fn it_is_said_how_much_waits_and_for_whom() {
        let left = Leftovers { segments: 1, packs: 2, entries: 3, bytes: 2048 };
        let done = Reencrypted { left, others: vec!["laptop".into()], ..Reencrypted::default() };
        let text = waiting(&done, None);
        assert!(text.starts_with("6 objects (2.0 KiB: 1 segment, 2 packs, 3 log entries)"), "{text}");
        assert!(text.contains("(laptop)") && text.contains("can go a day after"), "{text}");
        assert!(waiting(&done, Some(0)).contains("can go an hour after"));
        assert!(waiting(&done, Some(8)).contains("can go 8 hours after"));
    }

    #[test]
    fn the_estimate_says_what_it_costs_and_how_long_it_takes() {
        let plan = Plan { to_move: Amount { objects: 3, bytes: 600 << 20 }, reads: 3, writes: 80 };
        let text = estimate(&plan, Some(10 << 20));
        assert!(text.contains("3 objects with 600.0 MiB") && text.contains("3 GETs and 80 PUTs"), "{text}");
        assert!(text.ends_with("about 1 minute at 10.0 MiB/s"), "{text}");
        let nothing = Plan { to_move: Amount { objects: 0, bytes: 0 }, reads: 0, writes: 0 };
        assert!(estimate(&nothing, Some(10 << 20)).ends_with("about 0 GETs and 0 PUTs"));
    }
}
