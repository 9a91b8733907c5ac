// SPDX-License-Identifier: Apache-2.0
// LXC: containers that no daemon looks after. Each has a folder with its configuration, and while
// it runs a monitor of its own that can be asked for state, first process and cgroup.
//
// What there is is read from the folders, from the moment a configuration is written: the record
// stands before the container is started. That one was started is seen by its cgroup (a hint) and,
// at the latest, by asking every ten seconds; that it ended, by its first process's end. liblxc is
// not used: it waits for answers, and forks to learn addresses.
//
// Source: LXC 3.0 to 6; lxc.system.conf(5), lxc.container.conf(5).
#include "ask_queue.h"
#include "containerd-meta/cleanup.h"
#include "containerd-meta/clock.h"
#include "containerd-meta/log.h"
#include "engine.h"
#include "lxc_command.h"
#include "lxc_config.h"
#include "state_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYSTEM_PATH      "/var/lib/lxc"
#define SYSTEM_CONF      "/etc/lxc/lxc.conf"
#define SYSTEM_CONF_MAX  65536u
#define PARALLEL         32u                // monitors asked at once
#define ADDRESSES_AGE_US UINT64_C(60000000) // after that, addresses are looked at again
#define SCOPE_MAX        127u               // of what captures can carry

struct lxc {
    struct state_folder folder;
    const struct engine_host *host;
    struct ask_queue *queue;
    char path[PATH_MAX]; // lxcpath as the host sees it
    char scope[SCOPE_MAX + 1];
    bool sees_monitors; // in the host's network namespace: who isn't heard there doesn't run
};

struct lxc_item {
    struct state_item item; // first
    struct ask ask;
    struct lxc_command *command;
    char *hinted; // the cgroup that made us ask, where it isn't called as the container
    enum lxc_state state;
    bool reread;        // tell everything, not the status alone
    bool network_sure;  // all addresses are known
    uint64_t looked_us; // at addresses
};

static struct lxc *lxc_of(const struct lxc_item *item)
{
    return (struct lxc *)item->item.folder; // first member of the instance
}

// --- configurations ------------------------------------------------------------------------------

static bool begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

