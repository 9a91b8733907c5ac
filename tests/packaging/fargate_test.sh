#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The three ways to run in a task on Fargate, as packaging/fargate has them, each tried with Linux
# namespaces in place of the task: its network with the metadata endpoint at 169.254.170.2, its volumes
# in memory, a cgroup ecs/<task>/<id> per container. What a container runs comes from the task
# definition and the Dockerfile. The plugin host reads in Falco's place.
set -u
. "$(dirname "$0")/../engines/lib.sh"
begin
fargate=$top/packaging/fargate
task=0f1e2d3c4b5a69788796a5b4c3d2e1f0
opt=/opt/containerd-meta

hindrance() {
    local tool
    [ "$(id -u)" = 0 ] || { echo "not root"; return; }
    for tool in jq ip busybox unshare nsenter; do command -v "$tool" >/dev/null || { echo "no $tool"; return; }; done
    [ -n "$cgroups" ] || { echo "no hierarchy of cgroups that may be written"; return; }
    unshare -n -m -p -f true 2>/dev/null || echo "no right to make namespaces"
}

# The first hierarchy that takes our cgroups.
writable_cgroups() {
    local place level
    for place in /sys/fs/cgroup/pids /sys/fs/cgroup; do
        [ -e "$place/cgroup.procs" ] && mkdir -p "$place/ecs/$task" 2>/dev/null || continue
        # Of version 2 a controller must be there, or libsinsp takes the cgroup for none.
        [ ! -e "$place/cgroup.subtree_control" ] ||
            for level in "$place" "$place/ecs" "$place/ecs/$task"; do echo +pids >"$level/cgroup.subtree_control"; done
        echo "$place/ecs/$task"
        return
    done
}
cgroups=$(writable_cgroups)
why=$(hindrance)
[ -z "$why" ] || { skip "the three ways on Fargate: $why"; exit 0; }

# --- images --------------------------------------------------------------------------------------

# of_stage STAGE WORD: what an image's Dockerfile says behind WORD, the last time.
of_stage() {
    awk -v stage="$1" -v word="$2" '$1 == "FROM" {on = $NF == stage} on && $1 == word {sub(/^[A-Z]+ /, ""); last = $0}
        END {print last}' "$fargate/Dockerfile"
}

# What is in an image, as files in a folder. The application's own image has nothing but a busybox.
make_image() { # NAME
    local root=$work/images/$1
    mkdir -p "$root"/{bin,dev,etc,opt,proc,run,tmp}
    case $1 in
    embedded | app | falco)
        cp "$(command -v busybox)" "$root/bin/"
        ln -s busybox "$root/bin/sleep" && ln -s busybox "$root/bin/sh"
        ;;
    esac
    case $1 in
    embedded | sidecar) cp -a "$work/bundle" "$root$opt" ;;
    falco) mkdir -p "$root$opt" && cp "$work/bundle/libcontainer.so" "$root$opt/" ;;
    esac
    mkdir -p "$root$opt" "$root/run/containerd-meta"
}

# The reader in Falco's place, with its libraries: it runs in any image.
make_reader() {
    local library
    mkdir -p "$work/reader/lib"
    cp "$host_bin" "$work/bundle/lib/ld.so" "$work/reader/"
    ldd "$host_bin" | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p' | while read -r library; do cp "$library" "$work/reader/lib/"; done
}

# --- the task ------------------------------------------------------------------------------------

# definition JQ [OPTION...]: of the task
definition() { jq -r "$@" "$fargate/$way.json"; }
names() { definition '.containerDefinitions[].name'; }
of() { definition --arg name "$1" ".containerDefinitions[] | select(.name == \$name) | $2"; }
id_of() { echo "$task-$((1000000000 + $(names | grep -nx "$1" | cut -d: -f1)))"; }
image_of() {
    case $(of "$1" .image) in
    */containerd-meta:sidecar) echo sidecar ;;
    */cart:embedded) echo embedded ;;
    */falco:containerd-meta) echo falco ;;
    *) echo app ;;
    esac
}

