//! Memory maps.

use std::fs;

use crate::mounted;
use crate::programs::{python, run};

#[test]
fn what_is_written_through_a_map_is_read_by_others_and_kept() {
    let home = mounted();
    let file = home.mount().join("mapped");
    python("mmap_file.py", &["write".as_ref(), &file]);
    home.move_to_new_machine();
    python("mmap_file.py", &["check".as_ref(), &file]);
    home.unmount();
}

/// Found with generic/451 of xfstests: the kernel drops its pages before such a write, not after it.
#[test]
fn a_read_after_a_direct_write_by_aio_sees_it_whoever_read_meanwhile() {
    let home = mounted();
    python("direct_aio.py", &[&home.mount().join("file")]);
    home.unmount();
}

/// The kernel does not ask for a commit after a synced write that it did not wait for.
#[test]
fn what_aio_wrote_with_o_dsync_survives_the_end_of_the_mount() {
    let home = mounted();
    let file = home.mount().join("file");
    python("direct_aio.py", &[&file, "synced".as_ref()]);
    let pid = home.status()["pid"].to_string();
    run(std::process::Command::new("kill").args(["-s", "KILL", &pid]));
    home.hushfs(["unmount", &home.mount_str()]).expect(0);
    home.forget();
    home.mounted();
    assert!(fs::read(&file).unwrap() == vec![1; 640 * 1024]);
    home.unmount();
}

#[test]
fn a_program_runs_from_the_mount() {
    let home = mounted();
    let program = home.mount().join("program");
    fs::copy("/bin/true", &program).unwrap();
    assert!(std::process::Command::new(&program).status().unwrap().success());
    let busy = std::process::Command::new(&program).env("PATH", "").status();
    assert!(busy.unwrap().success());
    home.move_to_new_machine();
    assert!(std::process::Command::new(&program).status().unwrap().success());
    home.unmount();
}
