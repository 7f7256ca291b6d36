//! Running other people's programs, and comparing trees with them.

// Each test binary uses its part of this.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs a program to its end, insists on its success and returns what it printed.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\nout: {out}\nerr: {err}", output.status);
    out.into_owned()
}

/// Runs a Bash script in a folder, with `arguments` as its `$1`, `$2`, …
pub fn shell(folder: &Path, script: &str, arguments: &[&Path]) -> String {
    let mut bash = Command::new("bash");
    bash.current_dir(folder).env("LC_ALL", "C").args(["-euo", "pipefail", "-c", script, "bash"]);
    run(bash.args(arguments))
}

/// A Python script of `tests/programs`.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(name)
}

/// Runs one.
pub fn python(name: &str, arguments: &[&Path]) -> String {
    run(Command::new("python3").arg(script(name)).args(arguments))
}

/// Insists that two trees are the same to rsync, find, getfacl and getfattr.
pub fn assert_same(one: &Path, two: &Path) {
    assert_same_to_rsync(one, two);
    let (one, two) = (census(one), census(two));
    let first = one.lines().zip(two.lines()).find(|(one, two)| one != two);
    assert!(one == two, "the first difference is {first:?}");
}

/// Insists that rsync, looking at every byte and attribute, sees no difference.
pub fn assert_same_to_rsync(one: &Path, two: &Path) {
    let difference = shell(
        one,
        "rsync -aHAXSc --modify-window=-1 --delete --numeric-ids --dry-run --itemize-changes ./ \"$1/\"",
        &[two],
    );
    assert_eq!(difference, "", "{} and {} differ", one.display(), two.display());
}

/// Every entry of a tree with all its attributes, as find, getfacl and getfattr tell them.
fn census(folder: &Path) -> String {
    const SCRIPT: &str = r#"
        find . -mindepth 1 \( -type d -printf '%P %y %m %U %G %T@\n' -o -printf '%P %y %m %U %G %n %s %T@ %l\n' \) | sort
        find . -type b,c -exec stat -c '%n %t %T' {} + | sort
        find . -print0 | sort -z | xargs -0 getfacl --physical --numeric --
        find . -print0 | sort -z | xargs -0 getfattr --no-dereference --dump --match=- -e hex --
    "#;
    shell(folder, SCRIPT, &[])
}