# What the endpoint tells of it. tell [NAME STATUS]
tell() {
    definition --arg task "$task" --arg name "${1:-}" --arg status "${2:-}" '{
        Cluster: "arn:aws:ecs:eu-west-3:111122223333:cluster/shop", Family: .family, Revision: "12", LaunchType: "FARGATE",
        TaskARN: "arn:aws:ecs:eu-west-3:111122223333:task/shop/\($task)", KnownStatus: "RUNNING", Limits: {CPU: 0.5, Memory: 1024},
        Containers: [.containerDefinitions | to_entries[] | {
            DockerId: "\($task)-\(1000000001 + .key)", Name: .value.name, DockerName: .value.name, Image: .value.image,
            ImageID: "sha256:5f4d6c1e0b9a8877665544332211ffeeddccbbaa99887766554433221100abcd", Type: "NORMAL",
            KnownStatus: (if .value.name == $name then $status else "RUNNING" end), ExitCode: (if .value.name == $name then 7 else null end),
            CreatedAt: "2026-03-04T05:06:06Z", StartedAt: "2026-03-04T05:06:07Z",
            Networks: [{NetworkMode: "awsvpc", IPv4Addresses: ["10.20.30.40"]}]}]}' >"$place/task.json"
    [ -z "${1:-}" ] || echo "on GET /v4/$way/task answer file=task.json" >&"$endpoint"
}

start_task() { # WAY
    local volume
    way=$1
    place=$work/$way
    mkdir -p "$place/volumes"
    for volume in $(definition '.volumes // [] | .[].name'); do
        mkdir "$place/volumes/$volume" && mount -t tmpfs -o mode=755 tmpfs "$place/volumes/$volume"
    done
    # Network and process numbers that the task's containers share.
    unshare -n -p -f bash -c 'ip link set lo up && ip addr add 169.254.170.2/32 dev lo && exec sleep 1000000' &
    pids+=($!)
    disown $!
    until_true 10 eval "holder=\$(pgrep -P $!)"
    holder=$(pgrep -P "${pids[-1]}")
    until_true 10 nsenter -t "$holder" -n ip addr show to 169.254.170.2
    tell
    printf '%s\n' "GET /v4/$way/task answer file=task.json" >"$place/endpoint.rules"
    mkfifo "$place/endpoint"
    nsenter -t "$holder" -n "$BUILD/fake-http-engine" 169.254.170.2:80 "$place/endpoint.rules" <"$place/endpoint" >"$place/endpoint.log" 2>&1 &
    pids+=($!)
    disown $!
    exec {endpoint}>"$place/endpoint"
    until_true 10 grep -q ready "$place/endpoint.log"
}

# The root of a container: its image, volumes where the definition mounts them.
prepare_root() { # NAME
    local root=$place/roots/$1 image volume path mode
    image=$(image_of "$1")
    rm -rf "$root"
    mkdir -p "$place/roots" && cp -a "$work/images/$image" "$root"
    mkdir -p "$root/reader"
    while read -r volume path mode; do
        mkdir -p "$root$path"
        # A volume that is mounted over a VOLUME of the image gets what is there.
        if [ "$(of_stage "$image" VOLUME)" = "$path" ] && [ -z "$(ls -A "$place/volumes/$volume")" ]; then
            cp -a "$root$path/." "$place/volumes/$volume/"
        fi
        echo "mount --bind $place/volumes/$volume $root$path && mount -o remount,bind,$mode $root$path"
    done < <(of "$1" '.mountPoints // [] | .[] | "\(.sourceVolume) \(.containerPath) \(if .readOnly then "ro" else "rw" end)"') \
        >"$place/$1.mounts"
}

