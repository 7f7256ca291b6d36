//! rsync, the way people make backups with it. Without `--modify-window=-1` it leaves the nanoseconds of directories
//! and links as they happen to be, on any filesystem.

use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::programs::{assert_same, assert_same_to_rsync, shell};
use crate::{mounted, tree};

#[test]
fn rsync_copies_everything_there_is() {
    let home = mounted();
    let tree = tree::make(&home);
    let copy = home.mount().join("copy");
    shell(&tree, "rsync -aHAXS --modify-window=-1 --numeric-ids ./ \"$1/\"", &[&copy]);
    assert_same(&tree, &copy);
    let holes = || copy.join("sparse/holes").metadata().unwrap();
    assert!(holes().blocks() * 512 < 1 << 20, "{} blocks: the hole was filled", holes().blocks());
    home.move_to_new_machine();
    assert_same(&tree, &copy);
    assert!(holes().blocks() * 512 < 1 << 20, "{} blocks: the hole was filled", holes().blocks());
    assert_eq!(
        shell(&tree, "rsync -aHAXSi --modify-window=-1 --numeric-ids ./ \"$1/\"", &[&copy]),
        "",
        "a second run copies again"
    );
    home.unmount();
}

#[test]
fn rsync_in_place_uploads_little_more_than_what_changed() {
    let home = mounted();
    let source = home.path("source");
    fs::create_dir(&source).unwrap();
    shell(&source, "head -c 32M /dev/urandom >image", &[]);
    shell(&source, "rsync -a --modify-window=-1 ./ \"$1/\"", &[&home.mount()]);
    home.sync();
    let uploaded = || home.status()["requests"]["bytes_up"].as_u64().unwrap();
    let before = uploaded();
    let change = "for at in 0 1000 5000 8191; do head -c 4096 /dev/urandom | dd of=image bs=4096 seek=$at conv=notrunc status=none; done
        head -c 10000 /dev/urandom >>image; touch -d '2020-01-01' image";
    shell(&source, change, &[]);
    shell(&source, "rsync -a --modify-window=-1 --inplace --no-whole-file ./ \"$1/\"", &[&home.mount()]);
    home.sync();
    let spent = uploaded() - before;
    assert!(spent < 2 << 20, "{spent} bytes went up");
    home.move_to_new_machine();
    assert_same(&source, &home.mount());
    home.unmount();
}

#[test]
fn rsync_link_dest_makes_backups_that_share_what_did_not_change() {
    let home = mounted();
    let source = home.path("source");
    fs::create_dir(&source).unwrap();
    shell(&source, "for i in $(seq 50); do echo $i >$i; done; mkdir d; echo e >d/e", &[]);
    let (monday, tuesday) = (home.mount().join("monday"), home.mount().join("tuesday"));
    shell(
        &source,
        "rsync -aHAX --modify-window=-1 ./ \"$1/\"; cp -a . \"$2\"",
        &[&monday, &home.path("as on monday")],
    );
    shell(&source, "echo changed >7; rm 8; echo new >new", &[]);
    shell(&source, "rsync -aHAX --modify-window=-1 --delete --link-dest=../monday ./ \"$1/\"", &[&tuesday]);
    home.move_to_new_machine();
    assert_same_to_rsync(&source, &tuesday);
    let ino = |path: &std::path::Path| path.metadata().unwrap().ino();
    for name in ["1", "50", "d/e"] {
        assert_eq!(ino(&monday.join(name)), ino(&tuesday.join(name)), "{name} was copied");
        assert_eq!(monday.join(name).metadata().unwrap().nlink(), 2);
    }
    assert_ne!(ino(&monday.join("7")), ino(&tuesday.join("7")));
    fs::remove_dir_all(&tuesday).unwrap();
    assert_same(&home.path("as on monday"), &monday);
    home.unmount();
}
