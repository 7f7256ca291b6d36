//! Locks and appends among processes.

use std::fs;
use std::process::Command;

use crate::mounted;
use crate::programs::python;

#[test]
fn flock_and_fcntl_locks_keep_processes_apart() {
    let home = mounted();
    python("locks.py", &[&home.mount()]);
    home.unmount();
}

#[test]
fn lines_appended_by_several_processes_stay_whole() {
    const WRITERS: usize = 4;
    const LINES: usize = 500;
    let home = mounted();
    let log = home.mount().join("log");
    let script = "for i in $(seq $2); do printf '%s %s %060d\\n' \"$3\" $i $i >>\"$1\"; done";
    let mut writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let arguments = [LINES.to_string(), format!("writer{writer}")];
            Command::new("bash").args(["-c", script, "bash"]).arg(&log).args(arguments).spawn().unwrap()
        })
        .collect();
    for writer in &mut writers {
        assert!(writer.wait().unwrap().success());
    }
    home.move_to_new_machine();
    let text = fs::read_to_string(&log).unwrap();
    for writer in 0..WRITERS {
        let prefix = format!("writer{writer} ");
        let own: Vec<_> = text.lines().filter(|line| line.starts_with(&prefix)).collect();
        let wanted: Vec<_> = (1..=LINES).map(|i| format!("{prefix}{i} {i:060}")).collect();
        assert_eq!(own, wanted);
    }
    assert_eq!(text.lines().count(), WRITERS * LINES);
    home.unmount();
}

#[test]
fn a_lock_of_a_process_that_dies_is_free_again() {
    let home = mounted();
    let file = home.mount().join("lock");
    let mut holder =
        Command::new("flock").arg("--no-fork").arg(&file).args(["sleep", "600"]).spawn().unwrap();
    let held = || !Command::new("flock").arg("--nonblock").arg(&file).arg("true").status().unwrap().success();
    while !held() {
        std::thread::yield_now();
    }
    holder.kill().unwrap();
    assert!(!holder.wait().unwrap().success());
    assert!(!held());
    home.unmount();
}
