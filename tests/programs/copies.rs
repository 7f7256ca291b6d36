//! cp and dd.

use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::mounted;
use crate::programs::shell;

#[test]
fn cp_reflink_moves_no_data() {
    let home = mounted();
    shell(&home.mount(), "head -c 32M /dev/urandom >original; head -c 12345 /dev/urandom >>original", &[]);
    home.sync();
    let before = home.status()["requests"]["bytes_up"].as_u64().unwrap();
    shell(&home.mount(), "cp --reflink=auto original copy; cmp original copy", &[]);
    home.sync();
    let spent = home.status()["requests"]["bytes_up"].as_u64().unwrap() - before;
    assert!(spent < 1 << 20, "{spent} bytes went up for a copy of what is there");
    shell(&home.mount(), "echo changed | dd of=original conv=notrunc status=none", &[]);
    home.move_to_new_machine();
    shell(
        &home.mount(),
        "cmp --ignore-initial=8 original copy; ! cmp --silent original copy; rm original",
        &[],
    );
    assert_eq!(fs::read(home.mount().join("copy")).unwrap().len(), (32 << 20) + 12345);
    home.unmount();
}

#[test]
fn cp_sparse_makes_holes_and_keeps_them() {
    let home = mounted();
    let source = home.path("zeros");
    shell(&home.path(""), "head -c 32M /dev/zero >zeros; echo end >>zeros; truncate -s 64M zeros", &[]);
    shell(&home.mount(), "cp --sparse=always \"$1\" holes; cp --sparse=auto holes again", &[&source]);
    home.move_to_new_machine();
    for name in ["holes", "again"] {
        let copy = home.mount().join(name);
        assert!(copy.metadata().unwrap().blocks() * 512 <= 256 << 10, "{name}: {:?}", copy.metadata());
        shell(&home.mount(), "cmp \"$1\" \"$2\"", &[&copy, &source]);
    }
    home.unmount();
}

#[test]
fn dd_reads_and_writes_past_the_page_cache() {
    const SCRIPT: &str = r#"
        head -c 8M /dev/urandom >"$1"
        dd if="$1" of=direct oflag=direct bs=1M status=none
        cmp "$1" direct
        dd if=direct iflag=direct bs=64K status=none | cmp "$1" -
        # Direct writes into what the page cache holds, and buffered ones under a direct reader.
        for file in "$1" direct; do
            printf '%12288s' buffered | dd of="$file" bs=4096 seek=100 conv=notrunc status=none
        done
        printf '%12288s' direct >piece
        dd if=piece of="$1" bs=4096 seek=101 conv=notrunc status=none
        dd if=piece of=direct oflag=direct bs=4096 seek=101 conv=notrunc status=none
        dd if=direct iflag=direct bs=4096 status=none | cmp "$1" -
        cmp "$1" direct
    "#;
    let home = mounted();
    let reference = home.path("reference");
    shell(&home.mount(), SCRIPT, &[&reference]);
    home.move_to_new_machine();
    shell(&home.mount(), "dd if=direct iflag=direct bs=128K status=none | cmp \"$1\" -", &[&reference]);
    home.unmount();
}
