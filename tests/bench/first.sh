#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Before the first instruction: real containers whose first program notes the time; how many of them
# had their whole record readable before, and by how much. Half of them start one at a time, half
# as fast as this machine goes.
# usage: tests/bench/first.sh docker|podman|containerd|cri [COUNT]
set -u
engine=$1
count=${2:-${FIRST_COUNT:-100}}
. "$(dirname "$0")/../engines/lib.sh"
begin
case $engine in
docker | podman) . "$here/$engine.sh" ;;
*) . "$here/containerd.sh" ;;
esac
case $engine in
docker | podman) hindrance=$("${engine}_hindrance") ;;
*) hindrance=$(containerd_hindrance) ;;
esac
if [ -n "$hindrance" ]; then
    echo "first.sh: $engine is not measured: $hindrance" >&2
    exit 0
fi
image=registry.test:5000/team/lab:1.0
stamps=$work/stamps
mkdir -p "$stamps/at"
cp "$BUILD/bench/first_stamp" "$stamps/stamp"
# The region is on tmpfs, as in life.
region=$(mktemp -d /dev/shm/containerd-meta.XXXXXX)
trap 'rm -rf "$region"; cleanup' EXIT
chmod 755 "$region"

# --- the engines: begin_ENGINE makes it, run_ENGINE NAME starts one and prints its ID --------------
begin_docker() {
    start_docker && make_image "$image" &&
        sockets="docker: {enabled: true, sockets: [$docker_sock]}" &&
        bundles=$docker_base/exec/containerd/daemon/io.containerd.runtime.v2.task
}
run_docker() {
    docker run -d --network none --name "$1" -v "$stamps:/stamps" -l app=web "$image" /stamps/stamp "/stamps/at/$1"
}

begin_podman() {
    configure_podman && make_podman_image "$image" && start_podman &&
        sockets="podman: {enabled: true, sockets: [$podman_sock]}" &&
        bundles=$podman_base/root/overlay-containers
}
run_podman() {
    podman run -d --network none --name "$1" -v "$stamps:/stamps" -l app=web "$image" /stamps/stamp "/stamps/at/$1"
}

begin_containerd() {
    start_containerd && import_images "$image" &&
        sockets="containerd: {enabled: true, sockets: [$ctd_sock]}" &&
        bundles=$ctd_base/state/io.containerd.runtime.v2.task
}
run_containerd() {
    ctr_run default "$image" "$1" /stamps/stamp "/stamps/at/$1" -- --label app=web \
        --mount "type=bind,src=$stamps,dst=/stamps,options=rbind:rw" && echo "$1"
}

begin_cri() { begin_containerd && pod=$(run_pod web shop 1234-5678); }
run_cri() {
    run_in web "$pod" "$1" "$image" --mount "$stamps:/stamps" -- /stamps/stamp "/stamps/at/$1"
}

run_some() { # FROM TO
    local i id
    for ((i = $1; i < $2; i++)); do
        id=$("run_$engine" "$engine-$i" 2>>"$work/run.log") && echo "$engine-$i $id" >>"$work/ids.$1"
    done
}

# --- the starts ------------------------------------------------------------------------------------
"begin_$engine" >&2 || exit 1
printf 'engines:\n' >"$work/config.yaml"
for name in docker podman containerd cri; do
    case $sockets in
    "$name":*) echo "  $sockets" ;;
    *) echo "  $name: {enabled: false}" ;;
    esac
done >>"$work/config.yaml"
printf '  bundle: {enabled: true, folders: [%s]}\nlog_level: notice\n' "$bundles" >>"$work/config.yaml"
sed -i -e 's/{/{ /g' "$work/config.yaml"
start_daemon --config "$work/config.yaml"
until_true 20 engine_state connected || { cat "$work/daemon.log" >&2; exit 1; }
"$BUILD/bench/first_complete" "$region" >"$work/complete" &
watcher=$!
pids+=("$watcher")
run_some 0 $((count / 2))
ticks() { awk '{print $14 + $15}' "/proc/$daemon_pid/stat"; }
ticks_before=$(ticks) begun=$(date +%s%N)
workers=$(($(nproc) * 2))
for ((w = 0; w < workers; w++)); do
    run_some $((count / 2 + (count - count / 2) * w / workers)) \
        $((count / 2 + (count - count / 2) * (w + 1) / workers)) &
    workers_pids[w]=$!
done
wait "${workers_pids[@]}"
awk -v ticks=$(($(ticks) - ticks_before)) -v ns=$(($(date +%s%N) - begun)) -v hz="$(getconf CLK_TCK)" -v n=$((count - count / 2)) \
    -v engine="$engine" 'BEGIN {
        s = ns / 1e9
        printf "# %s: at %.1f starts a second the daemon takes %.2f %% of a processor, all questions included\n",
            engine, n / s, ticks / hz / s * 100 >"/dev/stderr"
        # scaled to ten a second
        if (engine == "containerd") printf "prestart_cpu_percent %.2f percent\n", ticks / hz / n * 10 * 100
    }'
all_stamped() { [ "$(find "$stamps/at" -type f -size +0 | wc -l)" -ge "$(cat "$work"/ids.* | wc -l)" ]; }
until_true 30 all_stamped
all_complete() { [ "$(cut -d' ' -f1 "$work/complete" | grep -cxFf <(cat "$work"/ids.* | cut -d' ' -f2))" -ge "$(cat "$work"/ids.* | wc -l)" ]; }
until_true 10 all_complete # what comes late is late, and not missing
end "$watcher"

# --- what came of it -------------------------------------------------------------------------------
# name ID stamp complete first, missing ones 0
while read -r name id; do
    stamp=$(cat "$stamps/at/$name" 2>/dev/null)
    [ -n "$stamp" ] && echo "$name $id $stamp $(awk -v id="$id" '$1 == id {print $2, $3; found = 1} END {if (!found) print 0, 0}' "$work/complete")"
done < <(cat "$work"/ids.*) >"$work/result"
started=$(wc -l <"$work/result")
if [ "$started" -lt $((count * 9 / 10)) ]; then
    echo "first.sh: only $started of $count containers of $engine started" >&2
    tail -n 5 "$work/run.log" >&2
    exit 1
fi
awk '{printf "%.3f\n", $4 ? ($3 - $4) / 1e6 : -1e6}' "$work/result" | sort -n |
    awk -v engine="$engine" '{lead[NR] = $1; early += $1 > 0}
        END {
            p1 = lead[int((NR - 1) / 100) + 1]
            printf "# %s: %d starts, %d late or missing; lead: least %.1f, p1 %.1f, median %.1f ms\n", engine, NR,
                NR - early, lead[1], p1, lead[int((NR + 1) / 2)] >"/dev/stderr"
            printf "first_instruction_%s_percent %.3f percent\n", engine, early * 100 / NR
            printf "first_instruction_%s_lead_p1_ms %.3f ms\n", engine, p1
        }'
awk '$4 == 0 || $4 > $3 {print "# late:", $0}' "$work/result" >&2
ctl stats -o json | jq -r '(if type == "array" then .[0] else . end).counters | to_entries[] | select(.key | test("hint|cgroup|stale")) | "# \(.key) \(.value.value)"' >&2
[ -n "${FIRST_KEEP:-}" ] && cp "$work/result" "$FIRST_KEEP"
exit 0
