# SPDX-License-Identifier: Apache-2.0
# A user's podman beside root's: a user that only exists in a mount namespace of its own. Sourced by
# podman_test.sh.
# shellcheck shell=bash disable=SC2154

rootless_uid=64999
rootless_run=$users/$rootless_uid

# The user's world: its own passwd and subordinate IDs, and a home.
configure_rootless() {
    local home=$work/home
    mkdir -p "$home/conf" "$rootless_run/podman" "$work/user-shm"
    { cat /etc/passwd; echo "tester:x:$rootless_uid:$rootless_uid::$home:/bin/sh"; } >"$work/passwd"
    { cat /etc/group; echo "tester:x:$rootless_uid:"; } >"$work/group"
    echo "tester:2000000:65536" >"$work/subid"
    cat >"$home/conf/containers.conf" <<END
[containers]
pids_limit = 0
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "fitted"
[engine.runtimes]
fitted = ["$here/runc-fitted"]
END
    cat >"$home/conf/storage.conf" <<END
[storage]
driver = "vfs"
graphroot = "$home/root"
runroot = "$rootless_run/containers"
END
    chown -R "$rootless_uid:$rootless_uid" "$home" "$rootless_run"
    chmod 700 "$rootless_run"
    chmod 1777 "$work/user-shm"
}

# as_user COMMAND...
as_user() {
    unshare -m --propagation private bash -c '
        mount --bind "$1/user-shm" /dev/shm && mount --bind "$1/passwd" /etc/passwd && mount --bind "$1/group" /etc/group &&
        touch /etc/subuid /etc/subgid && mount --bind "$1/subid" /etc/subuid && mount --bind "$1/subid" /etc/subgid || exit 1
        work=$1 uid=$2 run=$3; shift 3
        cd "$work/home" && exec setpriv --reuid="$uid" --regid="$uid" --clear-groups env -i PATH="$PATH" \
            HOME="$work/home" XDG_RUNTIME_DIR="$run" CONTAINERS_CONF="$work/home/conf/containers.conf" \
            CONTAINERS_STORAGE_CONF="$work/home/conf/storage.conf" "$@"' \
        _ "$work" "$rootless_uid" "$rootless_run" "$@"
}
user_podman() { as_user "$podman_bin" "$@"; }

# podman does its work in a process of its own, behind the one that was started.
end_of_user() {
    local pid
    for pid in $(grep -lsF -- "$1" /proc/[0-9]*/cmdline | cut -d/ -f3); do
        [ "$pid" = $$ ] || end "$pid"
    done
}

stop_rootless() {
    local pause
    [ -n "${rootless_pid:-}" ] || return 0
    user_podman rm -fa -t 0 >/dev/null 2>&1
    end "$rootless_pid"
    end_of_user "$rootless_run/podman/podman.sock"
    rootless_pid=
    # The process that holds the user's namespace.
    pause=$(cat "$rootless_run/libpod/tmp/pause.pid" 2>/dev/null)
    [ -z "$pause" ] || end "$pause" KILL
}

rootless_checks() {
    local sock=$rootless_run/podman/podman.sock why id
    configure_rootless
    if ! user_podman info >"$work/rootless.log" 2>&1; then
        skip "podman: a user's own: $(tail -n 1 "$work/rootless.log")"
        return
    fi
    tar -C "$work/podman-image" -c . | user_podman import - "$image" >/dev/null 2>&1
    as_user "$podman_bin" system service --time=0 "unix://$sock" >>"$work/rootless.log" 2>&1 &
    rootless_pid=$!
    disown "$rootless_pid"
    pids+=("$rootless_pid")
    check "a_user_who_logs_in_is_connected" until_true 20 row_is "$sock" .state connected
    if ! user_podman run -d --network none --name theirs -l app=mine "$image" sleep 1000 >"$work/rootless.log" 2>&1; then
        skip "podman: a user's container: $(tail -n 1 "$work/rootless.log")"
        return
    fi
    check_member "a_users_container_is_complete" theirs .complete true
    check_member "its_type" theirs .container.type 11
    check_member "its_label" theirs .container.labels.app mine
    check_member "its_pid_is_the_hosts" theirs .pid "$(user_podman inspect -f '{{.State.Pid}}' theirs)"
    check_equal "its_row_is_the_users" theirs \
        "$(ctl inspect theirs | jq -r --arg socket "$sock" '.[0] | select(.groups.identity.socket == $socket) | .container.name')"
    check_member "roots_container_stands_beside_it" wake .container.name wake
    end "$rootless_pid"
    end_of_user "$sock"
    rm -f "$sock"
    rootless_gone() { [ -z "$(row "$sock" .state)" ]; }
    check "a_user_who_logs_out_takes_the_row_along" until_true 20 rootless_gone
    id=$(user_podman inspect -f '{{.Id}}' theirs)
    check "and_the_containers" until_true 10 absent "$id"
    stop_rootless
}