// In a folder of somebody's, only what is root's or beside it: see folder_watch.h.
static bool may_include(const struct lxc *lxc, const char *path)
{
    if (*path != '/' || strstr(path, "/../"))
        return false;
    return folder_watch_trusted(lxc->folder.watch) || begins(path, "/usr/share/lxc/") ||
           begins(path, "/usr/local/share/lxc/") || begins(path, "/etc/lxc/");
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_conf(const struct dirent *found)
{
    size_t len = strlen(found->d_name);

    return len > 5 && strcmp(found->d_name + len - 5, ".conf") == 0;
}

static int load_file(const char *path, size_t max,
                     int (*take)(void *argument, const char *text, size_t len), void *argument)
{
    CLEANUP(freep)
    char *text = NULL;
    size_t len;
    int r = folder_file_read(AT_FDCWD, path, false, max, &text, &len);

    return r < 0 ? r : take(argument, text, len);
}

static int load_folder(const char *path, size_t max,
                       int (*take)(void *argument, const char *text, size_t len), void *argument)
{
    struct dirent **names;
    int count = scandir(path, &names, is_conf, compare_names), r = count < 0 ? -errno : 0;

    for (int i = 0; i < count; i++) {
        char whole[PATH_MAX];

        if (r == 0 &&
            snprintf(whole, sizeof(whole), "%s/%s", path, names[i]->d_name) < (int)sizeof(whole))
            r = load_file(whole, max, take, argument);
        free(names[i]);
    }
    if (count >= 0)
        free(names);
    return r;
}

static int load_include(void *userdata, const char *path, size_t max,
                        int (*take)(void *argument, const char *text, size_t len), void *argument)
{
    const struct lxc *lxc = userdata;
    char whole[PATH_MAX];
    struct stat st;

    if (!may_include(lxc, path))
        return -EPERM;
    if (snprintf(whole, sizeof(whole), "%s%s", lxc->host->host_root, path) >= (int)sizeof(whole))
        return -ENAMETOOLONG;
    if (stat(whole, &st) < 0)
        return -errno;
    return S_ISDIR(st.st_mode) ? load_folder(whole, max, take, argument)
                               : load_file(whole, max, take, argument);
}

static struct lxc_config *read_config(struct lxc_item *item)
{
    struct lxc *lxc = lxc_of(item);
    const struct lxc_includes includes = {lxc, load_include};
    struct lxc_config *config;
    CLEANUP(freep)
    char *text = NULL;
    size_t len;
    int r = folder_watch_read(lxc->folder.watch, item->item.name, "config", LXC_CONFIG_BYTES_MAX,
                              &text, &len);

    if (r < 0) {
        state_item_note(&item->item, "its configuration can't be read", r);
        return NULL;
    }
    config = lxc_config_read(text, len, &includes);
    if (config && !lxc_config_is_whole(config))
        state_item_note(&item->item, "what its configuration includes can't be read", 0);
    return config;
}

// --- what the sink is told -----------------------------------------------------------------------

static uint32_t status_word(const struct lxc_item *item)
{
    switch (item->state) {
    case LXC_STARTING:
        return CMETA_STATE_CREATED;
    case LXC_FREEZING:
    case LXC_FROZEN:
        return CMETA_STATE_PAUSED;
    case LXC_RUNNING:
    case LXC_THAWED:
        return CMETA_STATE_RUNNING;
    default: // on its way down it runs as long as its first process does
        return item->item.pid ? CMETA_STATE_RUNNING : CMETA_STATE_EXITED;
    }
}

// There is no such thing as an image, a pod or a health check.
static void know_what_isnt(struct container *container)
{
    static const enum cmeta_string images[] = {CMETA_STRING_IMAGE, CMETA_STRING_IMAGE_ID,
                                               CMETA_STRING_IMAGE_REPO, CMETA_STRING_IMAGE_TAG,
                                               CMETA_STRING_IMAGE_DIGEST};

    for (size_t i = 0; i < sizeof(images) / sizeof(images[0]); i++)
        container_set(container, images[i], "");
    container_know(container, CMETA_GROUP_IMAGE);
    container_know(container, CMETA_GROUP_POD);
    container_know(container, CMETA_GROUP_HEALTH);
}

static void fill(struct lxc_item *item, struct container *container)
{
    const struct lxc *lxc = lxc_of(item);
    struct lxc_config *config = read_config(item);

    container->content.type = CMETA_TYPE_LXC;
    container->content.created_ns = folder_watch_born_ns(lxc->folder.watch, item->item.name, NULL);
    container->content.started_ns = item->item.started_ns;
    container_set(container, CMETA_STRING_NAME, item->item.name);
    container_know(container, CMETA_GROUP_IDENTITY);
    know_what_isnt(container);
    if (!config)
        return;
    if (item->item.pid && !lxc_config_has_host_network(config))
        process_add_addresses(lxc->host->host_root, item->item.pid, container);
    lxc_config_apply(config, container, &lxc->host->limits);
    lxc_config_free(config);
}

static void observe(struct lxc_item *item, bool sure)
{
    const struct lxc *lxc = lxc_of(item);
    struct engine_sink *sink = lxc->host->sink;
    engine_stamp asked = sink->stamp(sink);
    CLEANUP(container_freep)
    struct container *container = container_new(item->item.id, strlen(item->item.id), lxc->scope);
    uint32_t unknown;

    if (!container)
        return;
    fill(item, container);
    container->has_status = sure;
    container->status = status_word(item);
    container->pid = (uint32_t)item->item.pid;
    unknown = CMETA_GROUPS_ALL & ~container->content.known;
    item->network_sure = !(unknown & CMETA_GROUP_BIT(CMETA_GROUP_NETWORK));
    item->looked_us = clock_us(CLOCK_MONOTONIC);
    item->reread = false;
    if (container_failed(container))
        return;
    sink->observe(sink, asked, container);
    if (unknown == CMETA_GROUP_BIT(CMETA_GROUP_NETWORK) && item->item.pid)
        return; // its addresses are still to come
    if (unknown)
        sink->reason(sink, item->item.id, strlen(item->item.id), lxc->scope, unknown,
                     CMETA_REASON_NOT_TOLD);
}

// @finished_ns: -1: not now.
static void tell(struct lxc_item *item, const char *id, bool sure, int64_t finished_ns)
{
    const struct lxc *lxc = lxc_of(item);
    struct engine_sink *sink = lxc->host->sink;
    bool fresh = item->reread || strcmp(item->item.id, id) != 0;

    state_item_identify(&item->item, id);
    if (fresh)
        observe(item, sure);
    if (sure && (!fresh || finished_ns >= 0))
        sink->status(sink, sink->stamp(sink), id, strlen(id), lxc->scope, status_word(item), 0xff,
                     item->item.pid, finished_ns);
    state_item_set_pending(&item->item, false);
}

// --- questions -----------------------------------------------------------------------------------

static void ask_monitor(struct lxc_item *item, enum lxc_question question);

static const char *known_id(const struct lxc_item *item)
{
    return *item->item.id ? item->item.id : item->item.name;
}

static void on_stopped(struct lxc_item *item)
{
    const struct lxc *lxc = lxc_of(item);
    bool sure = lxc->sees_monitors;
    bool ran = item->item.pid != 0;

    if (sure) {
        state_item_follow(&item->item, 0);
        item->state = LXC_STOPPED;
    }
    tell(item, sure ? item->item.name : known_id(item), sure,
         sure && ran ? (int64_t)clock_ns(CLOCK_REALTIME) : -1);
    ask_done(lxc->queue, &item->ask);
}

// Nothing that one could go by: what is known of it stands.
static void on_failed(struct lxc_item *item, const char *what, int error)
{
    state_item_note(&item->item, what, error);
    tell(item, known_id(item), false, -1);
    ask_failed(lxc_of(item)->queue, &item->ask);
}

// In between: its state is told, and it is asked again soon.
static void on_the_way(struct lxc_item *item, const char *id)
{
    tell(item, id, true, -1);
    ask_failed(lxc_of(item)->queue, &item->ask);
}

static void on_process(struct lxc_item *item, pid_t pid)
{
    const struct lxc *lxc = lxc_of(item);
    pid_t before = item->item.pid;
    char id[CMETA_ID_MAX + 1];
    int len = process_container_id(lxc->host->host_root, pid, CMETA_LAYOUT_LXC, id);

    if (len < 0) { // gone already, or numbered otherwise than here
        on_the_way(item, known_id(item));
        return;
    }
    state_item_follow(&item->item, pid);
    item->reread = item->reread || before != item->item.pid;
    // A cgroup of the administrator's choice says nothing.
    tell(item, len ? id : item->item.name, true, -1);
    ask_done(lxc->queue, &item->ask);
}

// The payload's cgroup stands before its first process does.
static void on_cgroup(struct lxc_item *item, const char *path)
{
    struct cmeta_id_match match;
    char id[CMETA_ID_MAX + 1];

    if (cmeta_container_id_match(path, strlen(path), CMETA_LAYOUT_BIT(CMETA_LAYOUT_LXC), &match) !=
        CMETA_STRONG) {
        on_the_way(item, known_id(item));
        return;
    }
    snprintf(id, sizeof(id), "%.*s", (int)match.id_len, match.id);
    on_the_way(item, id);
}

static void on_no_answer(struct lxc_item *item, int error)
{
    if (item->state == LXC_STOPPING && error == -EPROTO)
        on_the_way(item, known_id(item)); // it ends, and hangs up
    else
        on_failed(item, "its monitor", error);
}

static void on_state_answer(void *userdata, const struct lxc_answer *answer)
{
    struct lxc_item *item = userdata;

    item->command = NULL;
    if (answer->error) {
        on_no_answer(item, answer->error);
    } else if (answer->value == LXC_STOPPED) {
        on_stopped(item);
    } else {
        item->state = answer->value > LXC_THAWED ? LXC_RUNNING : (enum lxc_state)answer->value;
        ask_monitor(item, LXC_GET_INIT_PID);
    }
}

static void on_pid_answer(void *userdata, const struct lxc_answer *answer)
{
    struct lxc_item *item = userdata;

    item->command = NULL;
    if (answer->error)
        on_no_answer(item, answer->error);
    else if (answer->value > 0 && answer->value <= INT_MAX)
        on_process(item, (pid_t)answer->value);
    else
        ask_monitor(item, LXC_GET_CGROUP);
}

static void on_cgroup_answer(void *userdata, const struct lxc_answer *answer)
{
    struct lxc_item *item = userdata;

    item->command = NULL;
    on_cgroup(item, answer->error ? "" : answer->text);
}

static void ask_monitor(struct lxc_item *item, enum lxc_question question)
{
    const struct lxc *lxc = lxc_of(item);
    uid_t owner = 0;
    int r;

    folder_watch_born_ns(lxc->folder.watch, item->item.name, &owner);
    r = lxc_command_ask(lxc->host->event, lxc->path, item->item.name, owner, lxc->host->timeout_ms,
                        question,
                        question == LXC_GET_STATE      ? on_state_answer
                        : question == LXC_GET_INIT_PID ? on_pid_answer
                                                       : on_cgroup_answer,
                        item, &item->command);
    if (r == -ECONNREFUSED || r == -ENOENT)
        on_stopped(item);
    else if (r < 0)
        on_failed(item, "its monitor", r);
}

// A monitor answers only when its container runs. That somebody listens there, and that a cgroup of
// that name appeared, is enough to go by until then.
static void believe_hint(struct lxc_item *item)
{
    if (item->hinted && item->command && item->item.pid == 0) {
        item->state = LXC_STARTING;
        tell(item, item->hinted, true, -1);
    }
    free(item->hinted);
    item->hinted = NULL;
}

static void start_ask(void *userdata, struct ask *ask)
{
    struct lxc_item *item = (void *)((char *)ask - offsetof(struct lxc_item, ask));

    (void)userdata;
    ask_monitor(item, LXC_GET_STATE);
    believe_hint(item);
}

// --- what happens to items -----------------------------------------------------------------------

static void on_changed(struct state_item *state)
{
    struct lxc_item *item = (struct lxc_item *)state;

    item->reread = true;
    if (!*state->id)
        state_item_set_pending(state, true);
    ask_now(lxc_of(item)->queue, &item->ask);
}

static void on_ended(struct state_item *state)
{
    struct lxc_item *item = (struct lxc_item *)state;

    item->state = LXC_STOPPING;
    if (*state->id)
        tell(item, state->id, true, (int64_t)clock_ns(CLOCK_REALTIME));
    ask_now(lxc_of(item)->queue, &item->ask); // it may have been a reboot
}

static void on_upkeep(struct state_item *state)
{
    struct lxc_item *item = (struct lxc_item *)state;
    uint64_t age_us = clock_us(CLOCK_MONOTONIC) - item->looked_us;

    if (state->pid && (!item->network_sure || age_us >= ADDRESSES_AGE_US))
        item->reread = true;
    if (item->ask.phase == ASK_IDLE)
        ask_now(lxc_of(item)->queue, &item->ask);
}

static void on_forget(struct state_item *state)
{
    struct lxc_item *item = (struct lxc_item *)state;

    free(item->hinted);
    item->command = lxc_command_cancel(item->command);
    ask_forget(lxc_of(item)->queue, &item->ask);
}

static bool is_name(const char *name)
{
    return *name != '.'; // nor are they for liblxc
}

static const struct state_folder_calls folder_calls = {.item_size = sizeof(struct lxc_item),
                                                       .inner = "config",
                                                       .wanted = is_name,
                                                       .changed = on_changed,
                                                       .ended = on_ended,
                                                       .upkeep = on_upkeep,
                                                       .forget = on_forget};

// --- the class -----------------------------------------------------------------------------------

static void take_lxcpath(char *text, char *path, size_t size)
{
    char *save = NULL;

    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char value[PATH_MAX];

        if (sscanf(line, " lxc.lxcpath = %4095s", value) == 1 && *value == '/' &&
            strlen(value) < size)
            memcpy(path, value, strlen(value) + 1);
    }
}

