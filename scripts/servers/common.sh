# Shared by the server scripts; sourced, not run. Bash.
#
# A server lives in a folder of its own (DIR): its data, its log and DIR/pid, the process group it runs in.

set -euo pipefail

# Where programs are installed, once per version, for all checkouts.
server_cache=${HUSHFS_SERVER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hushfs-test-servers}

# The one account of every test server. Nothing of value is behind it.
server_access_key=OWNER
server_secret_key=OWNERSECRET
server_region=us-east-1

say() { echo "$(basename "$0"): $*" >&2; }
die() { say "$*"; exit 1; }

# need PROGRAM PACKAGE: installs a Debian package when a program is missing.
need() {
    command -v "$1" >/dev/null && return
    install_package "$2"
}

install_package() {
    local root=()
    [ "$(id -u)" = 0 ] || root=(sudo -n)
    say "installing $1"
    "${root[@]}" apt-get install -y -q --no-install-recommends "$1" >&2 \
        || { "${root[@]}" apt-get update -q >&2 && "${root[@]}" apt-get install -y -q --no-install-recommends "$1" >&2; } \
        || die "cannot install $1: please do it as root"
}

# venv NAME REQUIREMENT...: a Python environment that holds exactly these; prints its folder.
# Two scripts at once wait for each other; a half-made one is made again.
venv() {
    local place=$server_cache/$1
    shift
    mkdir -p "$server_cache"
    (
        flock 9
        if [ ! -e "$place/complete" ]; then
            need python3 python3
            python3 -c 'import ensurepip' 2>/dev/null || install_package python3-venv
            rm -rf "$place"
            say "installing $* into $place"
            python3 -m venv "$place"
            "$place/bin/pip" install -q --disable-pip-version-check "$@" >&2
            touch "$place/complete"
        fi
    ) 9>"$place.lock"
    echo "$place"
}

# free_ports COUNT: that many TCP ports of 127.0.0.1 that nobody listens on now, outside of the range that
# the kernel hands out by itself.
free_ports() {
    python3 - "$1" <<'PY'
import random, socket, sys
found = []
while len(found) < int(sys.argv[1]):
    port = random.randrange(10_000, 30_000)
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            continue
    if port not in found:
        found.append(port)
print(*found)
PY
}

# start DIR COMMAND...: runs the command in a process group of its own and notes it in DIR/pid.
start() {
    local dir=$1
    shift
    # Not the caller's descriptors: who captures our output would wait for the server's end.
    setsid "$@" >>"$dir/log" 2>&1 </dev/null 9>&- &
    echo $! >"$dir/pid"
}

# alive DIR: true while the server's first process runs.
alive() { [ -s "$1/pid" ] && kill -0 "$(cat "$1/pid")" 2>/dev/null; }

# stop DIR: asks the process group to end, insists after 30 s, returns when it is gone. Nothing to do is fine.
stop() {
    local dir=$1 pid
    [ -s "$dir/pid" ] || return 0
    pid=$(cat "$dir/pid")
    kill -TERM -- "-$pid" 2>/dev/null || true
    for _ in $(seq 300); do
        kill -0 -- "-$pid" 2>/dev/null || { rm -f "$dir/pid"; return 0; }
        sleep 0.1
    done
    say "still running after 30 s, killed"
    kill -KILL -- "-$pid" 2>/dev/null || true
    while kill -0 -- "-$pid" 2>/dev/null; do sleep 0.1; done
    rm -f "$dir/pid"
}

# wait_until DIR SECONDS COMMAND...: repeats the command until it succeeds; false when time is up or the
# server has ended.
wait_until() {
    local dir=$1 tries=$(($2 * 5))
    shift 2
    for _ in $(seq "$tries"); do
        "$@" && return 0
        alive "$dir" || return 1
        sleep 0.2
    done
    return 1
}

# make_certificate DIR: an authority (ca.pem) and a certificate for loopback that it signed (server.pem, server.key).
make_certificate() {
    local dir=$1
    [ ! -e "$dir/server.pem" ] || return 0
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=hushfs test authority" \
        -keyout "$dir/ca.key" -out "$dir/ca.pem" 2>>"$dir/log"
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=127.0.0.1" \
        -keyout "$dir/server.key" -out "$dir/server.csr" 2>>"$dir/log"
    openssl x509 -req -in "$dir/server.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial -days 30 \
        -extfile <(printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n') \
        -out "$dir/server.pem" 2>>"$dir/log"
}

# http_status URL: the status of a plain GET, 000 when nobody answers.
http_status() { curl -s -o /dev/null -m 5 -w '%{http_code}' "$1" || true; }

# make_bucket ENDPOINT BUCKET. Ceph wants the header that curl before 8.0 leaves out.
make_bucket() {
    local status
    status=$(curl -s -o /dev/null -m 20 -w '%{http_code}' --aws-sigv4 "aws:amz:$server_region:s3" \
        --user "$server_access_key:$server_secret_key" -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' -X PUT "$1/$2") || true
    [ "$status" = 200 ]
}

# print_account: what every client of a test server needs, and nothing of the developer's own account.
print_account() {
    echo "unset AWS_PROFILE AWS_SESSION_TOKEN AWS_ENDPOINT_URL AWS_ENDPOINT_URL_S3"
    echo "export AWS_ACCESS_KEY_ID=$server_access_key AWS_SECRET_ACCESS_KEY=$server_secret_key"
    echo "export AWS_REGION=$server_region AWS_EC2_METADATA_DISABLED=true"
    echo "export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null"
}

# main ACTION DIR: calls up or down of the script that sourced this.
main() {
    [ $# = 2 ] || die "usage: $(basename "$0") up DIR | down DIR"
    case $1 in
        up)
            mkdir -p "$2"
            ! alive "$2" || die "a server is running in $2 already"
            up "$(cd "$2" && pwd)"
            ;;
        down) stop "$2" ;;
        *) die "usage: $(basename "$0") up DIR | down DIR" ;;
    esac
}
