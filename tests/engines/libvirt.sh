# SPDX-License-Identifier: Apache-2.0
# libvirt's LXC driver, with all its folders private: in a mount namespace of its own, with that
# driver only. Sourced after lib.sh.
# shellcheck shell=bash disable=SC2154

libvirt=$work/libvirt
libvirt_folder=$libvirt/run/lxc
virsh=(virsh -q -c "lxc:///system?socket=$libvirt/run/libvirt-sock")

# Why libvirt can't run here; empty if it can.
libvirt_hindrance() {
    [ "$(id -u)" = 0 ] || { echo "not root"; return; }
    command -v libvirtd >/dev/null && command -v virsh >/dev/null ||
        { echo "no libvirtd or virsh (make deps installs them)"; return; }
    local driver
    driver=$(find /usr/lib -name libvirt_driver_lxc.so 2>/dev/null | head -n 1)
    [ -n "$driver" ] || { echo "libvirt has no LXC driver"; return; }
    start_libvirt "$driver" || { echo "libvirtd doesn't start: $(tail -n 1 "$work/libvirtd.log")"; return; }
    make_domain trial
    libvirt_start trial 2>"$work/virsh.log" || { echo "it can't start a container: $(head -n 1 "$work/virsh.log")"; return; }
    libvirt_stop trial
}

# Its cgroup code wants either version 1 alone, or a version 2 with the cpu controller.
libvirt_enter='
cgroup=/sys/fs/cgroup
[ -f "$cgroup/cgroup.controllers" ] || umount "$cgroup/unified" 2>/dev/null
for place in run/libvirt var/lib/libvirt var/log/libvirt var/cache/libvirt etc/libvirt; do
    mkdir -p "/$place" && mount --bind "$0/$(basename "$(dirname "/$place")")" "/$place" || exit 1
done
exec libvirtd -f "$0/etc/libvirtd.conf" -p "$0/libvirtd.pid"'

start_libvirt() {
    mkdir -p "$libvirt"/{run,lib,log,cache,etc,drivers}
    ln -sf "$1" "$libvirt/drivers/"
    printf '%s\n' 'auth_unix_ro = "none"' 'auth_unix_rw = "none"' "unix_sock_dir = \"$libvirt/run\"" \
        >"$libvirt/etc/libvirtd.conf"
    LIBVIRT_DRIVER_DIR=$libvirt/drivers unshare -m --propagation private bash -c "$libvirt_enter" "$libvirt" \
        >>"$work/libvirtd.log" 2>&1 &
    libvirtd_pid=$!
    disown "$libvirtd_pid"
    pids+=("$libvirtd_pid")
    until_true 20 "${virsh[@]}" list
}

# make_domain NAME [DEVICE...]: a definition that isn't started; further elements of <devices>.
make_domain() {
    local name=$1 root=$libvirt/roots/$1
    shift
    mkdir -p "$root"/{bin,dev,etc,proc,sys,tmp,data}
    cp "$(command -v busybox)" "$root/bin/busybox"
    for tool in sh sleep cat true; do ln -sf busybox "$root/bin/$tool"; done
    cat >"$libvirt/$name.xml" <<END
<domain type='lxc'>
  <name>$name</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
  <os><type>exe</type><init>/bin/sleep</init><initarg>1000</initarg></os>
  <features><privnet/></features>
  <cputune><shares>700</shares></cputune>
  <devices>
    <filesystem type='mount'><source dir='$root'/><target dir='/'/></filesystem>
    $*
    <console type='pty'/>
  </devices>
</domain>
END
}

libvirt_start() { "${virsh[@]}" create "$libvirt/$1.xml" >/dev/null; }
libvirt_stop() { "${virsh[@]}" destroy "$1" >/dev/null; }
# Of what libvirt itself says.
libvirt_id() { "${virsh[@]}" domid "$1"; }
libvirt_init() { pgrep -P "$(libvirt_id "$1")" | head -n 1; }

stop_libvirt() {
    local name
    for name in $("${virsh[@]}" list --name 2>/dev/null); do
        "${virsh[@]}" resume "$name" >/dev/null 2>&1
        libvirt_stop "$name"
    done
}
