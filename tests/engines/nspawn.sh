# SPDX-License-Identifier: Apache-2.0
# A private systemd with machined: the host's own /usr, booted by systemd-nspawn on a root of its
# own with nothing enabled but the bus. Containers are made inside; so must whoever looks at them
# be, for the sake of the process numbers. Sourced after lib.sh.
# shellcheck shell=bash disable=SC2154

outer_root=$work/outer
shared=$work/shared # /shared inside

# Why it can't run here; empty if it can.
nspawn_hindrance() {
    local tool
    [ "$(id -u)" = 0 ] || { echo "not root"; return; }
    for tool in systemd-nspawn machinectl dbus-daemon busybox; do
        command -v $tool >/dev/null || { echo "no $tool (make deps installs it)"; return; }
    done
    [ -x /usr/lib/systemd/systemd ] || { echo "no systemd"; return; }
    [ -L /bin ] || { echo "/bin isn't in /usr"; return; }
    unshare -m true 2>/dev/null || echo "no right to make a mount namespace"
}

make_outer_root() {
    local link file units=$outer_root/etc/systemd/system
    mkdir -p "$outer_root"
    mount -t tmpfs -o size=64m,mode=755 outer "$outer_root" || return 1
    mkdir -p "$outer_root"/{usr,etc,var/lib/machines,var/log,run,proc,sys,dev,tmp,root,shared,build} "$units" "$shared"
    for link in bin sbin lib lib64 lib32; do
        [ -L "/$link" ] && ln -s "usr/$link" "$outer_root/$link"
    done
    for file in passwd group shadow nsswitch.conf ld.so.cache ld.so.conf ld.so.conf.d alternatives \
        dbus-1 login.defs; do
        [ -e "/etc/$file" ] && cp -a "/etc/$file" "$outer_root/etc/"
    done
    cat /etc/os-release >"$outer_root/etc/os-release" # before its /usr is there
    : >"$outer_root/etc/machine-id"
    cat >"$units/lab.target" <<END
[Unit]
Requires=dbus.socket dbus.service
After=dbus.socket dbus.service
AllowIsolate=yes
END
}

# What a machine needs to be entered: a busybox, told apart by its OS release.
make_machine_root() { # FOLDER
    mkdir -p "$1"/{bin,etc,usr/lib,proc,sys,dev,run,tmp,var,root}
    cp "$(command -v busybox)" "$1/bin/busybox"
    for tool in sh sleep ip cat true; do ln -sf busybox "$1/bin/$tool"; done
    echo 'root:x:0:0::/:/bin/sh' >"$1/etc/passwd"
    printf 'ID=lab\nVERSION_ID=7\nIMAGE_ID="lab image"\nPRETTY_NAME=Lab\n' >"$1/etc/os-release"
}

# start_outer: $outer_pid, $init_pid; waits until its bus answers.
start_outer() {
    make_outer_root || return 1
    SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 setsid systemd-nspawn --quiet --directory "$outer_root" --bind-ro /usr \
        --bind "$shared:/shared" --bind-ro "$BUILD:/build" --register=no --keep-unit --console=pipe \
        --private-network --capability=all --system-call-filter='add_key keyctl bpf' \
        --kill-signal=SIGRTMIN+3 --boot systemd.unit=lab.target </dev/null >"$work/outer.log" 2>&1 &
    outer_pid=$!
    disown "$outer_pid"
    if ! until_true 60 outer_answers; then
        tail -n 20 "$work/outer.log" >&2
        return 1
    fi
}

outer_answers() {
    init_pid=$(cat "/proc/$outer_pid/task/$outer_pid/children" 2>/dev/null)
    init_pid=${init_pid%% *}
    [ -n "$init_pid" ] && inside busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 \
        org.freedesktop.DBus.Peer Ping
}

# start_daemon_inside [OPTION...]: $daemon_pid as it is out here; its region is $region.
start_daemon_inside() {
    region=$shared/region
    table_before=$(stat -c %i "$region/table" 2>/dev/null)
    inside /build/containerd-meta --region /shared/region "$@" >>"$work/daemon.log" 2>&1 &
    disown $!
    until_true 20 table_is_new
    until_true 20 daemon_is_inside
    daemon_pid=$(pidof_inside containerd-meta)
    pids+=("$daemon_pid")
}

# The region of a daemon that ended stays until the next one has made its own.
table_is_new() { [ "$(stat -c %i "$region/table")" != "$table_before" ]; }
daemon_is_inside() { [ -n "$(pidof_inside containerd-meta)" ]; }

# A region is of one boot, and a container of systemd-nspawn counts boots of its own.
ctl() { inside /build/containerd-meta-ctl --region /shared/region "$@"; }

engine_state() { [ "$(ctl engines -o json | jq -r '.[] | select(.name == "nspawn").state')" = "$1" ]; }

# pidof_inside COMM: the number out here of the process below the private systemd that is called so
pidof_inside() {
    local namespace status
    namespace=$(readlink "/proc/$init_pid/ns/pid")
    for status in $(grep -lsx "Name:.$1" /proc/[0-9]*/status); do
        [ "$(readlink "${status%status}ns/pid")" = "$namespace" ] && cut -d/ -f3 <<<"$status"
    done
}

# inside COMMAND...: in the private systemd's place
inside() { nsenter -t "$init_pid" -a "$@"; }

# machine NAME [OPTION...] -- COMMAND...: a container of systemd-nspawn, in the background.
machine() {
    local name=$1
    shift
    inside setsid systemd-nspawn --quiet --machine "$name" --console=pipe "$@" </dev/null >>"$work/machines.log" 2>&1 &
    disown $!
}
leader_of() { inside machinectl show "$1" -p Leader --value; }

stop_outer() {
    [ -n "${outer_pid:-}" ] || return 0
    kill -RTMIN+4 "$init_pid" 2>/dev/null # power off
    until_true 30 gone "$outer_pid" || end "$outer_pid" KILL
    outer_pid=
}
