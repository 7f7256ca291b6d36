//! Real programs on a mount at default settings, as people use them. What they wrote is looked at again after an
//! unmount and a mount on a machine that knows nothing of the volume.
//!
//! Devices, foreign owners and `trusted.` attributes are part of the trees where the tests run as root, as in CI.

#[path = "../common/cli.rs"]
mod cli;
#[path = "../common/programs.rs"]
mod programs;

mod archives;
mod builds;
mod copies;
mod databases;
mod editors;
mod full_disk;
mod git;
mod images;
mod limits;
mod locks;
mod mail;
mod overlay;
mod packages;
mod pages;
mod rsync;
mod signals;
mod tree;
mod user;

/// A mounted volume of the test's own.
fn mounted() -> cli::Home {
    let home = cli::Home::with_volume();
    home.mounted();
    home
}
