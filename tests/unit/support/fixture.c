// SPDX-License-Identifier: Apache-2.0
#include "fixture.h"

#include "containerd-meta/clock.h"
#include "containerd-meta/engine/engine.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIXTURE_WAIT_MS 20000

void fixture_make_bare(struct fixture *f)
{
    *f = (struct fixture){.lock_fd = -1};
    temp_dir_make(&f->dir);
    snprintf(f->region_dir, sizeof(f->region_dir), "%s/region", f->dir.path);
    snprintf(f->grpc_socket, sizeof(f->grpc_socket), "%s/engine.sock", f->dir.path);
}

static void make_http(struct fixture *f, const char *engine)
{
    fixture_make_bare(f);
    f->http_engine = engine;
    snprintf(f->socket, sizeof(f->socket), "%s/%s.sock", f->dir.path, engine);
    f->fake = fake_http_start(f->socket);
}

void fixture_make_incus(struct fixture *f)
{
    make_http(f, "incus");
    fake_http_answer(f->fake, "/1.0", 200,
                     "{\"metadata\":{\"api_version\":\"1.0\",\"auth\":\"trusted\",\"environment\":"
                     "{\"server\":\"lxd\",\"server_version\":\"5.0.2\",\"server_name\":\"vm\","
                     "\"server_clustered\":false}}}");
    fake_http_answer(f->fake, "/1.0/instances/", 404, "{\"error_code\":404,\"metadata\":null}");
    fake_http_answer(f->fake, "/1.0/images/", 404, "{\"error_code\":404,\"metadata\":null}");
    fake_http_answer(f->fake, "/1.0/instances?recursion=1", 200,
                     "{\"type\":\"sync\",\"metadata\":[]}");
}

void fixture_make(struct fixture *f)
{
    make_http(f, "docker");
    fake_http_on(f->fake, &(struct fake_rule){.prefix = "/_ping",
                                              .body = "OK",
                                              .headers = "Api-Version: 1.41\r\n"
                                                         "Server: Docker/20.10 (linux)\r\n"});
    fake_http_on(f->fake, &(struct fake_rule){.prefix = "/v1.41/events", .action = FAKE_STREAM});
    fake_http_answer(f->fake, "/v1.41/containers/json", 200, "[]");
    fake_http_answer(f->fake, "/v1.41/images/", 200, "{\"RepoTags\":[],\"RepoDigests\":[]}");
}

void fixture_serve_podman(struct fake_http *fake)
{
    fake_http_on(fake, &(struct fake_rule){.prefix = "/_ping",
                                           .body = "OK",
                                           .headers = "Api-Version: 1.41\r\n"
                                                      "Libpod-Api-Version: 4.3.1\r\n"
                                                      "Server: Libpod/4.3.1 (linux)\r\n"});
    fake_http_on(fake,
                 &(struct fake_rule){.prefix = "/v4.0.0/libpod/events", .action = FAKE_STREAM});
    fake_http_answer(fake, "/v4.0.0/libpod/containers/json", 200, "[]");
}

void fixture_make_podman(struct fixture *f)
{
    make_http(f, "podman");
    fixture_serve_podman(f->fake);
}

void fixture_make_ecs(struct fixture *f)
{
    fixture_make_bare(f);
    f->http_engine = "ecs";
    f->fake = fake_http_start("127.0.0.1:0");
    snprintf(f->socket, sizeof(f->socket), "%s/v4/3c6f", fake_http_url(f->fake));
}

void fixture_add_containerd(struct fixture *f)
{
    f->grpc_engine = "containerd";
    f->grpc = fake_grpc_start(f->grpc_socket);
    f->containerd = fake_containerd_serve(f->grpc);
}

void fixture_make_containerd(struct fixture *f, const char *engine)
{
    fixture_make_bare(f);
    fixture_add_containerd(f);
    f->grpc_engine = engine;
}

void fixture_make_cri(struct fixture *f, const char *engine)
{
    fixture_make_bare(f);
    f->grpc_engine = engine;
    f->grpc = fake_grpc_start(f->grpc_socket);
    f->cri = fake_cri_serve(f->grpc, "cri-o");
}

