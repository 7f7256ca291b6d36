//! A Rust project that is built where it lies.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::mounted;
use crate::programs::run;

/// Runs cargo in the project without the settings of the cargo that runs this test. Gives back what it said.
fn cargo(project: &Path, arguments: &[&str]) -> String {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let ours = text.starts_with("CARGO") || text.starts_with("RUSTC") || text.starts_with("RUSTFLAGS");
        if ours && text != "CARGO_HOME" {
            cargo.env_remove(&name);
        }
    }
    // What cargo says of its steps goes to standard error.
    let script = "exec \"$0\" \"$@\" 2>&1";
    let program = cargo.get_program().to_owned();
    let mut shell = Command::new("sh");
    for (name, value) in cargo.get_envs() {
        assert!(value.is_none());
        shell.env_remove(name);
    }
    shell.current_dir(project).env("CARGO_TERM_COLOR", "never");
    run(shell.args(["-c", script]).arg(program).args(arguments).arg("--offline"))
}

#[test]
fn cargo_builds_tests_and_knows_what_it_has_built() {
    let home = mounted();
    let project = home.mount().join("project");
    fs::create_dir_all(project.join("src")).unwrap();
    let manifest = "[package]\nname = \"small\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
    let library = "pub fn answer() -> u32 { 41 }\n\n#[test]\nfn it_is() { assert_eq!(answer(), 42) }\n";
    fs::write(project.join("Cargo.toml"), manifest).unwrap();
    fs::write(project.join("src/lib.rs"), library).unwrap();
    fs::write(project.join("src/main.rs"), "fn main() { println!(\"{}\", small::answer()) }\n").unwrap();

    let compiled = |said: &str| said.contains("Compiling small");
    assert!(compiled(&cargo(&project, &["build"])));
    assert_eq!(run(&mut Command::new(project.join("target/debug/small"))), "41\n");
    let again = cargo(&project, &["build", "--verbose"]);
    assert!(again.contains("Fresh small") && !compiled(&again), "{again}");
    fs::write(project.join("src/lib.rs"), library.replace("41", "42")).unwrap();
    assert!(compiled(&cargo(&project, &["build"])), "the change was not seen");
    assert_eq!(run(&mut Command::new(project.join("target/debug/small"))), "42\n");
    let tested = cargo(&project, &["test"]);
    assert!(tested.contains("test it_is ... ok"), "{tested}");

    home.move_to_new_machine();
    let moved = cargo(&project, &["build", "--verbose"]);
    assert!(moved.contains("Fresh small") && !compiled(&moved), "{moved}");
    assert_eq!(run(&mut Command::new(project.join("target/debug/small"))), "42\n");
    home.unmount();
}
