# A volume in a scratch folder and its mount, for the suites; sourced after common.sh. Bash.
#
# begin_volume NAME [MOUNT OPTION...] sets: work (the scratch folder), mount (the mount point), hushfs (the
# program, built unless HUSHFS names one), run (an array: root with a keyring and caches of its own). All of it
# goes when the script ends, whatever ends it; a mount that stays behind fails the script.

begin_volume() {
    work=$(mktemp -d -t "hushfs-$1.XXXXXX")
    shift
    mount=$work/mount
    hushfs=${HUSHFS:-${CARGO_TARGET_DIR:-target}/debug/hushfs}
    if [ -z "${HUSHFS:-}" ]; then cargo build --quiet --locked; fi
    run=("${as_root[@]}" env XDG_STATE_HOME="$work/state" XDG_CACHE_HOME="$work/cache"
        XDG_DATA_HOME="$work/data" XDG_RUNTIME_DIR="$work/run")
    trap end_volume EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    mkdir "$work/bucket" "$mount"
    chmod 755 "$work"
    (umask 077 && echo "a passphrase for a test" >"$work/passphrase")
    volume=(--passphrase-file "$work/passphrase" "file://$work/bucket")
    mount_options=("$@")
    leave_heir
    "${run[@]}" "$hushfs" init --kdf minimum "${volume[@]}" >/dev/null
    mount_volume
}

mount_volume() { "${run[@]}" "$hushfs" mount "${mount_options[@]}" "${volume[@]}" "$mount"; }

unmount_volume() { "${run[@]}" "$hushfs" unmount --timeout 120 "$mount"; }

remount_volume() { unmount_volume && mount_volume; }

# start COMMAND...: in the background, as a session of its own that ends with the script. $! is its process.
start() {
    setsid "$@" &
    echo $! >>"$work/sessions"
}

# long COMMAND...: runs what takes a while. Bash heeds no signal while it waits for a command in the foreground, and a
# signal to the script alone reaches none of its children.
long() {
    start "$@"
    wait $!
}

# What the suite left running, the mount and the folder go; 1 where the mount was in use.
take_down() {
    local session leaked result=0
    if [ -e "$work/sessions" ]; then
        while read -r session; do "${as_root[@]}" pkill -KILL -s "$session" || true; done <"$work/sessions"
    fi
    if mountpoint -q "$mount"; then
        unmount_volume || { "${as_root[@]}" umount -l "$mount"; result=1; }
    fi
    leaked=$(mounts_below "$work")
    if [ -n "$leaked" ]; then say "leaked mounts: $leaked"; result=1; fi
    "${as_root[@]}" rm -rf "$work"
    return "$result"
}

# A script that is killed has no last word: a process outside of its session takes down what it leaves.
leave_heir() {
    setsid bash -c "$(declare -f say mounts_below unmount_volume take_down)
        $(declare -p as_root run hushfs work mount)
        tail --pid=$$ -f /dev/null
        take_down" "$0" </dev/null >/dev/null 2>&1 &
    heir=$!
    disown
}

end_volume() {
    local result=$?
    trap - EXIT
    trap '' HUP INT TERM
    pkill -KILL -s "$heir" || true
    take_down || result=1
    exit "$result"
}
