//! The corpora under fuzz/corpus/, run as ordinary tests: what was found once stays found.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use allocation_counter::measure;

use super::targets;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn inputs(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = repository().join("fuzz/corpus").join(target);
    let paths = names(&folder).into_iter().map(|name| folder.join(name));
    paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn every_input_that_was_ever_of_interest_still_keeps_every_promise_within_its_memory() {
    for target in targets() {
        // What a target makes once and keeps does not count.
        (target.run)(&[]);
        (target.run)(&[0; 9]);
        let inputs = inputs(target.name);
        assert!(!inputs.is_empty(), "{} has no corpus", target.name);
        for (path, bytes) in inputs {
            let cost = measure(|| (target.run)(&bytes)).bytes_max;
            let allowed = target.allowed(bytes.len());
            assert!(cost <= allowed, "{} cost {cost} bytes at a time, {allowed} are allowed", path.display());
        }
    }
}

#[test]
fn each_target_is_a_fuzzer_with_a_corpus_and_nothing_else_is() {
    let known: BTreeSet<String> = targets().map(|target| target.name.to_owned()).collect();
    assert_eq!(known.len(), targets().count(), "two targets share a name");
    assert_eq!(names(&repository().join("fuzz/corpus")), known);
    let manifest = fs::read_to_string(repository().join("fuzz/Cargo.toml")).unwrap();
    let (_, fuzzers) = manifest.split_once("[[bin]]").unwrap();
    let fuzzers = fuzzers.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    assert_eq!(fuzzers.map(str::to_owned).collect::<BTreeSet<_>>(), known);
}

#[test]
fn the_corpora_stay_small() {
    let bytes: usize = targets().flat_map(|target| inputs(target.name)).map(|(_, bytes)| bytes.len()).sum();
    assert!(bytes < 96 << 10, "{bytes} bytes are more than a repository wants; leave out what adds nothing");
}
