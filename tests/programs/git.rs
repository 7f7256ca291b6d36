//! git: a clone with a history, work in it, and collecting its garbage.

use std::fs;
use std::path::Path;

use crate::cli::Home;
use crate::mounted;
use crate::programs::run;

fn git(home: &Home, folder: &Path, arguments: &[&str]) -> String {
    let mut git = std::process::Command::new("git");
    home.settle(&mut git);
    // Outside of whatever repository a hook that runs the tests belongs to.
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        git.env_remove(variable);
    }
    run(git.env("GIT_CONFIG_NOSYSTEM", "1").current_dir(folder).args(arguments))
}

#[test]
fn git_clones_works_collects_and_finds_nothing_wrong() {
    let home = mounted();
    let settings = "[user]\nname = A\nemail = a@b\n[safe]\ndirectory = *\n[advice]\ndetachedHead = false\n";
    fs::write(home.path(".gitconfig"), settings).unwrap();
    let clone = home.mount().join("clone");
    git(&home, &home.mount(), &["clone", "--quiet", "--no-hardlinks", env!("CARGO_MANIFEST_DIR"), "clone"]);
    assert_eq!(git(&home, &clone, &["status", "--porcelain"]), "");
    git(&home, &clone, &["switch", "--quiet", "--create", "work"]);
    for number in 0..10 {
        fs::write(clone.join(format!("new {number}")), format!("{number}\n").repeat(1000)).unwrap();
        git(&home, &clone, &["add", "--all"]);
        git(&home, &clone, &["commit", "--quiet", "--message", &number.to_string()]);
    }
    git(&home, &clone, &["checkout", "--quiet", "HEAD~10"]);
    assert!(!clone.join("new 0").exists());
    git(&home, &clone, &["checkout", "--quiet", "work"]);
    git(&home, &clone, &["gc", "--quiet", "--prune=now"]);
    git(&home, &clone, &["fsck", "--strict", "--full"]);
    let head = git(&home, &clone, &["rev-parse", "HEAD"]);
    home.move_to_new_machine();
    assert_eq!(git(&home, &clone, &["status", "--porcelain"]), "");
    assert_eq!(git(&home, &clone, &["rev-parse", "HEAD"]), head);
    git(&home, &clone, &["fsck", "--strict", "--full"]);
    assert_eq!(fs::read_to_string(clone.join("new 9")).unwrap(), "9\n".repeat(1000));
    home.unmount();
}
