//! A mount of somebody who is not root, with what Debian's fuse3 brings. Becomes other users: needs root.

use std::fs;
use std::os::unix::fs::chown;

use crate::cli::Home;
use crate::programs::shell;

const USER: u32 = 65_534;

/// In a namespace of its own, where /etc/fuse.conf is what the test wants, and which takes all mounts along when
/// it ends.
const NAMESPACE: &str = r#"exec unshare --mount --propagation private bash -euo pipefail -c "$2" bash "$1""#;

const COMMON: &str = r#"
    cd "$1"
    as() { setpriv --reuid "$1" --regid "$1" --clear-groups -- "${@:2}"; }
    user() { as 65534 env "${environment[@]}" "$@"; }
    environment=(HOME="$PWD" XDG_DATA_HOME="$PWD/data" XDG_STATE_HOME="$PWD/state" XDG_CACHE_HOME="$PWD/cache" \
        XDG_RUNTIME_DIR="$PWD/run")
    other() { as 65533 "$@"; }
    refused() { if "$@" >said 2>&1; then echo "not refused: $*" >&2; exit 1; fi; }
    : >fuse.conf
    mount --bind fuse.conf /etc/fuse.conf
    # As udev makes it, which not every container has.
    if ! as 65534 test -w /dev/fuse; then
        mknod -m 666 fuse c 10 229
        mount --bind fuse /dev/fuse
    fi
    hushfs=(user ./hushfs)
    source=(--passphrase-file pass "file://$PWD/bucket")
    "${hushfs[@]}" init --kdf minimum "${source[@]}" >/dev/null
"#;

const OWN: &str = r#"
    "${hushfs[@]}" mount "${source[@]}" mount
    grep -q ' fuse.hushfs rw,nosuid,nodev,.*user_id=65534' /proc/mounts
    user bash -euc 'cd mount; mkdir -p a/b; echo mine >a/file; chmod 640 a/file; ln a/file a/link; mv a/file a/b/
        ln -s b/file a/symlink; mkfifo a/pipe; setfattr -n user.x -v y a/b/file; [ "$(cat a/symlink)" = mine ]
        [ "$(stat -c "%u %g %a %h" a/b/file)" = "65534 65534 640 2" ]'
    refused user mknod mount/device c 1 3
    refused user chown 0 mount/a/link
    for who in other env; do  # root, too
        refused $who ls mount
        grep -q 'Permission denied' said
        refused $who cat mount/a/link
    done
    "${hushfs[@]}" status mount | grep -q "$PWD/mount"
    refused other env XDG_RUNTIME_DIR="$PWD/run" ./hushfs unmount mount
    "${hushfs[@]}" unmount mount
    refused mountpoint -q mount
    # Ended by the other program, and there again.
    "${hushfs[@]}" mount "${source[@]}" mount
    user cat mount/a/link | grep -qx mine
    user fusermount3 -u mount
    "${hushfs[@]}" mount "${source[@]}" mount
    [ "$(user getfattr --only-values -n user.x mount/a/symlink)" = y ]
    "${hushfs[@]}" unmount mount
"#;

const SHARED: &str = r#"
    refused "${hushfs[@]}" mount -o allow_other "${source[@]}" mount
    grep -q user_allow_other said
    refused mountpoint -q mount
    echo user_allow_other >fuse.conf
    "${hushfs[@]}" mount -o allow_other "${source[@]}" mount
    user bash -euc 'cd mount; chmod 755 .; echo all >shared; echo own >private; chmod 600 private; mkdir -m 1777 tmp'
    [ "$(other cat mount/shared)" = all ]
    [ "$(cat mount/private)" = own ]  # root
    refused other cat mount/private
    refused other touch mount/new
    other touch mount/tmp/theirs
    [ "$(stat -c %u mount/tmp/theirs)" = 65533 ]
    touch mount/tmp/roots
    refused other rm -f mount/tmp/roots
    "${hushfs[@]}" unmount mount
    "${hushfs[@]}" mount -o allow_root "${source[@]}" mount
    [ "$(cat mount/shared)" = all ]
    refused other cat mount/shared
    "${hushfs[@]}" unmount mount
"#;

/// Runs the script in a home that belongs to an ordinary user, with the program in it.
fn as_user(script: &str) {
    assert!(rustix::process::geteuid().is_root(), "this test becomes another user: run it as root");
    let home = Home::new();
    fs::copy(env!("CARGO_BIN_EXE_hushfs"), home.path("hushfs")).unwrap();
    fs::create_dir(home.bucket_folder()).unwrap();
    for path in ["", "pass", "mount", "bucket"] {
        chown(home.path(path), Some(USER), Some(USER)).unwrap();
    }
    fs::set_permissions(home.path(""), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let script = format!("{COMMON}{script}");
    shell(&home.path(""), NAMESPACE, &[&home.path(""), script.as_ref()]);
}

#[test]
fn an_ordinary_user_mounts_uses_and_unmounts_and_keeps_all_others_out() {
    as_user(OWN);
}

#[test]
fn an_ordinary_user_lets_others_in_only_where_root_allows_it() {
    as_user(SHARED);
}