// lxc.lxcpath of the system's configuration; "" if it has none.
static void read_lxcpath(const char *host_root, char *path, size_t size)
{
    char file[PATH_MAX], *text = NULL;
    size_t len;

    *path = '\0';
    if (snprintf(file, sizeof(file), "%s" SYSTEM_CONF, host_root) >= (int)sizeof(file))
        return;
    if (folder_file_read(AT_FDCWD, file, false, SYSTEM_CONF_MAX, &text, &len) == 0)
        take_lxcpath(text, path, size);
    free(text);
}

static void set_scope(struct lxc *lxc, bool system)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    if (system)
        snprintf(lxc->scope, sizeof(lxc->scope), "lxc");
    else if (snprintf(lxc->scope, sizeof(lxc->scope), "lxc%s", lxc->path) >=
             (int)sizeof(lxc->scope)) {
        for (const char *at = lxc->path; *at; at++)
            hash = (hash ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
        snprintf(lxc->scope, sizeof(lxc->scope), "lxc/%016llx", (unsigned long long)hash);
    }
}

// The default place is the system's lxcpath, wherever its configuration has moved it.
static void find_path(struct lxc *lxc)
{
    const struct engine_host *host = lxc->host;
    size_t root_len = strlen(host->host_root);
    const char *place = host->socket;
    char moved[PATH_MAX];
    bool system;

    if (root_len && strncmp(place, host->host_root, root_len) == 0 && place[root_len] == '/')
        place += root_len;
    snprintf(lxc->path, sizeof(lxc->path), "%s", place);
    system = strcmp(place, SYSTEM_PATH) == 0;
    if (system) {
        read_lxcpath(host->host_root, moved, sizeof(moved));
        if (*moved && strcmp(moved, place) != 0) {
            log_message(LOG_INFO, host->name, host->socket, "%s has lxc.lxcpath = %s", SYSTEM_CONF,
                        moved);
            snprintf(lxc->path, sizeof(lxc->path), "%s", moved);
        }
    }
    set_scope(lxc, system);
}

