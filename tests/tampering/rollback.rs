//! The whole bucket as it once was, and different histories for different machines (M6).

use hushfs::base::Ino;
use hushfs::volume::VolumeError;

use crate::judge::Trial;
use crate::machine::{Machine, Refusal};
use crate::sample::put;

fn assert_rolled_back(refusal: Option<Refusal>, case: &str) {
    let refusal = refusal.unwrap_or_else(|| panic!("{case}: it was accepted"));
    assert!(matches!(refusal, Refusal::Volume(VolumeError::RolledBack(_))), "{case}: {refusal}");
}

#[test]
fn every_older_state_of_the_bucket_is_refused_by_who_saw_newer_and_shown_truly_to_others() {
    let trial = Trial::new();
    let newest = *trial.sample.history.last_key_value().unwrap().0;
    for (entries, moment) in trial.sample.history.iter().filter(|(entries, _)| **entries < newest) {
        let case = format!("the bucket as it was with {entries} entries");
        trial.sample.bucket.restore(&moment.objects);
        assert_rolled_back(trial.judge(&case).refusal, &case);
        let stranger = trial.judge_as(&Machine::new(), &moment.picture, &case);
        assert_eq!(stranger.complaints, Vec::<String>::new(), "{case}");
    }
}

#[test]
fn a_machine_that_was_refused_takes_the_newer_state_when_it_is_back() {
    let trial = Trial::new();
    trial.sample.bucket.restore(&trial.sample.history[&3].objects);
    assert_rolled_back(trial.judge("rolled back").refusal, "rolled back");
    trial.sample.restore();
    assert_eq!(trial.judge("forward again").complaints, Vec::<String>::new());
}

#[test]
fn a_fork_shown_to_two_machines_is_refused_by_each_that_meets_the_other_side() {
    let trial = Trial::new();
    let common = trial.sample.now().objects.clone();
    let mut sides = Vec::new();
    for name in [&b"left"[..], b"right"] {
        trial.sample.bucket.restore(&common);
        let machine = Machine::new();
        let opened = trial.open(&machine, "one side of a fork").unwrap();
        put(&opened.fs, Ino::ROOT, name, b"only here");
        opened.close().unwrap();
        drop(opened);
        sides.push((machine, trial.sample.bucket.objects()));
    }
    for (own, other) in [(0, 1), (1, 0)] {
        trial.sample.bucket.restore(&sides[other].1);
        let refused = trial.open(&sides[own].0, "the other side of the fork").err();
        assert_rolled_back(refused, "the other side of the fork");
        trial.sample.bucket.restore(&sides[own].1);
        trial.open(&sides[own].0, "the own side of the fork").unwrap();
    }
}

#[test]
fn a_fork_that_grew_longer_is_refused_all_the_same() {
    let trial = Trial::new();
    trial.sample.bucket.restore(&trial.sample.history[&5].objects);
    let other = Machine::new();
    let opened = trial.open(&other, "a longer fork").unwrap();
    for number in 0..6 {
        put(&opened.fs, Ino::ROOT, format!("{number}").as_bytes(), b"x");
        opened.fs.sync().unwrap();
    }
    opened.close().unwrap();
    drop(opened);
    let refused = trial.open(&trial.sample.writer, "a longer fork").err();
    assert_rolled_back(refused, "a longer fork");
}
