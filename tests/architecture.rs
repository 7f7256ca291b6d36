//! The layers hold: imports only go down, foreign crates stay where they belong, files stay small.
//!
//! Works on the text of src/: what is imported by `use crate::…` or named by a path `crate::…`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What each layer may import besides itself.
const ALLOWED: [(&str, &[&str]); 17] = [
    ("base", &[]),
    // For tests and fuzzers, which see every layer: nothing of it is in the program.
    ("fuzzing", &[]),
    ("object", &["base"]),
    ("crypto", &["base"]),
    // The settings name the server's encryption, the vault derives its customer keys: types of object/, no requests.
    ("keyring", &["crypto", "object", "base"]),
    // Keys that are kept elsewhere: they wrap a slot's secret and know nothing of volumes.
    ("kms", &["crypto", "object", "base"]),
    ("age_keys", &["crypto", "base"]),
    // Places that keep a secret for a volume, and do not know what it is.
    ("desktop_keys", &["crypto", "base"]),
    ("kernel_keys", &["crypto", "base"]),
    ("vault", &["keyring", "crypto", "object", "base"]),
    ("meta", &["vault", "object", "base"]),
    // data/ stores what meta::record describes, and knows nothing else of the tree.
    ("data", &["meta::record", "vault", "object", "base"]),
    ("commit_log", &["vault", "object", "base"]),
    ("volume", &["commit_log", "meta", "data", "vault", "object", "base"]),
    ("fs", &["volume", "data", "meta", "object", "base"]),
    ("fuse", &["fs", "volume", "base"]),
    (
        "cli",
        &[
            "fuse",
            "fs",
            "volume",
            "data",
            "vault",
            "keyring",
            "kms",
            "age_keys",
            "desktop_keys",
            "kernel_keys",
            "crypto",
            "object",
            "base",
        ],
    ),
];

/// Crates that only one part of the source may name.
const HOMES: [(&str, &[&str]); 15] = [
    ("fuser", &["fuse/"]),
    ("aws_sdk_s3", &["object/s3"]),
    ("aws_config", &["object/s3", "kms/"]),
    ("aws_sdk_kms", &["kms/"]),
    ("age", &["age_keys/"]),
    ("secret_service", &["desktop_keys/"]),
    ("zbus", &["desktop_keys/"]),
    ("linux_keyutils", &["kernel_keys/"]),
    ("aws_smithy", &["object/s3"]),
    ("hyper", &["object/s3/transport"]),
    ("hyper_util", &["object/s3/transport"]),
    ("rustls", &["object/s3/transport"]),
    ("tokio_rustls", &["object/s3/transport"]),
    ("tower_service", &["object/s3/transport"]),
    ("anyhow", &["cli/"]),
];

const MAX_LINES: usize = 800;

struct SourceFile {
    /// Relative to src/.
    path: String,
    /// The lines before the tests, without comments.
    code: Vec<String>,
    lines: usize,
}

fn sources() -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    collect(&root, &mut found);
    assert!(found.len() > 50, "only {} files found below {}", found.len(), root.display());
    found.into_iter().map(|path| read(&root, &path)).collect()
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn read(root: &Path, path: &Path) -> SourceFile {
    let text = fs::read_to_string(path).unwrap();
    let path = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
    let is_test = path.contains("/tests/")
        || path.ends_with("tests.rs")
        || path.contains("fuzzing")
        || path.ends_with("_vectors.rs")
        || path.ends_with("second_implementation.rs");
    let code = text
        .lines()
        .take_while(|line| !is_test && !line.trim_start().starts_with("#[cfg(test)]"))
        .map(|line| line.split("//").next().unwrap_or_default().to_owned())
        .collect();
    SourceFile { path, code, lines: text.lines().count() }
}

impl SourceFile {
    fn layer(&self) -> Option<&str> {
        self.path.split_once('/').map(|(layer, _)| layer)
    }

    /// Every `a::b` after `crate::`, braces expanded: `crate::meta::{key, record}` gives both.
    fn imports(&self) -> Vec<String> {
        let text = self.code.join(" ");
        let mut imports = Vec::new();
        for (at, _) in text.match_indices("crate::") {
            // Not the end of a longer path, and not a macro's $crate.
            if at > 0 && text.as_bytes()[at - 1] != b' ' && text.as_bytes()[at - 1].is_ascii_alphanumeric() {
                continue;
            }
            imports.extend(expand(&text[at + "crate::".len()..]));
        }
        imports
    }
}

