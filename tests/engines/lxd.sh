# SPDX-License-Identifier: Apache-2.0
# A private LXD: its own network and mount namespaces, state and socket below $work; an image made
# of busybox, nothing is pulled. Sourced after lib.sh.
# shellcheck shell=bash disable=SC2154

lxd_dir=$work/lxd
lxd_sock=$lxd_dir/unix.socket
export LXD_DIR=$lxd_dir LXD_CONF=$work/lxd-client

# Why LXD can't run here; empty if it can.
lxd_hindrance() {
    [ "$(id -u)" = 0 ] || { echo "not root"; return; }
    command -v lxd >/dev/null || { echo "no lxd (make deps installs it)"; return; }
    command -v lxc >/dev/null || { echo "no lxc command (make deps installs it)"; return; }
    unshare -n -m true 2>/dev/null || echo "no right to make a network and a mount namespace"
}

# Namespaces that outlive LXD: it finds its containers by sockets of the network namespace. Bridges
# are looked up in /sys, which must be of the same one.
hold_lxd_namespaces() {
    # shellcheck disable=SC2016
    setsid unshare -n -m bash -c 'ip link set lo up
        mkdir -p "$LXD_DIR/cgroup" && mount --rbind /sys/fs/cgroup "$LXD_DIR/cgroup" &&
        mount -t sysfs sysfs /sys && mount --rbind "$LXD_DIR/cgroup" /sys/fs/cgroup &&
        ip link add lxdbr0 type bridge && ip link set lxdbr0 up &&
        touch "$LXD_DIR/held" && exec sleep infinity' >>"$work/lxd.out" 2>&1 &
    lxd_holder=$!
    disown "$lxd_holder"
    pids+=("$lxd_holder")
    until_true 10 test -e "$lxd_dir/held"
}

start_lxd() {
    mkdir -p "$lxd_dir"
    [ -n "${lxd_pivots:-}" ] || lxd_pivots=" $(echo /sys/fs/cgroup/*/lxc.pivot) "
    [ -n "${lxd_holder:-}" ] || hold_lxd_namespaces || return 1
    setsid nsenter -t "$lxd_holder" -n -m lxd --group root --logfile "$lxd_dir/lxd.log" \
        >>"$work/lxd.out" 2>&1 &
    lxd_pid=$!
    disown "$lxd_pid"
    if ! timeout 60 lxd waitready 2>/dev/null; then
        tail -n 20 "$work/lxd.out" >&2
        return 1
    fi
}

# lxd_setup: a pool, and the image team/lab, whose init sets the address that it is told.
lxd_setup() {
    lxc storage create default dir && lxc profile device add default root disk path=/ pool=default &&
        make_lxd_image && lxc image import "$work/lab.tar.gz" --alias team/lab
} >/dev/null 2>&1

make_lxd_image() {
    local root=$work/lxd-image/rootfs tool
    mkdir -p "$root"/{bin,sbin,etc,proc,sys,dev,tmp}
    cp "$(command -v busybox)" "$root/bin/busybox"
    for tool in sh sleep cat ip ls; do ln -sf busybox "$root/bin/$tool"; done
    cat >"$root/sbin/init" <<'END'
#!/bin/sh
trap 'exit 0' PWR TERM
if [ -n "$ADDRESS" ]; then ip link set eth0 up; ip addr add "$ADDRESS/24" dev eth0; fi
while :; do sleep 1000 & wait; done
END
    chmod 755 "$root/sbin/init"
    printf '%s\n' 'architecture: x86_64' 'creation_date: 1700000000' \
        'properties: {description: a lab image, os: busybox, release: "1"}' \
        >"$work/lxd-image/metadata.yaml"
    tar -C "$work/lxd-image" -czf "$work/lab.tar.gz" metadata.yaml rootfs
}

# Ends its instances, too: those that it left behind by their monitors' children.
stop_lxd() {
    local pid child
    [ -n "${lxd_pid:-}" ] || return 0
    timeout 60 lxd shutdown >/dev/null 2>&1
    end "$lxd_pid"
    for pid in $(grep -lsF -- "$lxd_dir/containers" /proc/[0-9]*/cmdline | cut -d/ -f3); do
        for child in $(pgrep -P "$pid"); do end "$child" KILL; done
        end "$pid"
    done
    # A cgroup that liblxc makes and leaves.
    for pid in /sys/fs/cgroup/*/lxc.pivot; do
        [[ $lxd_pivots == *" $pid "* ]] || rmdir "$pid"
    done 2>/dev/null
    lxd_pid=
}