start_container() { # NAME
    local root=$place/roots/$1 cgroup enter=(-n) unshare=(-m) own_view= words first
    cgroup=$cgroups/$(id_of "$1")
    mkdir -p "$cgroup"
    prepare_root "$1"
    words=$(of "$1" '.entryPoint // empty')
    [ -n "$words" ] || words=$(of_stage "$(image_of "$1")" ENTRYPOINT)
    first=$(of "$1" '.command // empty')
    [ -n "$first" ] || first=$(of_stage "$(image_of "$1")" CMD)
    [ "$(image_of "$1")" != falco ] || first='["sleep", "1000000"]' # the reader is started in it
    mapfile -t words < <(jq -rn "(${words:-[]} + ${first:-[]})[]")
    if [ "$(definition .pidMode)" = task ]; then enter=(-n -p); else unshare=(-m -p -f); fi
    [ "$(image_of "$1")" != falco ] || own_view=-C
    # Falco's has a cgroup namespace besides: what it sees of the other containers is /../<id>.
    nsenter -t "$holder" "${enter[@]}" unshare "${unshare[@]}" bash -c '
        root=$1 mounts=$2 cgroup=$3 reader=$4 variable=$5 view=$6
        shift 6
        echo 0 >"$cgroup/cgroup.procs" && mount --make-rprivate / && . "$mounts" &&
            mount --bind "$reader" "$root/reader" && mount -t proc proc "$root/proc" && mount --bind /dev "$root/dev" &&
            mkdir -p "$root/sys/fs/cgroup" && mount --rbind -o ro /sys/fs/cgroup "$root/sys/fs/cgroup" &&
            exec unshare $view env -i PATH=/bin "$variable" "$(command -v chroot)" "$root" "$@"' _ \
        "$root" "$place/$1.mounts" "$cgroup" "$work/reader" \
        "ECS_CONTAINER_METADATA_URI_V4=http://169.254.170.2/v4/$way" "${own_view:-}" "${words[@]}" >>"$place/$1.log" 2>&1 &
    pids+=($!)
    disown $!
    until_true 10 has_process "$cgroup" || fail "${way}_$1 can't be started: $(cat "$place/$1.log")"
}
has_process() { [ -n "$(cat "$1/cgroup.procs")" ]; }

# in_container NAME [-C] COMMAND...
in_container() {
    local pid
    pid=$(first_of "$1")
    shift
    [ "$1" = -C ] && set -- "$@" || set -- -- "$@"
    nsenter -t "$pid" -m -n -p --root --wdns=/ "$@"
}
# The oldest process in a container.
first_of() { xargs ps -o pid= --sort start_time -p <"$cgroups/$(id_of "$1")/cgroup.procs" | awk 'NR == 1 {print $1}'; }
healthy() {
    local words
    mapfile -t words < <(of "$1" '.healthCheck.command[1:][]')
    in_container "$1" "${words[@]}"
}

start_containers() {
    local name needed condition
    for name in $(names); do
        while read -r needed condition; do
            [ "$condition" != HEALTHY ] || check "${way//-/_}_${needed}_becomes_healthy_before_${name}_starts" until_true 20 healthy "$needed"
        done < <(of "$name" '.dependsOn // [] | .[] | "\(.containerName) \(.condition)"')
        start_container "$name"
    done
}

end_task() {
    local name pid
    for name in $(names); do
        while read -r pid; do end "$pid" KILL; done <"$cgroups/$(id_of "$name")/cgroup.procs"
        until_true 10 rmdir "$cgroups/$(id_of "$name")"
    done
    rmdir "$cgroups" "${cgroups%/*}" 2>/dev/null
    exec {endpoint}>&-
    for pid in "${pids[@]}"; do end "$pid"; done
    end "$holder" KILL
    pids=()
}

# --- what is seen --------------------------------------------------------------------------------