void fixture_make_edera(struct fixture *f, const char *engine)
{
    fixture_make_bare(f);
    f->grpc_engine = engine;
    f->grpc = fake_grpc_start(f->grpc_socket);
    f->edera = fake_edera_serve(f->grpc);
}

void fixture_make_files(struct fixture *f, const char *engine)
{
    fixture_make_bare(f);
    f->files_engine = engine;
    snprintf(f->folder, sizeof(f->folder), "%s/state", f->dir.path);
}

void fixture_remove(struct fixture *f)
{
    fixture_end(f);
    if (f->fake)
        fake_http_stop(f->fake);
    fake_grpc_stop(f->grpc);
    fake_containerd_free(f->containerd);
    fake_cri_free(f->cri);
    fake_edera_free(f->edera);
    temp_dir_remove(&f->dir);
}

// Those that aren't faked have no places: nothing of this machine gets into a test.
const char *fixture_engines(const struct fixture *f)
{
    static const char *const keys[] = {
        [ENGINE_SOCKET] = "sockets", [ENGINE_FOLDER] = "folders", [ENGINE_URL] = "urls"};
    static char yaml[2048];
    size_t len = (size_t)snprintf(yaml, sizeof(yaml), "engines:\n");
    const char *place;

    for (size_t i = 0; engine_classes[i]; i++) {
        place = f->fake && strcmp(f->http_engine, engine_classes[i]->name) == 0 ? f->socket : "";
        if (f->grpc && strcmp(f->grpc_engine, engine_classes[i]->name) == 0)
            place = f->grpc_socket;
        if (strcmp(engine_classes[i]->name, "nri") == 0)
            place = f->nri_socket;
        if (strcmp(engine_classes[i]->name, "oci_hook") == 0)
            place = f->hook_socket;
        if (strcmp(engine_classes[i]->name, "bundle") == 0)
            place = f->bundles;
        if (f->files_engine && strcmp(f->files_engine, engine_classes[i]->name) == 0)
            place = f->folder;
        if (f->bus_socket && engine_classes[i]->protocol == ENGINE_DBUS)
            place = f->bus_socket;
        len += (size_t)snprintf(yaml + len, sizeof(yaml) - len,
                                "  %s:\n    enabled: true\n    %s: [%s]\n", engine_classes[i]->name,
                                keys[engine_classes[i]->place], place);
    }
    return yaml;
}

void fixture_set_bundles(struct fixture *f, const char *folder)
{
    snprintf(f->bundles, sizeof(f->bundles), "%s", folder);
}

// Engines that the test doesn't mention are none of its business: this machine may have them.
static void configure(struct fixture *f, const char *yaml, struct config *config)
{
    char message[512], notes[512];
    int r = config_parse("test.yaml", yaml, strlen(yaml), config, message, sizeof(message), notes,
                         sizeof(notes));

    (void)f;
    ck_assert_msg(r == 0, "%s", message);
    for (size_t i = 0; i < config->engines_count; i++)
        config->engines[i].enabled &= config->engines[i].mentioned;
}

static int on_post(sd_event_source *source, void *userdata)
{
    struct fixture *f = userdata;

    (void)source;
    instances_flush(f->instances);
    publisher_tick(f->publisher, f->store);
    return 0;
}