// Monitors are heard in the host's network namespace.
static bool is_in_hosts_network(const char *host_root)
{
    struct stat own, hosts;
    char path[PATH_MAX];

    if (!*host_root)
        return true;
    snprintf(path, sizeof(path), "%s/proc/1/ns/net", host_root);
    return stat("/proc/self/ns/net", &own) == 0 && stat(path, &hosts) == 0 &&
           own.st_ino == hosts.st_ino && own.st_dev == hosts.st_dev;
}

static void lxc_stop(void *instance)
{
    struct lxc *lxc = instance;

    state_folder_close(&lxc->folder);
    ask_queue_free(lxc->queue);
    free(lxc);
}

static int lxc_start(const struct engine_host *host, void **instance)
{
    struct lxc *lxc = calloc(1, sizeof(*lxc));
    char whole[PATH_MAX];
    int r;

    if (!lxc)
        return -ENOMEM;
    lxc->host = host;
    find_path(lxc);
    lxc->sees_monitors = is_in_hosts_network(host->host_root);
    snprintf(whole, sizeof(whole), "%s%.*s", host->host_root,
             (int)(sizeof(whole) - 1 - strlen(host->host_root)), lxc->path);
    r = ask_queue_new(host->event, PARALLEL, start_ask, lxc, &lxc->queue);
    if (r >= 0)
        r = state_folder_open(&lxc->folder, host, whole, lxc->scope, &folder_calls);
    if (r < 0) {
        lxc_stop(lxc);
        return r;
    }
    ask_queue_open(lxc->queue);
    *instance = lxc;
    return 0;
}

