//! The disk image of a virtual machine: small writes all over a large file, and every block of it verified (fio).

use std::process::Command;

use crate::cli::Home;
use crate::mounted;
use crate::programs::run;

/// Writes each block of an image once, in random order, or looks at them again.
fn fio(home: &Home, how: &[&str], look: bool) {
    let image = format!("--filename={}", home.mount().join("image").display());
    let mut fio = Command::new("fio");
    fio.args(["--name=image", "--size=24M", "--bs=4k", "--rw=randwrite", "--randseed=20"])
        .arg(image)
        .args(how);
    // The blocks carry sums, and numbers by which an older one of the same place is told.
    fio.args(["--verify=crc32c", "--verify_fatal=1", "--verify_state_save=0", "--fallocate=none"]);
    run(fio.current_dir(home.path("")).arg(if look { "--verify_only=1" } else { "--do_verify=0" }));
}

fn image_survives(how: &[&str]) {
    let home = mounted();
    fio(&home, how, false);
    fio(&home, how, true);
    home.move_to_new_machine();
    fio(&home, how, true);
    home.unmount();
}

#[test]
fn an_image_written_past_the_page_cache_is_what_was_written() {
    image_survives(&["--ioengine=psync", "--direct=1"]);
}

#[test]
fn an_image_written_through_the_page_cache_with_syncs_is_what_was_written() {
    image_survives(&["--ioengine=psync", "--fsync=256"]);
}

#[test]
fn an_image_written_by_many_at_a_time_is_what_was_written() {
    image_survives(&["--ioengine=libaio", "--iodepth=16", "--direct=1"]);
}

#[test]
fn an_image_written_through_a_map_is_what_was_written() {
    image_survives(&["--ioengine=mmap"]);
}