void fixture_run(struct fixture *f, const char *yaml)
{
    struct publisher_options options = {.dir = f->region_dir, .gid = -1};
    struct store_output output;
    char text[4096];

    snprintf(text, sizeof(text), "%s%s", yaml, fixture_engines(f));
    configure(f, text, &f->config);
    options.max_bytes = f->config.region_max_bytes;
    options.grace_ns = f->config.grace_ns;
    ck_assert_int_ge(sd_event_new(&f->event), 0);
    ck_assert_int_ge(http_new(f->event, &f->http), 0);
    ck_assert_int_ge(rpc_new(f->event, &f->rpc), 0);
    ck_assert_int_ge(socket_watcher_new(f->event, &f->sockets), 0);
    ck_assert_int_eq(publisher_lock(f->region_dir, &f->lock_fd), 0);
    ck_assert_int_eq(publisher_new(&options, &f->publisher), 0);
    output = publisher_output(f->publisher);
    f->store = store_new(&output);
    f->instances = instances_new(
        &(struct instances_use){f->event, f->http, f->rpc, f->sockets, f->store, f->publisher});
    ck_assert_int_eq(instances_plan(f->instances, &f->config), 0);
    publisher_restore(f->publisher, f->store, instances_row_of, f->instances);
    instances_flush(f->instances);
    ck_assert_int_eq(publisher_publish(f->publisher), 0);
    ck_assert_int_ge(sd_event_add_post(f->event, &f->post, on_post, f), 0);
    instances_apply(f->instances);
    if (f->fake)
        fake_http_use_loop(f->fake, f->event);
    if (f->grpc)
        fake_grpc_use_loop(f->grpc, f->event);
}

void fixture_end(struct fixture *f)
{
    if (!f->event)
        return;
    if (f->fake)
        fake_http_use_loop(f->fake, NULL);
    if (f->grpc)
        fake_grpc_use_loop(f->grpc, NULL);
    sd_event_source_disable_unref(f->post);
    instances_free(f->instances);
    store_free(f->store);
    publisher_free(f->publisher);
    socket_watcher_free(f->sockets);
    http_free(f->http);
    rpc_free(f->rpc);
    f->event = sd_event_unref(f->event);
    close(f->lock_fd);
    config_done(&f->config);
}

void fixture_reload(struct fixture *f, const char *yaml)
{
    config_done(&f->config);
    configure(f, yaml, &f->config);
    ck_assert_int_eq(instances_plan(f->instances, &f->config), 0);
    instances_apply(f->instances);
    on_post(NULL, f);
}

struct waiting {
    struct fixture *f;
    bool (*condition)(struct fixture *f, const void *argument);
    const void *argument;
};

static bool look(void *userdata)
{
    const struct waiting *waiting = userdata;

    return waiting->condition(waiting->f, waiting->argument);
}

bool fixture_wait(struct fixture *f, bool (*condition)(struct fixture *f, const void *argument),
                  const void *argument)
{
    struct waiting waiting = {f, condition, argument};
    uint64_t end_us = clock_us(CLOCK_MONOTONIC) + FIXTURE_WAIT_MS * UINT64_C(1000);

    while (!f->grpc && !f->fake && !condition(f, argument)) {
        if (clock_us(CLOCK_MONOTONIC) > end_us)
            return false;
        ck_assert_int_ge(sd_event_run(f->event, 20000), 0);
    }
    if (!f->grpc && !f->fake)
        return true;
    return f->grpc ? fake_grpc_wait(f->grpc, look, &waiting, FIXTURE_WAIT_MS)
                   : fake_http_wait(f->fake, look, &waiting, FIXTURE_WAIT_MS);
}

// --- what the region says ------------------------------------------------------------------------

static struct cmeta_region mapped; // the last one looked at

static const struct cmeta_region *current(struct fixture *f)
{
    cmeta_region_unmap(&mapped);
    ck_assert_int_eq(cmeta_region_map(f->region_dir, &mapped), 0);
    return &mapped;
}

bool fixture_find(struct fixture *f, const char *id, struct cmeta_region *region,
                  cmeta_handle *handle)
{
    *region = *current(f);
    return (strlen(id) == 64 ? cmeta_reader_find_full(region, id, 64, NULL, 0, handle)
                             : cmeta_reader_find(region, id, strlen(id), handle)) == CMETA_FOUND;
}

static bool find_view(struct fixture *f, const char *id, struct cmeta_view *view)
{
    struct cmeta_region region;
    cmeta_handle handle;

    return fixture_find(f, id, &region, &handle) && cmeta_reader_record(&region, handle, view);
}

static const char *copy(struct cmeta_str value)
{
    static char text[4200];

    snprintf(text, sizeof(text), "%.*s", (int)value.len, value.data);
    return text;
}

