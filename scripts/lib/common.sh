# Shared by the scripts here; sourced, not run. Bash.

say() { echo "$(basename "$0"): $*" >&2; }
die() { say "$*"; exit 1; }

# The way to become root, if we are not: an array to put in front of a command.
as_root=()
if [ "$(id -u)" != 0 ]; then as_root=(sudo -n); fi

# need_packages PROGRAM:PACKAGE...: installs the Debian packages whose program is missing.
need_packages() {
    local pair missing=()
    for pair in "$@"; do
        command -v "${pair%%:*}" >/dev/null || PATH=$PATH:/usr/sbin:/sbin command -v "${pair%%:*}" >/dev/null \
            || missing+=("${pair##*:}")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing ${missing[*]}"
    "${as_root[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null \
        || { "${as_root[@]}" apt-get update -q >/dev/null \
            && "${as_root[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null; } \
        || die "cannot install ${missing[*]}: please do it as root"
}

# need_rust: a toolchain is the one thing that is not installed here.
need_rust() {
    command -v cargo >/dev/null || PATH=$PATH:$HOME/.cargo/bin
    command -v cargo >/dev/null || die "there is no Rust toolchain: see https://rustup.rs"
}

# need_fuse: without it nothing of value can be tested or shown.
need_fuse() {
    need_packages fusermount3:fuse3
    [ -c /dev/fuse ] || "${as_root[@]}" modprobe fuse 2>/dev/null || true
    [ -c /dev/fuse ] || die "/dev/fuse is missing: this kernel (or container) has no FUSE; run where it has"
    [ -r /dev/fuse ] && [ -w /dev/fuse ] || die "/dev/fuse cannot be opened by $(id -un): check its mode"
}

# mounts_below DIR: mount points of FUSE filesystems below a folder, the deepest first.
mounts_below() {
    awk -v dir="$1/" '$0 ~ / - fuse/ && index($5 "/", dir) == 1 { print $5 }' /proc/self/mountinfo | sort -r
}
