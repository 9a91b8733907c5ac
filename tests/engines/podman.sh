# SPDX-License-Identifier: Apache-2.0
# A private podman: its own network and mount namespaces, storage, run folder, event file and socket
# below $work, an image made of busybox. Sourced after lib.sh.
#
# Root's podman has places that nothing configures: what it remembers of addresses and networks in
# /run/containers, its locks in /dev/shm, network namespaces in /run/netns, a cache in
# /var/lib/containers. Two podmans would share them and disturb each other.
# shellcheck shell=bash disable=SC2154

podman_base=$work/podman
podman_sock=$podman_base/podman.sock
podman_bin=$(command -v /usr/bin/podman || command -v podman || true)

# Why podman can't run here; empty if it can.
podman_hindrance() {
    [ "$(id -u)" = 0 ] || { echo "not root"; return; }
    [ -n "$podman_bin" ] || { echo "no podman (make deps installs it)"; return; }
    unshare -n -m true 2>/dev/null || echo "no right to make a network and a mount namespace"
}

# configure_podman: as little of the machine's own configuration as can be. A machine without
# CAP_SYS_RESOURCE needs a wrapper around the runtime that leaves out what isn't allowed.
configure_podman() {
    mkdir -p "$podman_base"/{root,run,tmp,net}
    cat >"$podman_base/containers.conf" <<END
[containers]
pids_limit = 0
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
events_logfile_path = "$podman_base/events.log"
runtime = "fitted"
infra_image = "registry.test:5000/team/pause:1"
[engine.runtimes]
fitted = ["$here/runc-fitted"]
[network]
network_backend = "netavark"
default_subnet = "10.189.0.0/16"
network_config_dir = "$podman_base/net"
END
    cat >"$podman_base/storage.conf" <<END
[storage]
driver = "overlay"
graphroot = "$podman_base/root"
runroot = "$podman_base/run"
END
    hold_podman_namespaces
}

# Namespaces of its own, held by a process that does nothing. What is resolved by way of /run stays.
hold_podman_namespaces() {
    # shellcheck disable=SC2016
    setsid unshare -n -m --propagation private bash -c '
        resolv=$(readlink -m /etc/resolv.conf) && servers=$(cat "$resolv" 2>/dev/null)
        for place in /run /dev/shm /var/lib; do mount -t tmpfs -o mode=755 tmpfs "$place" || exit 1; done
        [ -e "$resolv" ] || { mkdir -p "${resolv%/*}" && echo "$servers" >"$resolv"; }
        ip link set lo up && sysctl -qw net.ipv4.ip_forward=1 && touch "$1/held" &&
        exec sleep 1000000' _ "$podman_base" >>"$work/podman.log" 2>&1 &
    podman_ns=$!
    disown "$podman_ns"
    pids+=("$podman_ns")
    until_true 10 test -e "$podman_base/held"
}

in_podman() {
    CONTAINERS_CONF=$podman_base/containers.conf CONTAINERS_STORAGE_CONF=$podman_base/storage.conf \
        nsenter -t "$podman_ns" -n -m --wdns=/ "$@"
}
podman() { in_podman "$podman_bin" --tmpdir "$podman_base/tmp" "$@"; }

# podman_in_unit ARGUMENT...: as from a systemd unit, in a cgroup2 of its own view.
podman_in_unit() {
    local place
    for place in /sys/fs/cgroup/unified /sys/fs/cgroup; do [ -e "$place/cgroup.procs" ] && break; done
    podman_unit=$place/containerd-meta-test.$$
    mkdir -p "$podman_unit/init" || return 1
    # shellcheck disable=SC2016
    CONTAINERS_CONF=$podman_base/containers.conf CONTAINERS_STORAGE_CONF=$podman_base/storage.conf \
        ns=$podman_ns bash -c '
        echo $$ >"$1/init/cgroup.procs" && shift || exit 1
        exec nsenter -t "$ns" -n -m --wdns=/ unshare -C -m --propagation private bash -c "
            umount -l -R /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup || exit 1
            mkdir -p /sys/fs/cgroup/web.service && echo \$\$ >/sys/fs/cgroup/web.service/cgroup.procs || exit 1
            exec \"\$@\"" _ "$@"' \
        _ "$podman_unit" "$podman_bin" --tmpdir "$podman_base/tmp" "$@"
}

# start_podman [SECONDS]: the service, which ends after so long without a client (0: never);
# $podman_pid; waits until its socket is there.
start_podman() {
    CONTAINERS_CONF=$podman_base/containers.conf CONTAINERS_STORAGE_CONF=$podman_base/storage.conf \
        setsid nsenter -t "$podman_ns" -n -m --wdns=/ "$podman_bin" --tmpdir "$podman_base/tmp" \
        system service --time="${1:-0}" "unix://$podman_sock" >>"$work/podman.log" 2>&1 &
    podman_pid=$!
    disown "$podman_pid"
    pids+=("$podman_pid")
    until_true 20 test -S "$podman_sock"
}

# make_podman_image NAME [FILE...]: a root file system of busybox.
make_podman_image() {
    local root=$work/podman-image
    mkdir -p "$root/bin" "$root/etc" "$root/tmp"
    cp "$(command -v busybox)" "$root/bin/busybox"
    for tool in sh sleep cat true false touch env id ls; do ln -sf busybox "$root/bin/$tool"; done
    echo 'root:x:0:0::/:/bin/sh' >"$root/etc/passwd"
    tar -C "$root" -c . |
        podman import --change 'LABEL origin=image' --change 'ENV IMAGE_ENV=1' - "$1" >/dev/null 2>&1
    # What an infra container runs.
    tar -C "$root" -c . |
        podman import --change 'ENTRYPOINT ["/bin/sleep","1000000"]' - registry.test:5000/team/pause:1 >/dev/null 2>&1
}

stop_podman() {
    [ -n "${podman_ns:-}" ] || return 0
    podman pod rm -fa -t 0 >/dev/null 2>&1
    until_true 20 remove_podman_containers
    [ -z "${podman_pid:-}" ] || end "$podman_pid"
    podman_pid=
    end_podman_monitors
    [ -z "${podman_unit:-}" ] || until_true 5 remove_podman_unit
}
# One whose network another shares goes after that one.
remove_podman_containers() {
    podman rm -fa -t 0
    [ -z "$(podman ps -aq)" ]
}
# Whoever is left of it, by the processes behind its containers' monitors.
end_podman_monitors() {
    local pid child
    for pid in $(grep -lsF -- "$podman_base/" /proc/[0-9]*/cmdline | cut -d/ -f3); do
        [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = conmon ] || continue
        for child in $(pgrep -P "$pid"); do end "$child" KILL; done
        end "$pid"
    done
}
remove_podman_unit() {
    find "$podman_unit" -depth -type d -exec rmdir {} \; 2>/dev/null
    [ ! -e "$podman_unit" ]
}
