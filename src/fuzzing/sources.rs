//! No decoder is forgotten: the sources are searched for functions that look like one.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::targets;

/// Names of functions that take untrusted bytes apart begin like this …
const PREFIXES: [&str; 4] = ["decode", "parse", "decompress", "unescape"];
/// … or are these. `from_str` is FromStr's.
const NAMES: [&str; 10] = [
    "from_byte",
    "from_hex",
    "from_str",
    "from_xattr",
    "receive",
    "repeats",
    "extent_of",
    "unquote",
    "region_of",
    "may_name",
];
/// A library's decoder in place of our own.
const CALLS: [&str; 3] = ["serde_json::from_str", "serde_json::from_slice", "serde_json::from_reader"];

/// What looks like a decoder and needs no target, and why.
const EXCEPTIONS: [(&str, &str); 3] = [
    ("object/s3/configuration.rs: region_of", "reads our own configuration"),
    ("object/s3/get.rs: receive", "collects a body and takes nothing apart; tests/hostile_s3 has the bodies"),
    ("volume/fsck/records.rs: decoded", "words for an error of the records' decoders"),
];

fn collect(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            search(&path, found);
        }
    }
}

fn search(path: &Path, found: &mut BTreeSet<String>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
    if ["tests", "fuzzing", "_vectors", "second_implementation"].iter().any(|test| name.contains(test)) {
        return;
    }
    let text = fs::read_to_string(path).unwrap();
    let code = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]"));
    for line in code.map(str::trim_start).filter(|line| !line.starts_with("//")) {
        found.extend(decoder(line).map(|decoder| format!("{name}: {decoder}")));
    }
}

/// The decoder that a line of code defines or calls.
fn decoder(line: &str) -> Option<&str> {
    if let Some(call) = CALLS.iter().find(|call| line.contains(**call)) {
        return call.strip_prefix("serde_json::");
    }
    let (before, rest) = line.split_once("fn ")?;
    let defines = before.is_empty() || before.ends_with(' ');
    let name = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next()?;
    let looks = PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || NAMES.contains(&name);
    (defines && looks).then_some(name)
}

#[test]
fn every_decoder_has_a_target() {
    let mut found = BTreeSet::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 50, "only {} decoders were found", found.len());
    let covered: BTreeSet<&str> = targets().flat_map(|target| target.decoders).copied().collect();
    let excepted: BTreeSet<&str> = EXCEPTIONS.iter().map(|(decoder, _)| *decoder).collect();
    let forgotten: Vec<&String> = found
        .iter()
        .filter(|decoder| !covered.contains(decoder.as_str()) && !excepted.contains(decoder.as_str()))
        .collect();
    assert!(forgotten.is_empty(), "no fuzz target (src/*/fuzzing.rs) runs {forgotten:#?}");
}

#[test]
fn every_decoder_that_a_target_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for decoder in targets().flat_map(|target| target.decoders) {
        let (file, name) = decoder.split_once(": ").unwrap();
        let text = fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{decoder}: {error}"));
        let there = [format!("fn {name}("), format!("fn {name}<"), format!("serde_json::{name}")];
        assert!(there.iter().any(|definition| text.contains(definition)), "{decoder} is gone");
    }
}

#[test]
fn the_search_sees_definitions_and_calls_and_nothing_else() {
    assert_eq!(decoder("pub(super) fn decode(bytes: &[u8]) -> Self {"), Some("decode"));
    assert_eq!(decoder("fn decode_keys<'a>("), Some("decode_keys"));
    assert_eq!(decoder("match serde_json::from_str(&line) {"), Some("from_str"));
    assert_eq!(decoder("let x = decode(bytes)?;"), None);
    assert_eq!(decoder("fn encode(&self) {"), None);
}
