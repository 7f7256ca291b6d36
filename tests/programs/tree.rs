//! A tree with one of everything that a filesystem can hold.

use std::path::PathBuf;

use crate::cli::Home;
use crate::programs::shell;

/// Makes the tree in the home, outside of the mount.
pub fn make(home: &Home) -> PathBuf {
    const SCRIPT: &str = r#"
        mkdir -p plain 'with spaces/and more' links sparse lists attributes odd special
        head -c 300000 /dev/urandom >plain/random
        seq -f 'a line that compresses: %.0f' 20000 >plain/text
        : >plain/empty
        for i in $(seq 200); do echo "$i" >"with spaces/and more/$i"; done

        echo shared >links/one; ln links/one links/two; ln links/one 'with spaces/three'
        ln -s ../plain/text links/good; ln -s nowhere links/dangling; ln -s "$(printf 'x%.0s' $(seq 4000))" links/long

        truncate -s 3G sparse/holes
        echo begin | dd of=sparse/holes conv=notrunc status=none
        echo middle | dd of=sparse/holes bs=1M seek=1500 conv=notrunc status=none
        truncate -s 100M sparse/nothing

        echo secret >lists/file; chmod 640 lists/file; setfacl -m u:4321:rw,g:8765:r,m::r lists/file
        mkdir lists/dir; setfacl -m d:u:4321:rwx,d:g::rx,u:4321:x lists/dir; echo inherits >lists/dir/child

        echo x >attributes/file; setfattr -n user.comment -v 'a value' attributes/file
        setfattr -n user.empty attributes/file; setfattr -n user.binary -v 0x00ff00 attributes/file
        setfattr -n user.large -v "$(printf 'v%.0s' $(seq 3000))" attributes/file; setfattr -n user.dir -v d attributes

        for name in $'new\nline' 'back\slash' '"quotes'\' '-rf' ' leading and trailing ' $'tab\t' '*?[' 'ünïcödé ☃' \
            $'\xff\xfe not utf-8' '...' "$(printf 'n%.0s' $(seq 255))"; do echo "$name" >odd/"$name"; done

        mkfifo special/fifo
        python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("special/socket")'
        echo s >special/set-id; chmod 6755 special/set-id; mkdir special/sticky; chmod 1777 special/sticky
        echo n >special/no-mode; chmod 000 special/no-mode
        if [ "$(id -u)" = 0 ]; then
            mknod special/null c 1 3; mknod special/block b 259 300; mknod special/high c 4095 1048575
            echo o >special/owned; chown 12345:54321 special/owned
            chown -h 1:2 links/good; setfattr -n trusted.overlay -v t attributes/file
        fi

        touch -d '1965-05-05 05:05:05.123456789 UTC' plain/empty
        touch -d '2155-01-01 00:00:00.000000001 UTC' plain/text
        touch -h -d '2001-02-03 04:05:06.700000000 UTC' links/dangling
        touch -d '2010-10-10 10:10:10.987654321 UTC' lists/dir odd
    "#;
    let tree = home.path("tree");
    std::fs::create_dir(&tree).unwrap();
    shell(&tree, SCRIPT, &[]);
    tree
}