const char *fixture_text(struct fixture *f, const char *id, enum cmeta_string which)
{
    struct cmeta_view view;
    struct cmeta_str value;

    return find_view(f, id, &view) && cmeta_view_string(&view, which, &value) ? copy(value)
                                                                              : "(absent)";
}

const char *fixture_label(struct fixture *f, const char *id, const char *key)
{
    struct cmeta_view view;
    struct cmeta_str value;

    return find_view(f, id, &view) &&
                   cmeta_view_find_label(&view, CMETA_LIST_LABELS, key, strlen(key), &value)
               ? copy(value)
               : "(absent)";
}

uint32_t fixture_known(struct fixture *f, const char *id)
{
    struct cmeta_view view;

    return find_view(f, id, &view) ? cmeta_view_known(&view) : 0;
}

uint32_t fixture_flags(struct fixture *f, const char *id)
{
    struct cmeta_view view;

    return find_view(f, id, &view) ? cmeta_view_flags(&view) : 0;
}

uint8_t fixture_reason(struct fixture *f, const char *id, enum cmeta_group group)
{
    struct cmeta_view view;

    return find_view(f, id, &view) ? cmeta_view_reason(&view, group) : UINT8_MAX;
}

struct cmeta_status fixture_status(struct fixture *f, const char *id)
{
    struct cmeta_status status = {0};
    struct cmeta_region region;
    cmeta_handle handle;

    if (fixture_find(f, id, &region, &handle))
        cmeta_reader_status(&region, handle, &status);
    return status;
}

uint32_t fixture_state(struct fixture *f, const char *id)
{
    return CMETA_STATUS_STATE(fixture_status(f, id).word);
}

uint64_t fixture_counter(struct fixture *f, const char *name)
{
    const struct cmeta_region *region = current(f);
    struct cmeta_counter counter;

    for (uint32_t i = 0; cmeta_reader_counter(region, i, &counter); i++)
        if (strcmp(counter.name, name) == 0)
            return counter.value;
    ck_abort_msg("no counter %s", name);
}

uint16_t fixture_type(struct fixture *f, const char *id)
{
    struct cmeta_view view;

    return find_view(f, id, &view) ? cmeta_view_type(&view) : 0;
}

uint64_t fixture_revision(struct fixture *f)
{
    return cmeta_reader_revision(current(f));
}

unsigned fixture_count(struct fixture *f)
{
    const struct cmeta_region *region = current(f);
    uint64_t cursor = 0;
    cmeta_handle handle;
    unsigned count = 0;
    int r;

    while ((r = cmeta_reader_next(region, &cursor, &handle)) != 0) {
        struct cmeta_status status;

        count += r == 1 && cmeta_reader_status(region, handle, &status) &&
                 CMETA_STATUS_STATE(status.word) != CMETA_STATE_REMOVED;
    }
    return count;
}

struct cmeta_engine_row fixture_row(struct fixture *f, unsigned row)
{
    struct cmeta_engine_row text = {0};

    cmeta_reader_engine(current(f), row, &text);
    return text;
}

bool fixture_has(struct fixture *f, const void *id)
{
    uint32_t state = fixture_state(f, id);

    return fixture_status(f, id).id.len && state != CMETA_STATE_REMOVED;
}

bool fixture_lacks(struct fixture *f, const void *id)
{
    return !fixture_has(f, id);
}

bool fixture_complete(struct fixture *f, const void *id)
{
    return (fixture_known(f, id) & CMETA_GROUPS_COMPLETE) == CMETA_GROUPS_COMPLETE;
}

bool fixture_connected(struct fixture *f, const void *unused)
{
    (void)unused;
    return fixture_row(f, 0).state == CMETA_ENGINE_CONNECTED;
}

bool fixture_failed(struct fixture *f, const void *unused)
{
    (void)unused;
    return fixture_row(f, 0).state == CMETA_ENGINE_FAILED;
}

bool fixture_waiting(struct fixture *f, const void *unused)
{
    (void)unused;
    return fixture_row(f, 0).state == CMETA_ENGINE_WAITING;
}