# seen FROM NAME [VIEW]: what the plugin in container FROM says of a process of container NAME, a line.
# VIEW -C is FROM's own of the cgroups, else it is the machine's.
seen() {
    in_container "$1" ${3:-} /reader/ld.so --library-path /reader/lib /reader/plugin-host --plugin "$opt/libcontainer.so" \
        --region /run/containerd-meta --quiet -o json --containers --wait-name 10 --fields "$fields" |
        jq -r --arg name "$2" --arg fields "$fields" \
            '[.[] | select(."container.name" == $name)][0] as $row | [$fields | split(",")[] | $row[.] | tostring] | join(" ")'
}
fields='container.id,container.name,container.type,container.image,container.privileged,container.ip'
fields+=',container.label[com.amazonaws.ecs.task-definition-family]'
expected() {
    echo "$(id_of "$1") $1 ecs $(of "$1" .image) false 10.20.30.40 $(definition .family)"
}
sees() { [ "$(seen "$@")" = "$(expected "$2")" ]; }
check_seen() { # TEXT FROM NAME [VIEW]
    local text=$1
    shift
    until_true 20 sees "$@"
    check_equal "${way//-/_}_$text" "$(expected "$2")" "$(seen "$@")"
}
member_of() { in_container "$1" "$opt/bin/busybox" sh "$opt/start" ctl inspect "$2" | jq -r ".[0] | $3"; }
member_of_is() { [ "$(member_of "$1" "$2" "$3")" = "$4" ]; }
# The daemon in a container: PIDs, as the machine has them.
daemons_of() {
    local pid
    while read -r pid; do
        tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q "bin/containerd-meta --region" && echo "$pid"
    done <"$cgroups/$(id_of "$1")/cgroup.procs"
}
has_another_daemon() { local now; now=$(daemons_of "$1") && [ -n "$now" ] && [ "$now" != "$2" ]; }
write_refused() { ! in_container "$1" "$opt/bin/busybox" touch "$2" 2>/dev/null; }

BUILD=$BUILD "$fargate/bundle" "$work/bundle" || { fail "the bundle can't be made"; exit 1; }
for image in sidecar embedded app falco; do make_image "$image"; done
make_reader

# --- all in one image ----------------------------------------------------------------------------
start_task embedded
start_containers
check_seen the_application_sees_itself web web
daemon=$(daemons_of web)
end "$daemon" KILL
check_seen a_table_outlives_its_daemon web web
check embedded_a_daemon_that_ends_is_started_again until_true 20 has_another_daemon web "$daemon"
check_equal embedded_the_application_is_what_the_task_waits_for "sleep 1000000 " "$(tr '\0' ' ' <"/proc/$(first_of web)/cmdline")"
end_task

# --- a sidecar that sleeps, and lends its programs and the table's place --------------------------
start_task sleeping-sidecar
start_containers
check_seen the_application_sees_itself web web
check sleeping_sidecar_the_sidecar_does_nothing [ -z "$(daemons_of containerd-meta)" ]
check sleeping_sidecar_the_sidecar_shows_the_table until_true 20 member_of_is containerd-meta web .container.name web
check sleeping_sidecar_the_programs_can_t_be_changed_by_the_application write_refused web "$opt/start"
check sleeping_sidecar_the_table_can_t_be_changed_by_the_sidecar write_refused containerd-meta /run/containerd-meta/x
end_task

# --- a sidecar -----------------------------------------------------------------------------------
start_task sidecar
start_containers
check_seen falco_sees_the_application falco web
check_seen falco_sees_the_application_from_a_cgroup_namespace falco web -C
check_seen falco_sees_the_daemon_s_container falco containerd-meta
check_seen falco_s_view_has_the_daemon_s_container_too falco containerd-meta -C
check sidecar_falco_can_t_change_the_table eval '! in_container falco sh -c "echo x >/run/containerd-meta/x" 2>/dev/null'
daemon=$(daemons_of containerd-meta)
end "$daemon" KILL
check_seen a_table_outlives_its_container falco web
start_container containerd-meta # as its restart policy says
check sidecar_the_container_is_started_again until_true 20 healthy containerd-meta
check_seen falco_sees_the_next_table falco web
# Nobody is told of changes: they are seen within ten seconds.
tell web STOPPED
check sidecar_a_stopped_container_exits until_true 30 member_of_is containerd-meta web .state exited
check_equal sidecar_with_its_status 7 "$(member_of containerd-meta web .exit_code)"
end_task
finish
