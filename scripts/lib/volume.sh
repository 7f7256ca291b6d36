# A volume in a scratch folder and its mount, for the suites; sourced after common.sh. Bash.
#
# begin_volume NAME [MOUNT OPTION...] sets: work (the scratch folder), mount (the mount point), hushfs (the
# program, built unless HUSHFS names one), run (an array: root with a keyring and caches of its own). All of it
# goes when the script ends, whatever happens; a mount that stays behind fails the script.

begin_volume() {
    work=$(mktemp -d -t "hushfs-$1.XXXXXX")
    shift
    mount=$work/mount
    hushfs=${HUSHFS:-${CARGO_TARGET_DIR:-target}/debug/hushfs}
    if [ -z "${HUSHFS:-}" ]; then cargo build --quiet --locked; fi
    run=("${as_root[@]}" env XDG_STATE_HOME="$work/state" XDG_CACHE_HOME="$work/cache"
        XDG_DATA_HOME="$work/data" XDG_RUNTIME_DIR="$work/run")
    trap end_volume EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    mkdir "$work/bucket" "$mount"
    chmod 755 "$work"
    (umask 077 && echo "a passphrase for a test" >"$work/passphrase")
    volume=(--passphrase-file "$work/passphrase" "file://$work/bucket")
    mount_options=("$@")
    "${run[@]}" "$hushfs" init --kdf minimum "${volume[@]}" >/dev/null
    mount_volume
}

mount_volume() { "${run[@]}" "$hushfs" mount "${mount_options[@]}" "${volume[@]}" "$mount"; }

unmount_volume() { "${run[@]}" "$hushfs" unmount --timeout 120 "$mount"; }

remount_volume() { unmount_volume && mount_volume; }

end_volume() {
    local result=$? leaked
    trap - EXIT
    if mountpoint -q "$mount"; then
        unmount_volume || { "${as_root[@]}" umount -l "$mount"; result=1; }
    fi
    leaked=$(mounts_below "$work")
    if [ -n "$leaked" ]; then say "leaked mounts: $leaked"; result=1; fi
    "${as_root[@]}" rm -rf "$work"
    exit "$result"
}
