//! tar with all metadata, into the mount and out of it.

use std::fs;

use crate::programs::{assert_same, shell};
use crate::{mounted, tree};

#[test]
fn tar_brings_everything_in_and_out() {
    const TAR: &str = "
        tar --create --format=posix --sparse --acls --xattrs --xattrs-include='*' --numeric-owner . |
            tar --extract --directory=\"$1\" --preserve-permissions --same-owner --acls --xattrs --xattrs-include='*' \
                --numeric-owner";
    let home = mounted();
    let tree = tree::make(&home);
    // tar does not archive sockets.
    fs::remove_file(tree.join("special/socket")).unwrap();
    let (inside, outside) = (home.mount().join("inside"), home.path("outside"));
    fs::create_dir(&inside).unwrap();
    shell(&tree, TAR, &[&inside]);
    home.move_to_new_machine();
    assert_same(&tree, &inside);
    fs::create_dir(&outside).unwrap();
    shell(&inside, TAR, &[&outside]);
    assert_same(&tree, &outside);
    home.unmount();
}
