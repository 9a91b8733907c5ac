# SPDX-License-Identifier: Apache-2.0
# A private Docker engine: its own network namespace, state and socket below $work; an image made of
# busybox, nothing is pulled. Sourced after lib.sh.
# shellcheck shell=bash disable=SC2154

docker_base=$work/docker
docker_sock=$docker_base/docker.sock
docker_bin=$(command -v /usr/bin/docker || command -v docker || true)

# Why Docker can't run here; empty if it can.
docker_hindrance() {
    [ "$(id -u)" = 0 ] || { echo "not root"; return; }
    command -v dockerd >/dev/null || { echo "no dockerd (make deps installs it)"; return; }
    [ -n "$docker_bin" ] || { echo "no docker command (make deps installs it)"; return; }
    unshare -n true 2>/dev/null || echo "no right to make a network namespace"
}

# A machine without CAP_SYS_RESOURCE can't run privileged containers as they are; a wrapper around
# the runtime leaves out what isn't allowed.
docker_runtime() {
    local bounding
    bounding=$(sed -n 's/^CapBnd:\t//p' /proc/self/status)
    (((0x$bounding >> 24) & 1)) || echo "--add-runtime fitted=$here/runc-fitted --default-runtime fitted"
}

# start_docker [DOCKERD OPTION...]: $docker_pid; waits until it answers.
start_docker() {
    mkdir -p "$docker_base"
    # shellcheck disable=SC2046
    setsid unshare -n bash -c 'ip link set lo up; sysctl -qw net.ipv4.ip_forward=1; exec "$@"' _ \
        dockerd --data-root "$docker_base/root" --exec-root "$docker_base/exec" \
        --pidfile "$docker_base/dockerd.pid" -H "unix://$docker_sock" $(docker_runtime) "$@" \
        >>"$work/dockerd.log" 2>&1 &
    docker_pid=$!
    disown "$docker_pid"
    if ! until_true 60 docker_answers; then
        tail -n 20 "$work/dockerd.log" >&2
        return 1
    fi
}

docker_answers() { [ -S "$docker_sock" ] && docker version; }

docker() { DOCKER_HOST=unix://$docker_sock DOCKER_CONFIG=$work "$docker_bin" "$@"; }

# Containers that live on without dockerd are ended by its containerd's shims being ended.
stop_docker() {
    local pid
    [ -n "${docker_pid:-}" ] || return 0
    if docker_answers >/dev/null 2>&1; then
        docker ps -aq 2>/dev/null | while read -r id; do docker rm -f "$id"; done >/dev/null 2>&1
    fi
    end "$docker_pid"
    pid=$(cat "$docker_base/exec/containerd/containerd.pid" 2>/dev/null)
    [ -n "$pid" ] && end "$pid"
    for pid in $(grep -lsF -- "containerd-shim" /proc/[0-9]*/cmdline | cut -d/ -f3); do
        grep -qsF -- "$docker_base" "/proc/$pid/cmdline" && end "$pid" KILL
    done
    docker_pid=
}

# make_image [NAME]: a root file system of busybox.
make_image() {
    local root=$work/image
    mkdir -p "$root/bin" "$root/etc" "$root/tmp"
    cp "$(command -v busybox)" "$root/bin/busybox"
    for tool in sh sleep cat true false touch env id ls; do ln -sf busybox "$root/bin/$tool"; done
    echo 'root:x:0:0::/:/bin/sh' >"$root/etc/passwd"
    tar -C "$root" -c . | docker import --change 'LABEL origin=image' --change 'ENV IMAGE_ENV=1' - "${1:-registry.test:5000/team/lab:1.0}" >/dev/null
}
