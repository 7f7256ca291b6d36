//! Objects that became shorter or longer.

use hushfs::vault::HEADER_LEN;

use crate::judge::Trial;

/// Where frames of a sealed object end, by their own headers (docs/format.md, "Sealed objects").
fn frame_ends(object: &[u8]) -> Vec<usize> {
    let mut ends = vec![HEADER_LEN];
    let mut at = HEADER_LEN;
    while at < object.len() {
        let stored = u32::from_le_bytes(object[at + 4..at + 8].try_into().unwrap()) & 0x3fff_ffff;
        at += 8 + stored as usize + 16;
        ends.push(at);
    }
    assert_eq!(ends.last(), Some(&object.len()), "frames fill the object");
    ends
}

fn sealed(trial: &Trial) -> Vec<(String, Vec<usize>)> {
    let objects = trial.sample.now().objects.iter().filter(|(key, _)| *key != "volume");
    objects.map(|(key, bytes)| (key.clone(), frame_ends(bytes))).collect()
}

#[test]
fn an_object_cut_at_a_frame_boundary_is_noticed() {
    let trial = Trial::new();
    for (key, ends) in sealed(&trial) {
        for end in ends.iter().rev().skip(1) {
            let cut = trial.sample.object(&key)[..*end].to_vec();
            trial.must_notice(&key, cut, &format!("{key} cut at the frame boundary {end}"));
        }
    }
}

#[test]
fn an_object_cut_off_a_frame_boundary_is_noticed() {
    let trial = Trial::new();
    for (key, ends) in sealed(&trial) {
        let near = ends.iter().flat_map(|end| [end - 17, end - 16, end - 1, end + 1, end + 7, end + 8]);
        let len = trial.sample.object(&key).len();
        for end in near.chain([0, 1, 20, 64, 96]).filter(|end| *end < len) {
            let cut = trial.sample.object(&key)[..end].to_vec();
            trial.must_notice(&key, cut, &format!("{key} cut at {end}"));
        }
    }
}

#[test]
fn a_volume_header_cut_anywhere_is_refused() {
    let trial = Trial::new();
    let whole = trial.sample.object("volume");
    for end in 0..whole.len() {
        trial.must_notice("volume", whole[..end].to_vec(), &format!("volume cut at {end}"));
    }
}

#[test]
fn bytes_after_the_end_of_an_object_are_noticed() {
    let trial = Trial::new();
    for (key, bytes) in &trial.sample.now().objects {
        let frame = bytes[bytes.len() - 24..].to_vec();
        for (what, more) in [("a zero", vec![0]), ("a copy of its end", frame), ("noise", vec![0xa5; 5000])] {
            let longer = [&bytes[..], &more].concat();
            trial.must_notice(key, longer, &format!("{what} after the end of {key}"));
        }
    }
}

#[test]
fn an_object_repeated_within_itself_is_noticed() {
    let trial = Trial::new();
    for (key, ends) in sealed(&trial) {
        let bytes = trial.sample.object(&key);
        for pair in ends.windows(2) {
            // The frame twice, and the frame left out.
            let twice = [&bytes[..pair[1]], &bytes[pair[0]..]].concat();
            trial.must_notice(&key, twice, &format!("frame at {} of {key} twice", pair[0]));
            let without = [&bytes[..pair[0]], &bytes[pair[1]..]].concat();
            trial.must_notice(&key, without, &format!("frame at {} of {key} left out", pair[0]));
        }
        for three in ends.windows(3) {
            let (first, second) = (&bytes[three[0]..three[1]], &bytes[three[1]..three[2]]);
            let swapped = [&bytes[..three[0]], second, first, &bytes[three[2]..]].concat();
            trial.must_notice(&key, swapped, &format!("frames at {} of {key} swapped", three[0]));
        }
    }
}