// A cgroup's name: the container's, or with a number behind it where that one was taken.
static void lxc_hint(void *instance, const char *id, size_t id_len)
{
    struct lxc *lxc = instance;
    char name[CMETA_ID_MAX + 1];
    struct state_item *item;
    size_t digits;

    if (id_len == 0 || id_len > CMETA_ID_MAX)
        return;
    memcpy(name, id, id_len);
    name[id_len] = '\0';
    item = state_folder_find(&lxc->folder, name);
    for (digits = id_len; !item && digits && name[digits - 1] >= '0' && name[digits - 1] <= '9';)
        digits--;
    if (!item && digits && digits < id_len && name[digits - 1] == '-') {
        name[digits - 1] = '\0';
        item = state_folder_find(&lxc->folder, name);
    }
    if (!item)
        return;
    if (digits < id_len) {
        free(((struct lxc_item *)item)->hinted);
        ((struct lxc_item *)item)->hinted = strndup(id, id_len);
    }
    ask_now(lxc->queue, &((struct lxc_item *)item)->ask);
}

static void ask_again(struct state_item *item)
{
    ask_now(lxc_of((struct lxc_item *)item)->queue, &((struct lxc_item *)item)->ask);
}

static void lxc_relist(void *instance)
{
    struct lxc *lxc = instance;

    state_folder_relist(&lxc->folder);
    state_folder_each(&lxc->folder, ask_again);
}

static const char *const default_places[] = {SYSTEM_PATH, NULL};

const struct engine_class lxc_engine = {.name = "lxc",
                                        .protocol = ENGINE_FILES,
                                        .place = ENGINE_FOLDER,
                                        .default_places = default_places,
                                        .precedence = 40,
                                        .type = CMETA_TYPE_LXC,
                                        .start = lxc_start,
                                        .stop = lxc_stop,
                                        .hint = lxc_hint,
                                        .relist = lxc_relist};
