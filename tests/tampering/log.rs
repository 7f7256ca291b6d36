//! The log: entries that are missing, reordered, repeated, cut off, or of another history.

use hushfs::base::{Ino, Seq};
use hushfs::commit_log::entry_key;
use hushfs::volume::VolumeError;

use crate::judge::Trial;
use crate::machine::{Machine, Refusal};
use crate::sample::put;

fn is_rollback(refusal: Option<&Refusal>) -> bool {
    matches!(refusal, Some(Refusal::Volume(VolumeError::RolledBack(_))))
}

fn is_tampering(refusal: Option<&Refusal>) -> bool {
    matches!(refusal, Some(Refusal::Volume(VolumeError::Tampered { .. })))
}

#[test]
fn a_missing_entry_after_the_checkpoint_is_a_rollback_to_everybody() {
    let trial = Trial::new();
    let last = trial.sample.keys("log/").len();
    // The checkpoint includes entry 4; the newest entry is missed by the next test.
    for seq in 5..last {
        trial.sample.bucket.remove_raw(&entry_key(Seq(seq as u64)));
        for machine in [&trial.sample.writer, &Machine::new()] {
            let case = format!("without entry {seq}");
            let verdict = trial.judge_as(machine, &trial.sample.now().picture, &case);
            assert!(is_rollback(verdict.refusal.as_ref()), "{case}: {:?}", verdict.complaints);
        }
        trial.sample.restore();
    }
}

#[test]
fn a_log_without_its_end_is_refused_by_who_saw_it_and_true_history_to_others() {
    let trial = Trial::new();
    let last = trial.sample.keys("log/").len();
    for left in (2..last).rev() {
        trial.sample.bucket.remove_raw(&entry_key(Seq(left as u64 + 1)));
        let case = format!("only {left} entries left");
        let refusal = trial.judge(&case).refusal;
        assert!(is_rollback(refusal.as_ref()), "{case}: {refusal:?}");
        let then = &trial.sample.history[&left].picture;
        let verdict = trial.judge_as(&Machine::new(), then, &case);
        assert_eq!(verdict.complaints, Vec::<String>::new(), "{case}");
    }
}

#[test]
fn reordered_entries_are_refused() {
    let trial = Trial::new();
    let keys = trial.sample.keys("log/");
    let objects = trial.sample.now().objects.clone();
    let mut rotated: Vec<usize> = (0..keys.len()).collect();
    rotated.rotate_left(1);
    let reversed: Vec<usize> = (0..keys.len()).rev().collect();
    for (what, order) in [("rotated", rotated), ("reversed", reversed)] {
        for (to, from) in keys.iter().zip(&order) {
            trial.sample.bucket.overwrite_raw(to, objects[&keys[*from]].clone());
        }
        for machine in [&trial.sample.writer, &Machine::new()] {
            let verdict = trial.judge_as(machine, &trial.sample.now().picture, what);
            assert!(is_tampering(verdict.refusal.as_ref()), "{what}: {:?}", verdict.complaints);
        }
        trial.sample.restore();
    }
}

#[test]
fn an_old_entry_sent_again_as_the_newest_is_refused() {
    let trial = Trial::new();
    let keys = trial.sample.keys("log/");
    for ahead in [1, 2, 5000] {
        let next = entry_key(Seq((keys.len() + ahead) as u64));
        for key in &keys {
            trial.sample.bucket.overwrite_raw(&next, trial.sample.object(key));
            for machine in [&trial.sample.writer, &Machine::new()] {
                let case = format!("{key} again as {next}");
                let verdict = trial.judge_as(machine, &trial.sample.now().picture, &case);
                assert!(is_tampering(verdict.refusal.as_ref()), "{case}: {:?}", verdict.complaints);
            }
        }
        trial.sample.restore();
    }
}

#[test]
fn an_authentic_entry_of_another_history_fits_nowhere() {
    let trial = Trial::new();
    let fork = other_history(&trial);
    let ours = &trial.sample.now().objects;
    for (key, bytes) in fork.iter().filter(|(key, bytes)| ours.get(*key).is_some_and(|own| own != *bytes)) {
        let case = format!("{key} of the other history");
        trial.sample.bucket.overwrite_raw(key, bytes.clone());
        for machine in [&trial.sample.writer, &Machine::new()] {
            let verdict = trial.judge_as(machine, &trial.sample.now().picture, &case);
            assert!(is_rollback(verdict.refusal.as_ref()), "{case}: {:?}", verdict.complaints);
        }
        trial.sample.restore();
    }
}

/// Objects of a volume that went on differently after entry 5, by a writer with the same keys.
fn other_history(trial: &Trial) -> hushfs::object::memory::ObjectMap {
    let sample = &trial.sample;
    sample.bucket.restore(&sample.history[&5].objects);
    let other = Machine::new();
    let opened = trial.open(&other, "the other history").unwrap();
    for number in 0..2 {
        put(&opened.fs, Ino::ROOT, format!("other {number}").as_bytes(), b"other");
        opened.fs.sync().unwrap();
    }
    opened.close().unwrap();
    drop(opened);
    let objects = sample.bucket.objects();
    assert_eq!(objects.keys().filter(|key| key.starts_with("log/")).count(), sample.keys("log/").len());
    sample.restore();
    objects
}