/// The first two words of a path, for each alternative of a brace group.
fn expand(rest: &str) -> Vec<String> {
    if let Some(group) = rest.strip_prefix('{') {
        return split_group(group).into_iter().flat_map(expand).collect();
    }
    let first = word(rest);
    let Some(rest) = rest[first.len()..].strip_prefix("::") else { return vec![first.to_owned()] };
    let inner = match rest.strip_prefix('{') {
        Some(group) => split_group(group).into_iter().map(|part| word(part).to_owned()).collect(),
        None => vec![word(rest).to_owned()],
    };
    inner.into_iter().map(|second| format!("{first}::{second}")).collect()
}

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// The alternatives at the top level of a group whose opening brace is gone.
fn split_group(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                parts.push(group[start..at].trim());
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(group[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

fn report(problems: &[String]) {
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn imports_only_go_down() {
    let allowed: BTreeMap<_, _> = ALLOWED.into_iter().collect();
    let mut problems = Vec::new();
    for file in sources() {
        let Some(layer) = file.layer() else { continue };
        let Some(below) = allowed.get(layer) else {
            problems.push(format!("{}: the layer {layer} is not in the table", file.path));
            continue;
        };
        for import in file.imports() {
            let target = import.split("::").next().unwrap_or_default();
            let fine = target == layer
                || below.contains(&target)
                || below.iter().any(|narrow| narrow.contains("::") && import == *narrow)
                || !allowed.contains_key(target);
            if !fine {
                problems.push(format!("{}: {layer} may not import crate::{import}", file.path));
            }
        }
    }
    report(&problems);
}

#[test]
fn foreign_crates_stay_where_they_belong() {
    let mut problems = Vec::new();
    for file in sources() {
        for (name, homes) in HOMES {
            let at_home = homes.iter().any(|home| file.path.starts_with(home));
            let named = file.code.iter().any(|line| !line.contains('"') && names_crate(line, name));
            if named && !at_home {
                problems.push(format!("{} names the crate {name}", file.path));
            }
        }
    }
    report(&problems);
}

fn names_crate(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = &line[at + name.len()..];
        before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '"' && c != '=')
            // A family of crates has one home, but our own age_keys is no crate of age's.
            && (after.starts_with("::") || (after.starts_with('_') && name != "age") || after.starts_with(';'))
    })
}

#[test]
fn nothing_is_unsafe_unwrapped_or_left_to_do() {
    let banned =
        ["unsafe ", ".unwrap()", "todo!(", "unimplemented!(", "map_err(|_| ", "dbg!(", "#[allow(unsafe"];
    let mut problems = Vec::new();
    for file in sources() {
        for (number, line) in file.code.iter().enumerate() {
            // In a constant it is the compiler that panics.
            if line.trim_start().starts_with("const ") || line.trim_start().starts_with("pub const ") {
                continue;
            }
            for word in banned.iter().filter(|word| line.contains(**word)) {
                problems.push(format!("{}:{}: {word}", file.path, number + 1));
            }
        }
    }
    report(&problems);
}

#[test]
fn whole_objects_are_asked_for_with_a_bound() {
    let mut problems = Vec::new();
    for file in sources().iter().filter(|file| !file.path.starts_with("object/")) {
        for (number, line) in file.code.iter().enumerate() {
            if line.contains("bucket.get(") && line.contains(", None)") {
                problems.push(format!("{}:{}: use object::get_at_most", file.path, number + 1));
            }
        }
    }
    report(&problems);
}

/// docs/threat-model.md names the tests that prove what it promises.
#[test]
fn every_test_that_the_threat_model_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("docs/threat-model.md")).unwrap();
    let (_, table) = document.split_once("### The tests that prove it").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| ") && line.contains('`')).collect();
    assert!(rows.len() >= 15, "{} attacks", rows.len());
    let mut files = Vec::new();
    collect(&root.join("src"), &mut files);
    collect(&root.join("tests"), &mut files);
    let code: String = files.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    // Names stand between backticks: every second part.
    let names = rows.iter().flat_map(|row| row.split('`').skip(1).step_by(2));
    let missing = names.filter(|name| !code.contains(&format!("fn {name}(")));
    report(&missing.map(|name| format!("no test is called {name}")).collect::<Vec<_>>());
}

#[test]
fn files_stay_small_and_say_what_they_are_for() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut problems = Vec::new();
    for file in sources() {
        if file.lines > MAX_LINES {
            problems.push(format!("{} has {} lines, more than {MAX_LINES}", file.path, file.lines));
        }
        let text = fs::read_to_string(root.join(&file.path)).unwrap();
        if !text.starts_with("//!") && !file.path.contains("tests") {
            problems.push(format!("{} does not begin with its purpose", file.path));
        }
    }
    report(&problems);
}

/// The null cipher of scripts/bench is a feature of its own that nothing turns on, and that few places know.
#[test]
fn an_ordinary_build_has_no_null_cipher() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let (_, features) = manifest.split_once("\n[features]\n").unwrap();
    let features = features.split("\n[").next().unwrap();
    let lines: Vec<&str> = features.lines().filter(|line| line.contains("null-cipher")).collect();
    assert_eq!(lines, ["null-cipher = []"], "no other feature, and no default, may turn it on");
    for line in manifest.lines().filter(|line| line.contains("null-cipher")) {
        assert!(line == "null-cipher = []", "{line}");
    }
    let mut named: Vec<String> = Vec::new();
    for file in sources() {
        let text = fs::read_to_string(root.join("src").join(&file.path)).unwrap();
        if text.contains("feature = \"null-cipher\"") {
            named.push(file.path);
        }
    }
    named.sort();
    assert_eq!(named, ["cli/mod.rs", "crypto/mod.rs", "crypto/suite.rs"]);
    let program = fs::read(env!("CARGO_BIN_EXE_hushfs")).unwrap();
    for word in ["HUSHFS_NULL_CIPHER", "nothing-is-encrypted", "THIS BUILD ENCRYPTS NOTHING"] {
        assert!(!program.windows(word.len()).any(|part| part == word.as_bytes()), "the program holds {word}");
    }
}

#[test]
fn the_import_parser_sees_through_braces() {
    let parts = expand("meta::{key, record::{ChunkRef, SegmentRecord}};");
    assert_eq!(parts, ["meta::key", "meta::record"]);
    assert_eq!(expand("object::Bucket;"), ["object::Bucket"]);
    assert_eq!(expand("{base::Ino, data::DataStore};"), ["base::Ino", "data::DataStore"]);
}
