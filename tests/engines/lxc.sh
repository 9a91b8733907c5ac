# SPDX-License-Identifier: Apache-2.0
# LXC with a private lxcpath, in a network namespace of its own: containers of busybox. Sourced
# after lib.sh.
# shellcheck shell=bash disable=SC2154

lxc_path=$work/lxc
lxc_paths=("$lxc_path")

# Why LXC can't run here; empty if it can.
lxc_hindrance() {
    [ "$(id -u)" = 0 ] || { echo "not root"; return; }
    command -v lxc-start >/dev/null || { echo "no lxc-start (make deps installs it)"; return; }
    make_lxc trial
    if lxc_start trial; then lxc_stop trial; else
        echo "it can't start a container: $(grep -m1 ERROR "$work/lxc.log" | sed 's/.*ERROR *//')"
    fi
    lxc_destroy trial
}

# make_lxc NAME [LINE...]: a container that isn't started; further lines of its configuration.
# $in: another lxcpath.
make_lxc() {
    local folder=${in:-$lxc_path}/$1 root
    root=$folder/rootfs
    shift
    mkdir -p "$root"/{bin,dev,etc,proc,sys,tmp,data}
    cp "$(command -v busybox)" "$root/bin/busybox"
    for tool in sh sleep cat true id; do ln -sf busybox "$root/bin/$tool"; done
    printf '%s\n' "lxc.rootfs.path = dir:$root" "lxc.net.0.type = empty" \
        "lxc.init.cmd = /bin/sleep 1000" "lxc.mount.auto = proc:mixed sys:ro" \
        "lxc.apparmor.profile = unconfined" "lxc.pty.max = 1" "lxc.tty.max = 0" "$@" >"$folder/config.new"
    mv "$folder/config.new" "$folder/config"
}

lxc_start() { lxc-start -P "${in:-$lxc_path}" -n "$1" -o "$work/lxc.log" -l ERROR; }
lxc_stop() { lxc-stop -k -P "${in:-$lxc_path}" -n "$1" 2>/dev/null; }
lxc_destroy() { rm -rf "${in:-$lxc_path}/${1:?}"; }
lxc_pid() { lxc-info -P "${in:-$lxc_path}" -n "$1" -p -H; }

stop_lxc() {
    local path folder
    for path in "${lxc_paths[@]}"; do
        for folder in "$path"/*/; do
            [ -d "$folder" ] && in=$path lxc_stop "$(basename "$folder")"
        done
    done
}
