//! Damage that comes while the volume is mounted.

use crate::judge::{Trial, compare};

#[test]
fn a_mount_whose_bucket_is_damaged_under_it_shows_the_truth_or_eio() {
    let trial = Trial::new();
    let now = trial.sample.now();
    let mut complaints = 0;
    for (key, bytes) in &now.objects {
        let mut flipped = bytes.to_vec();
        flipped[bytes.len() / 2] ^= 1;
        let cut = bytes[..bytes.len() - 1].to_vec();
        let damages =
            [("flipped", Some(flipped)), ("cut", Some(cut)), ("emptied", Some(vec![])), ("removed", None)];
        for (what, damaged) in damages {
            let case = format!("{key} {what} while it is mounted");
            let opened = trial.open_read_only(&case);
            match damaged {
                Some(damaged) => trial.sample.bucket.overwrite_raw(key, damaged),
                None => drop(trial.sample.bucket.remove_raw(key)),
            }
            let found = trial.watch(&case, || compare(&opened.fs, &now.picture, &case));
            assert!(key.starts_with("data/") != found.is_empty(), "{case}: {found:?}");
            complaints += found.len();
            trial.sample.restore();
            // Nothing wrong was kept. The first look may still meet a read-ahead that met the damage.
            let heals = || (0..1000).any(|_| compare(&opened.fs, &now.picture, &case).is_empty());
            assert!(trial.watch(&case, heals), "{case}: errors stay when the damage is over");
        }
    }
    assert!(complaints >= 8, "each damaged segment was needed");
}
