//! Random file operations against a reference model, crashes at every bucket request, comparison.
//!
//! The oracle (M2): what a crash leaves is the state after some prefix of the acknowledged operations that
//! includes everything before the last completed sync.

#[path = "../common/picture.rs"]
mod picture;
#[path = "../common/witness.rs"]
mod witness;

mod machine;
mod recording;
mod reference;
mod steps;

use std::sync::Arc;

use machine::{Machine, runtime};
use picture::Picture;
use recording::Recording;
use reference::Reference;
use steps::Steps;

/// Runs a script of random steps; returns what the state was after each step, how many requests had
/// changed the bucket by the end of each completed sync, and the recorded bucket.
fn run(seed: u64, count: usize, sync_every: usize) -> (Vec<Picture>, Vec<(usize, usize)>, Arc<Recording>) {
    let runtime = runtime();
    let recording = Arc::new(Recording::default());
    let machine = Machine::create(&runtime, recording.clone());
    let mut reference = Reference::default();
    let mut steps = Steps::new(seed);
    let mut history = vec![reference.picture()];
    let mut synced = vec![(recording.changes(), 0)];
    for done in 1..=count {
        let step = steps.next(&reference);
        let expected = reference.apply(&step);
        let actual = machine.apply(&step);
        assert_eq!(actual, expected, "seed {seed}, step {done}: {step:?}");
        history.push(reference.picture());
        if done % sync_every == 0 {
            machine.fs.sync().unwrap();
            synced.push((recording.changes(), done));
        }
    }
    assert_eq!(machine.picture(), reference.picture(), "seed {seed}: the mounted state");
    machine.die();
    (history, synced, recording)
}

#[test]
fn random_operations_leave_what_the_model_says_also_after_a_remount() {
    for seed in 0..40 {
        let runtime = runtime();
        let recording = Arc::new(Recording::default());
        let mut machine = Machine::create(&runtime, recording.clone());
        let mut reference = Reference::default();
        let mut steps = Steps::new(seed);
        for round in 0..4 {
            for done in 0..150 {
                let step = steps.next(&reference);
                let expected = reference.apply(&step);
                assert_eq!(
                    machine.apply(&step),
                    expected,
                    "seed {seed}, round {round}, step {done}: {step:?}"
                );
            }
            assert_eq!(machine.picture(), reference.picture(), "seed {seed}, round {round}");
            machine.close();
            machine = Machine::open(&runtime, recording.clone());
            assert_eq!(machine.picture(), reference.picture(), "seed {seed}, round {round}, mounted again");
        }
        machine.verify();
        machine.close();
    }
}

#[test]
fn m2_a_crash_at_any_bucket_request_leaves_a_prefix_that_includes_the_last_sync() {
    for seed in 100..125 {
        let (history, synced, recording) = run(seed, 120, 11);
        let runtime = runtime();
        let created = synced[0].0;
        for cut in created..=recording.changes() {
            let survivor = Machine::open(&runtime, Arc::new(recording.cut_at(cut)));
            let found = survivor.picture();
            let least =
                synced.iter().filter(|(changes, _)| *changes <= cut).map(|(_, step)| *step).max().unwrap();
            let allowed = &history[least..];
            assert!(
                allowed.contains(&found),
                "seed {seed}: after request {cut} the state is none of those after step {least} or later: {}",
                reference::difference(&found, &history[least])
            );
            survivor.verify();
            survivor.die();
        }
    }
}

#[test]
fn a_survivor_of_a_crash_goes_on_working() {
    let (_, _, recording) = run(7, 80, 9);
    let runtime = runtime();
    for cut in [recording.changes() / 2, recording.changes()] {
        let bucket = Arc::new(recording.cut_at(cut));
        let machine = Machine::open(&runtime, bucket.clone());
        let mut reference = Reference::from_picture(machine.picture());
        let mut steps = Steps::new(cut as u64);
        for _ in 0..60 {
            let step = steps.next(&reference);
            let expected = reference.apply(&step);
            assert_eq!(machine.apply(&step), expected, "{step:?}");
        }
        machine.close();
        let again = Machine::open(&runtime, bucket);
        assert_eq!(again.picture(), reference.picture());
        again.verify();
        again.close();
    }
}

#[test]
fn gc_in_the_middle_of_a_life_changes_nothing_that_can_be_seen() {
    let runtime = runtime();
    let recording = Arc::new(Recording::default());
    let mut machine = Machine::create(&runtime, recording.clone());
    let mut reference = Reference::default();
    let mut steps = Steps::new(42);
    for round in 0..8 {
        for _ in 0..80 {
            let step = steps.next(&reference);
            let expected = reference.apply(&step);
            assert_eq!(machine.apply(&step), expected, "{step:?}");
        }
        machine.collect();
        assert_eq!(machine.picture(), reference.picture(), "round {round}");
        machine.verify();
        machine.close();
        machine = Machine::open(&runtime, recording.clone());
        assert_eq!(machine.picture(), reference.picture(), "round {round}, mounted again");
    }
    machine.close();
}
