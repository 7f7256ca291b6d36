//! Whole objects in wrong places: swapped, copied, removed, of another volume.

use crate::judge::Trial;
use crate::sample::Sample;

#[test]
fn any_two_objects_swapped_are_noticed() {
    let trial = Trial::new();
    let objects: Vec<_> = trial.sample.now().objects.iter().collect();
    for (number, (one, one_bytes)) in objects.iter().enumerate() {
        for (other, other_bytes) in &objects[number + 1..] {
            trial.sample.bucket.overwrite_raw(one, (*other_bytes).clone());
            trial.sample.bucket.overwrite_raw(other, (*one_bytes).clone());
            let case = format!("{one} and {other} swapped");
            assert!(!trial.judge(&case).complaints.is_empty(), "{case}: nobody noticed");
            trial.sample.restore();
        }
    }
}

#[test]
fn an_object_in_place_of_another_is_noticed() {
    let trial = Trial::new();
    let objects = trial.sample.now().objects.clone();
    for to in objects.keys() {
        for (from, bytes) in objects.iter().filter(|(from, _)| *from != to) {
            trial.must_notice(to, bytes.to_vec(), &format!("{from} in place of {to}"));
        }
    }
}

#[test]
fn any_missing_object_is_noticed() {
    let trial = Trial::new();
    for key in trial.sample.now().objects.keys() {
        trial.sample.bucket.remove_raw(key);
        let case = format!("{key} removed");
        assert!(!trial.judge(&case).complaints.is_empty(), "{case}: nobody noticed");
        trial.sample.restore();
    }
}

#[test]
fn a_valid_object_of_another_volume_is_refused_in_any_place_of_its_kind() {
    let trial = Trial::new();
    let other = Sample::new();
    for kind in ["volume", "log/", "tree/", "data/"] {
        for (to, from) in trial.sample.keys(kind).iter().zip(other.keys(kind)) {
            let foreign = other.object(&from).to_vec();
            trial.must_notice(to, foreign, &format!("the other volume's {from} in place of {to}"));
        }
    }
}

#[test]
fn objects_of_another_volume_beside_our_own_change_nothing() {
    let trial = Trial::new();
    let other = Sample::new();
    for key in other.keys("tree/").into_iter().chain(other.keys("data/")) {
        trial.sample.bucket.overwrite_raw(&key, other.object(&key));
    }
    trial.sample.bucket.overwrite_raw("holiday.jpg", &b"not ours"[..]);
    let verdict = trial.judge("objects of another volume planted");
    assert_eq!(verdict.complaints, Vec::<String>::new());
}

#[test]
fn another_volume_in_the_place_of_a_known_one_is_refused_before_a_key_is_tried() {
    let trial = Trial::new();
    let other = Sample::new();
    trial.sample.bucket.restore(&other.now().objects);
    let verdict = trial.judge("the whole bucket replaced by another volume");
    let refusal = verdict.refusal.expect("it is refused");
    assert!(
        matches!(refusal, crate::machine::Refusal::Local(hushfs::keyring::LocalError::AnotherVolume { .. })),
        "{refusal}"
    );
}
