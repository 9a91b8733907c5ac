// SPDX-License-Identifier: Apache-2.0
// The daemon as an NRI plugin, against a runtime's end: the protocol, the order of record and
// answer, and that the runtime always gets one. The runtime is a thread, as it is a process of its
// own in life; the daemon's loop runs in the test's.
#include "containerd-meta/watch/nri.h"
#include "containerd-meta/watch/nri_requests.h"
#include "tests/fake/fake_nri.h"
#include "tests/unit/support/fixture.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ID_POD "d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0"
#define ID_A   "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
#define ID_B   "b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2"

// --- the runtime as a thread ---------------------------------------------------------------------

struct script {
    struct fixture *f; // NULL: the plugin alone
    struct fake_nri nri;
    struct cmeta_region region;
    unsigned late;
    void (*run)(struct script *script);
    int done_fd;
    bool done;
};

static void *run_script(void *userdata)
{
    struct script *script = userdata;

    script->run(script);
    eventfd_write(script->done_fd, 1);
    return NULL;
}

static int on_done(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    (void)source;
    (void)fd;
    (void)events;
    ((struct script *)userdata)->done = true;
    return 0;
}

// Runs the loop until the script has come to its end.
static void play(struct script *script, sd_event *event, void (*run)(struct script *script))
{
    sd_event_source *source = NULL;
    pthread_t thread;

    script->run = run;
    script->done = false;
    script->done_fd = eventfd(0, EFD_CLOEXEC);
    ck_assert_int_ge(sd_event_add_io(event, &source, script->done_fd, EPOLLIN, on_done, script), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, run_script, script), 0);
    while (!script->done)
        ck_assert_int_ge(sd_event_run(event, UINT64_MAX), 0);
    pthread_join(thread, NULL);
    sd_event_source_disable_unref(source);
    close(script->done_fd);
}

// --- pods and containers -------------------------------------------------------------------------

static Nri__PodSandbox__LabelsEntry pod_label = {
    PROTOBUF_C_MESSAGE_INIT(&nri__pod_sandbox__labels_entry__descriptor), (char[]){"app"},
    (char[]){"web"}};
static Nri__PodSandbox__LabelsEntry *pod_labels[] = {&pod_label};
static char *pod_ips[] = {(char[]){"10.1.0.7"}};

static Nri__PodSandbox a_pod(void)
{
    Nri__PodSandbox pod = NRI__POD_SANDBOX__INIT;

    pod.id = (char *)(uintptr_t)ID_POD;
    pod.name = (char *)(uintptr_t) "web-7f9c";
    pod.namespace_ = (char *)(uintptr_t) "shop";
    pod.uid = (char *)(uintptr_t) "6f1d2c3b";
    pod.labels = pod_labels;
    pod.n_labels = 1;
    pod.ips = pod_ips;
    pod.n_ips = 1;
    pod.pid = 70;
    return pod;
}

static Nri__Container__AnnotationsEntry image_annotation = {
    PROTOBUF_C_MESSAGE_INIT(&nri__container__annotations_entry__descriptor),
    (char[]){"io.kubernetes.cri.image-name"}, (char[]){"registry.example.com:5000/team/app:1.2"}};
static Nri__Container__AnnotationsEntry *annotations[] = {&image_annotation};

static Nri__Container a_container(const char *id, const char *name)
{
    Nri__Container container = NRI__CONTAINER__INIT;

    container.id = (char *)(uintptr_t)id;
    container.pod_sandbox_id = (char *)(uintptr_t)ID_POD;
    container.name = (char *)(uintptr_t)name;
    container.annotations = annotations;
    container.n_annotations = 1;
    return container;
}

static struct fake_nri_reply tell(struct script *script, int32_t event, const char *id,
                                  const char *name, uint32_t pid)
{
    Nri__PodSandbox pod = a_pod();
    Nri__Container container = a_container(id, name);

    container.pid = pid;
    return fake_nri_event(&script->nri, event, &pod, &container);
}

static void check_plain(struct fake_nri_reply reply)
{
    ck_assert_int_eq(reply.code, 0);
    ck_assert_uint_eq(reply.bytes, 0); // no adjustment, no update, no eviction
}

// --- the plugin alone ----------------------------------------------------------------------------

struct plugin {
    struct temp_dir dir;
    struct script script;
    sd_event *event;
    struct nri *nri;
    char runtime[64], ended[160];
    unsigned events, late, odd, pods, containers, lists;
    sem_t answered;       // the runtime has got its answer
    _Atomic bool is_slow; // wait for that before an event is done
    bool waited;
};

static void on_configured(void *userdata, const char *runtime_name, const char *runtime_version)
{
    struct plugin *plugin = userdata;

    snprintf(plugin->runtime, sizeof(plugin->runtime), "%s %s", runtime_name, runtime_version);
}

static void on_list(void *userdata, Nri__SynchronizeRequest *piece)
{
    struct plugin *plugin = userdata;

    plugin->pods += (unsigned)piece->n_pods;
    plugin->containers += (unsigned)piece->n_containers;
    plugin->lists += !piece->more;
    nri__synchronize_request__free_unpacked(piece, NULL);
}

static void on_event(void *userdata, const struct nri_event *event)
{
    struct plugin *plugin = userdata;
    struct timespec limit;

    (void)event;
    plugin->events++;
    if (!plugin->is_slow)
        return;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += 20;
    plugin->waited = sem_timedwait(&plugin->answered, &limit) == 0;
}

static void on_late(void *userdata, unsigned count)
{
    ((struct plugin *)userdata)->late += count;
}

static void on_odd(void *userdata, unsigned count)
{
    ((struct plugin *)userdata)->odd += count;
}

static void on_ended(void *userdata, const char *text)
{
    struct plugin *plugin = userdata;

    snprintf(plugin->ended, sizeof(plugin->ended), "%s", text);
    plugin->nri = nri_close(plugin->nri);
}

static const struct nri_calls calls = {.configured = on_configured,
                                       .list = on_list,
                                       .event = on_event,
                                       .late = on_late,
                                       .odd = on_odd,
                                       .ended = on_ended};

static struct plugin *plugin_of(struct script *script)
{
    return (struct plugin *)((char *)script - offsetof(struct plugin, script));
}

static void plugin_open(struct plugin *plugin)
{
    char path[108];

    *plugin = (struct plugin){0};
    temp_dir_make(&plugin->dir);
    snprintf(path, sizeof(path), "%s/nri.sock", plugin->dir.path);
    sem_init(&plugin->answered, 0, 0);
    fake_nri_listen(&plugin->script.nri, path);
    ck_assert_int_ge(sd_event_new(&plugin->event), 0);
    ck_assert_int_eq(nri_open(plugin->event, path, &calls, plugin, &plugin->nri), 0);
}

static void plugin_end(struct plugin *plugin)
{
    plugin->nri = nri_close(plugin->nri);
    sd_event_unref(plugin->event);
    fake_nri_stop(&plugin->script.nri);
    sem_destroy(&plugin->answered);
    temp_dir_remove(&plugin->dir);
}

// Whatever the loop still has to do.
static void plugin_settle(struct plugin *plugin, bool until_ended)
{
    while (until_ended && !*plugin->ended)
        ck_assert_int_ge(sd_event_run(plugin->event, UINT64_MAX), 0);
    while (sd_event_run(plugin->event, 0) > 0)
        ;
}

static void admit(struct script *script)
{
    fake_nri_admit(&script->nri);
}

START_TEST(registers_with_events_that_every_runtime_knows)
{
    struct plugin plugin;

    plugin_open(&plugin);
    play(&plugin.script, plugin.event, admit);
    ck_assert_str_eq(plugin.script.nri.plugin_name, "containerd-meta");
    ck_assert_str_eq(plugin.script.nri.plugin_index, "99");
    ck_assert_int_eq(plugin.script.nri.events, 0x62f);
    plugin_settle(&plugin, false);
    ck_assert_str_eq(plugin.runtime, "containerd v2.3.4");
    ck_assert_uint_eq(plugin.lists, 1);
    plugin_end(&plugin);
}
END_TEST

START_TEST(is_configured_before_its_registration_is_answered)
{
    struct plugin plugin;

    plugin_open(&plugin);
    plugin.script.nri.answer_late = true;
    play(&plugin.script, plugin.event, admit);
    ck_assert_int_eq(plugin.script.nri.events, 0x62f);
    plugin_end(&plugin);
}
END_TEST

static void tell_one(struct script *script)
{
    fake_nri_admit(&script->nri);
    check_plain(tell(script, NRI_CREATE_CONTAINER, ID_A, "web", 0));
}

START_TEST(bytes_may_come_one_by_one_and_mixed_with_others)
{
    struct plugin plugin;

    plugin_open(&plugin);
    plugin.script.nri.split = 1;
    plugin.script.nri.trunk_max = 5;
    plugin.script.nri.is_mixed = true;
    play(&plugin.script, plugin.event, tell_one);
    plugin_settle(&plugin, false);
    ck_assert_uint_eq(plugin.events, 1);
    ck_assert_uint_eq(plugin.odd, 0);
    plugin_end(&plugin);
}
END_TEST

// The limit: the event is still being worked on when its answer arrives.
static void tell_a_slow_one(struct script *script)
{
    struct plugin *plugin = plugin_of(script);

    fake_nri_admit(&script->nri);
    check_plain(tell(script, NRI_CREATE_CONTAINER, ID_A, "web", 0));
    sem_post(&plugin->answered);
}

START_TEST(a_loop_that_hangs_holds_nothing_up)
{
    struct plugin plugin;

    plugin_open(&plugin);
    plugin.is_slow = true;
    play(&plugin.script, plugin.event, tell_a_slow_one);
    plugin_settle(&plugin, false);
    ck_assert(plugin.waited);
    ck_assert_uint_eq(plugin.events, 1);
    ck_assert_uint_eq(plugin.late, 1);
    plugin_end(&plugin);
}
END_TEST

// Everything is still told, in its order, when the loop comes back; the next event is in time.
static void tell_many_to_a_slow_one(struct script *script)
{
    struct plugin *plugin = plugin_of(script);

    fake_nri_admit(&script->nri);
    for (unsigned i = 0; i < 5; i++)
        check_plain(tell(script, NRI_CREATE_CONTAINER, ID_A, "web", 0));
    plugin->is_slow = false;
    sem_post(&plugin->answered);
    for (unsigned i = 0; i < 50; i++)
        check_plain(tell(script, NRI_START_CONTAINER, ID_A, "web", 1));
}

START_TEST(after_a_hang_nothing_is_missing)
{
    struct plugin plugin;

    plugin_open(&plugin);
    plugin.is_slow = true;
    play(&plugin.script, plugin.event, tell_many_to_a_slow_one);
    plugin_settle(&plugin, false);
    ck_assert_uint_eq(plugin.events, 55);
    ck_assert_uint_ge(plugin.late, 5);
    plugin_end(&plugin);
}
END_TEST

static struct fake_nri_reply ask(struct script *script, const char *service, const char *method,
                                 const char *payload)
{
    fake_nri_send(&script->nri, service, method, payload, strlen(payload));
    return fake_nri_receive(&script->nri);
}

static void ask_for_odd_things(struct script *script)
{
    static const char *const others[] = {"ValidateContainerAdjustment", "UpdateContainer",
                                         "PostCreateContainer", "UpdatePodSandbox", "Shutdown"};
    struct fake_nri *nri = &script->nri;
    struct fake_nri_reply reply;

    fake_nri_admit(nri);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        check_plain(ask(script, FAKE_NRI_PLUGIN, others[i], ""));
    ck_assert_int_eq(ask(script, FAKE_NRI_PLUGIN, "Fly", "").code, 12);
    ck_assert_int_eq(ask(script, "nri.pkg.api.v1alpha1.HostFunctions", "Log", "").code, 12);
    // what makes no sense is none of the container's business: it goes on
    check_plain(ask(script, FAKE_NRI_PLUGIN, "CreateContainer", "\xff\xff\xff"));
    check_plain(ask(script, FAKE_NRI_PLUGIN, "StateChange", "\x12\x7f"));
    check_plain(ask(script, FAKE_NRI_PLUGIN, "StateChange", "\x08\x63")); // event 99
    check_plain(ask(script, FAKE_NRI_PLUGIN, "CreateContainer", ""));     // about nobody
    fake_nri_message(nri, 1, nri->stream, 1, "", 0);                      // used already
    reply = fake_nri_receive(nri);
    ck_assert_int_eq(reply.code, 3);
    ck_assert_uint_eq(reply.stream, nri->stream);
    fake_nri_message(nri, 1, nri->stream + 1, 1, "", 0); // even
    ck_assert_int_eq(fake_nri_receive(nri).code, 3);
    fake_nri_message(nri, 1, 0, 1, "", 0);
    ck_assert_int_eq(fake_nri_receive(nri).code, 3);
    fake_nri_message(nri, 1, nri->stream, 3, "data", 4); // of a stream that there isn't
    ck_assert_int_eq(fake_nri_receive(nri).code, 3);
    nri->stream += 2;
    fake_nri_message(nri, 1, nri->stream, 1, "\xff\xff", 2); // no request at all
    ck_assert_int_eq(fake_nri_receive(nri).code, 3);
    fake_nri_message(nri, 1, 4711, 2, "", 0);  // an answer to what was never asked
    fake_nri_message(nri, 2, 4711, 2, "", 0);  // the same
    fake_nri_message(nri, 1, 4713, 99, "", 0); // a type that there isn't
    check_plain(tell(script, NRI_CREATE_CONTAINER, ID_A, "web", 0));
}

START_TEST(odd_requests_are_answered_and_end_nothing)
{
    struct plugin plugin;

    plugin_open(&plugin);
    play(&plugin.script, plugin.event, ask_for_odd_things);
    plugin_settle(&plugin, false);
    ck_assert_uint_eq(plugin.events, 2); // the one about nobody, and the last
    ck_assert_uint_eq(plugin.odd, 3);
    ck_assert_str_eq(plugin.ended, "");
    plugin_end(&plugin);
}
END_TEST

static void send_oversized(struct script *script)
{
    fake_nri_admit(&script->nri);
    fake_nri_raw(&script->nri, "\0\0\0\1\xff\xff\xff\xff", 8);
    ck_assert(fake_nri_is_closed(&script->nri));
}

static void send_half_a_frame_and_leave(struct script *script)
{
    fake_nri_admit(&script->nri);
    fake_nri_raw(&script->nri, "\0\0\0\1\0\0\1\0\0\0\0", 11);
    fake_nri_expel(&script->nri);
}

static void refuse(struct script *script)
{
    fake_nri_accept(&script->nri);
    fake_nri_take_registration(&script->nri);
    fake_nri_answer_registration(&script->nri, 2, "plugin is not welcome");
    ck_assert(fake_nri_is_closed(&script->nri));
}

static void send_half_a_list(struct script *script)
{
    fake_nri_accept(&script->nri);
    fake_nri_take_registration(&script->nri);
    fake_nri_answer_registration(&script->nri, 0, NULL);
    fake_nri_configure(&script->nri);
    fake_nri_send(&script->nri, FAKE_NRI_PLUGIN, "Synchronize", "\x0a\x7f", 2);
    fake_nri_is_closed(&script->nri);
}

// No more is coming, and answers would still be read.
static void half_close(struct script *script)
{
    fake_nri_admit(&script->nri);
    ck_assert_int_eq(shutdown(script->nri.fd, SHUT_WR), 0);
    ck_assert(fake_nri_is_closed(&script->nri));
}

START_TEST(what_ends_a_connection_is_said)
{
    static const struct {
        void (*run)(struct script *script);
        const char *text;
    } ends[] = {{send_oversized, "what the runtime sent makes no sense"},
                {send_half_a_frame_and_leave, "the runtime closed the connection"},
                {half_close, "the runtime closed the connection"},
                {refuse, "the runtime refuses the plugin: plugin is not welcome"},
                {send_half_a_list, "the list of what is there makes no sense"}};

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        struct plugin plugin;

        plugin_open(&plugin);
        play(&plugin.script, plugin.event, ends[i].run);
        plugin_settle(&plugin, true);
        ck_assert_str_eq(plugin.ended, ends[i].text);
        ck_assert_uint_eq(plugin.lists,
                          ends[i].run == refuse || ends[i].run == send_half_a_list ? 0 : 1);
        plugin_end(&plugin);
    }
}
END_TEST

// Without a look at the answers, and while the loop hangs: what is kept of it is bounded.
static void flood(struct script *script)
{
    struct plugin *plugin = plugin_of(script);
    struct pollfd ended = {.fd = -1, .events = 0};
    unsigned i = 0;

    fake_nri_admit(&script->nri);
    ended.fd = script->nri.fd;
    for (; i < 1000000 && poll(&ended, 1, 0) == 0; i++)
        fake_nri_send(&script->nri, FAKE_NRI_PLUGIN, "CreateContainer", "", 0);
    ck_assert_uint_lt(i, 1000000);
    plugin->is_slow = false;
    sem_post(&plugin->answered);
}

START_TEST(who_floods_is_left)
{
    struct plugin plugin;

    plugin_open(&plugin);
    plugin.is_slow = true;
    play(&plugin.script, plugin.event, flood);
    plugin_settle(&plugin, true);
    ck_assert_uint_le(plugin.events, NRI_QUEUE_MAX + 1);
    ck_assert_ptr_null(plugin.nri);
    plugin_end(&plugin);
}
END_TEST

START_TEST(nobody_there_is_an_error)
{
    struct nri *nri = NULL;
    sd_event *event = NULL;

    ck_assert_int_ge(sd_event_new(&event), 0);
    ck_assert_int_eq(nri_open(event, "/nonexistent/nri.sock", &calls, NULL, &nri), -ENOENT);
    ck_assert_ptr_null(nri);
    sd_event_unref(event);
}
END_TEST

// --- the engine, from the socket to the region ---------------------------------------------------

static void begin(struct script *script, struct fixture *f, const char *yaml)
{
    *script = (struct script){.f = f};
    snprintf(f->nri_socket, sizeof(f->nri_socket), "%s/nri.sock", f->dir.path);
    fake_nri_listen(&script->nri, f->nri_socket);
    fixture_run(f, yaml);
}

static void end(struct script *script)
{
    fixture_remove(script->f);
    fake_nri_stop(&script->nri);
}

static void check_web(struct fixture *f, const char *id)
{
    ck_assert_str_eq(fixture_text(f, id, CMETA_STRING_NAME), "web");
    ck_assert_str_eq(fixture_text(f, id, CMETA_STRING_IMAGE_REPO),
                     "registry.example.com:5000/team/app");
    ck_assert_str_eq(fixture_text(f, id, CMETA_STRING_IMAGE_TAG), "1.2");
    ck_assert_str_eq(fixture_text(f, id, CMETA_STRING_POD_NAME), "web-7f9c");
    ck_assert_str_eq(fixture_text(f, id, CMETA_STRING_POD_NAMESPACE), "shop");
    ck_assert_str_eq(fixture_text(f, id, CMETA_STRING_POD_IP), "10.1.0.7");
    ck_assert_str_eq(fixture_label(f, id, "io.kubernetes.sandbox.id"), ID_POD);
    ck_assert_uint_eq(fixture_type(f, id), CMETA_TYPE_CONTAINERD);
}

// Has the n-th event taken in, should its answer have been ahead of it on a busy machine.
static void settle(struct script *script, unsigned n)
{
    while (fixture_row(script->f, 1).events_total < n)
        usleep(1000);
}

static void live_a_life(struct script *script)
{
    struct fixture *f = script->f;
    Nri__PodSandbox pod = a_pod();

    fake_nri_admit(&script->nri);
    check_plain(fake_nri_event(&script->nri, NRI_RUN_POD_SANDBOX, &pod, NULL));
    settle(script, 1);
    ck_assert_uint_eq(fixture_state(f, ID_POD), CMETA_STATE_RUNNING);
    ck_assert_str_eq(fixture_text(f, ID_POD, CMETA_STRING_POD_NAME), "web-7f9c");
    ck_assert_uint_eq(fixture_reason(f, ID_POD, CMETA_GROUP_IMAGE), CMETA_REASON_POD_SANDBOX);
    check_plain(tell(script, NRI_CREATE_CONTAINER, ID_A, "web", 0));
    settle(script, 2);
    check_web(f, ID_A);
    ck_assert_uint_eq(fixture_state(f, ID_A), CMETA_STATE_CREATED);
    check_plain(tell(script, NRI_START_CONTAINER, ID_A, "web", 4711));
    settle(script, 3);
    check_web(f, ID_A);
    ck_assert_uint_eq(fixture_state(f, ID_A), CMETA_STATE_RUNNING);
    ck_assert_uint_eq(fixture_status(f, ID_A).pid, 4711);
    check_plain(tell(script, NRI_STOP_CONTAINER, ID_A, "web", 0));
    settle(script, 4);
    ck_assert_uint_eq(fixture_state(f, ID_A), CMETA_STATE_EXITED);
    check_plain(tell(script, NRI_REMOVE_CONTAINER, ID_A, "web", 0));
    settle(script, 5);
    ck_assert(fixture_lacks(f, ID_A));
    check_web(f, ID_A); // for the grace period
    check_plain(fake_nri_event(&script->nri, NRI_STOP_POD_SANDBOX, &pod, NULL));
    settle(script, 6);
    ck_assert_uint_eq(fixture_state(f, ID_POD), CMETA_STATE_EXITED);
    check_plain(fake_nri_event(&script->nri, NRI_REMOVE_POD_SANDBOX, &pod, NULL));
    settle(script, 7);
    ck_assert(fixture_lacks(f, ID_POD));
}

START_TEST(each_answer_comes_after_its_record)
{
    for (int has_rpcs = 0; has_rpcs < 2; has_rpcs++) {
        struct fixture f;
        struct script script;

        fixture_make(&f);
        begin(&script, &f, "nri: auto\n");
        script.nri.has_rpcs = has_rpcs;
        play(&script, f.event, live_a_life);
        end(&script);
    }
}
END_TEST

#define MANY 10000u

// Whether a record of that name can be read, by a mapping that is made anew only if it can't.
static bool is_readable(struct script *script, const char *id, const char *name)
{
    for (int again = 0; again < 2; again++) {
        struct cmeta_view view;
        struct cmeta_str text;
        cmeta_handle handle;

        if (script->region.base &&
            cmeta_reader_find_full(&script->region, id, 64, NULL, 0, &handle) == CMETA_FOUND &&
            cmeta_reader_record(&script->region, handle, &view) &&
            cmeta_view_string(&view, CMETA_STRING_NAME, &text))
            return text.len == strlen(name) && memcmp(text.data, name, text.len) == 0;
        cmeta_region_unmap(&script->region);
        ck_assert_int_eq(cmeta_region_map(script->f->region_dir, &script->region), 0);
    }
    return false;
}

// On a machine that is busy with other things the limit may pass: then it is counted.
static void wait_for_late(struct script *script, unsigned count)
{
    while (fixture_row(script->f, 1).errors_total < count)
        usleep(1000);
}

static void start_many(struct script *script)
{
    char id[65], name[32];
    unsigned late = 0;

    fake_nri_admit(&script->nri);
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(id, sizeof(id), "%012x%052x", i + 1, i);
        snprintf(name, sizeof(name), "job-%u", i);
        check_plain(tell(script, NRI_CREATE_CONTAINER, id, name, 0));
        if (!is_readable(script, id, name))
            wait_for_late(script, ++late);
        if (i % 2)
            check_plain(tell(script, NRI_REMOVE_CONTAINER, id, name, 0));
    }
    cmeta_region_unmap(&script->region);
    script->late = late;
}

START_TEST(ten_thousand_records_are_readable_before_their_answers)
{
    struct fixture f;
    struct script script;

    fixture_make(&f);
    begin(&script, &f, "nri: on\n");
    play(&script, f.event, start_many);
    ck_assert_uint_eq(fixture_count(&f), MANY / 2);
    ck_assert_uint_lt(script.late, MANY / 100);
    end(&script);
}
END_TEST

// Nobody knows whether it is privileged: nobody says that it isn't.
static void create_one(struct script *script)
{
    fake_nri_admit(&script->nri);
    check_plain(tell(script, NRI_CREATE_CONTAINER, ID_A, "web", 0));
    check_plain(tell(script, NRI_START_CONTAINER, ID_A, "web", 7));
    settle(script, 2);
}

START_TEST(security_stays_unknown)
{
    struct fixture f;
    struct script script;

    fixture_make(&f);
    begin(&script, &f, "nri: auto\n");
    play(&script, f.event, create_one);
    ck_assert_uint_eq(fixture_known(&f, ID_A) & CMETA_GROUP_BIT(CMETA_GROUP_SECURITY), 0);
    ck_assert_uint_eq(fixture_reason(&f, ID_A, CMETA_GROUP_SECURITY), CMETA_REASON_NOT_TOLD);
    ck_assert_uint_eq(fixture_known(&f, ID_A) & CMETA_GROUP_BIT(CMETA_GROUP_IMAGE), 0);
    end(&script);
}
END_TEST

static void tell_a_list(struct script *script)
{
    Nri__SynchronizeRequest piece = NRI__SYNCHRONIZE_REQUEST__INIT;
    Nri__Container container = a_container(ID_A, "web");
    Nri__Container *containers[] = {&container};
    Nri__PodSandbox pod = a_pod();
    Nri__PodSandbox *pods[] = {&pod};

    container.state = 3;
    container.pid = 77;
    container.created_at = 1700000000000000000;
    fake_nri_accept(&script->nri);
    fake_nri_take_registration(&script->nri);
    fake_nri_answer_registration(&script->nri, 0, NULL);
    fake_nri_configure(&script->nri);
    piece.containers = containers;
    piece.n_containers = 1;
    piece.more = true;
    ck_assert(fake_nri_synchronize(&script->nri, &piece));
    piece = (Nri__SynchronizeRequest)NRI__SYNCHRONIZE_REQUEST__INIT;
    piece.pods = pods;
    piece.n_pods = 1;
    ck_assert(!fake_nri_synchronize(&script->nri, &piece));
    // what follows is taken after the list
    check_plain(tell(script, NRI_CREATE_CONTAINER, ID_B, "side", 0));
    while (!fixture_has(script->f, ID_B))
        usleep(1000);
}

START_TEST(a_list_in_pieces_is_put_together)
{
    struct fixture f;
    struct script script;

    fixture_make(&f);
    begin(&script, &f, "nri: auto\n");
    script.nri.split = 1000;
    play(&script, f.event, tell_a_list);
    check_web(&f, ID_A);
    ck_assert_uint_eq(fixture_state(&f, ID_A), CMETA_STATE_RUNNING);
    ck_assert_uint_eq(fixture_status(&f, ID_A).pid, 77);
    ck_assert(fixture_has(&f, ID_POD));
    ck_assert(fixture_has(&f, ID_B));
    end(&script);
}
END_TEST

// A runtime that was restarted lists what is left; what it doesn't name is gone.
static void restart(struct script *script)
{
    char path[108];

    snprintf(path, sizeof(path), "%s", script->nri.path);
    fake_nri_stop(&script->nri);
    fake_nri_listen(&script->nri, path);
    tell_a_list(script);
}

static void create_two(struct script *script)
{
    fake_nri_admit(&script->nri);
    check_plain(tell(script, NRI_CREATE_CONTAINER, ID_A, "web", 0));
    check_plain(tell(script, NRI_CREATE_CONTAINER,
                     "c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3", "old", 0));
    settle(script, 2);
}

START_TEST(a_runtime_that_restarts_is_found_again)
{
    struct fixture f;
    struct script script;

    fixture_make(&f);
    begin(&script, &f, "nri: auto\n");
    play(&script, f.event, create_two);
    ck_assert_uint_eq(fixture_count(&f), 2);
    play(&script, f.event, restart);
    ck_assert(fixture_has(&f, ID_A));
    ck_assert(fixture_has(&f, ID_B));
    ck_assert(fixture_lacks(&f, "c3c3c3c3c3c3"));
    end(&script);
}
END_TEST

// nri#114: who was late once is thrown out. What it told stays; it comes back.
static void expel_and_wait(struct script *script)
{
    fake_nri_admit(&script->nri);
    check_plain(tell(script, NRI_CREATE_CONTAINER, ID_A, "web", 0));
    settle(script, 1);
    fake_nri_expel(&script->nri);
    ck_assert(fixture_has(script->f, ID_A));
    tell_a_list(script);
}

START_TEST(a_plugin_that_was_thrown_out_comes_back)
{
    struct fixture f;
    struct script script;

    fixture_make(&f);
    begin(&script, &f, "nri: auto\n");
    play(&script, f.event, expel_and_wait);
    ck_assert(fixture_has(&f, ID_A));
    ck_assert_uint_eq(fixture_row(&f, 1).state, CMETA_ENGINE_CONNECTED);
    ck_assert_uint_ge(fixture_row(&f, 1).errors_total, 1);
    end(&script);
}
END_TEST

START_TEST(nobody_is_bothered_without_being_asked_to)
{
    struct fixture f;
    struct script script;

    fixture_make(&f);
    begin(&script, &f, "");
    ck_assert(fixture_wait(&f, fixture_connected, NULL));
    ck_assert(!fake_nri_is_called(&script.nri, 0));
    ck_assert_str_eq(fixture_row(&f, 1).name, ""); // no row of its own
    end(&script);
}
END_TEST

// containerd's own word is worth more, and it alone ends what it has told of.
static const struct fake_pod fake_pod = {
    .id = ID_POD, .name = "web-7f9c", .ns = "shop", .uid = "6f1d2c3b", .ip = "10.1.0.7"};
static const struct fake_container fake_web = {
    .id = ID_A, .name = "web", .pod = &fake_pod, .pid = 77, .privileged = true};

static void tell_beside_containerd(struct script *script)
{
    fake_nri_admit(&script->nri);
    check_plain(tell(script, NRI_CREATE_CONTAINER, ID_A, "other", 0));
    while (!fixture_has(script->f, ID_A))
        usleep(1000);
}

static void remove_beside_containerd(struct script *script)
{
    check_plain(tell(script, NRI_START_CONTAINER, ID_A, "other", 5));
    check_plain(tell(script, NRI_REMOVE_CONTAINER, ID_A, "other", 0));
    settle(script, 3);
}

START_TEST(containerd_knows_better_what_nri_knows_first)
{
    struct fixture f;
    struct script script;

    fixture_make_containerd(&f, "containerd");
    begin(&script, &f, "nri: auto\n");
    ck_assert(fake_grpc_wait_streams(f.grpc, FAKE_SUBSCRIBE, 1, 20000));
    play(&script, f.event, tell_beside_containerd);
    ck_assert_str_eq(fixture_text(&f, ID_A, CMETA_STRING_NAME), "other");
    ck_assert_uint_eq(fixture_known(&f, ID_A) & CMETA_GROUP_BIT(CMETA_GROUP_SECURITY), 0);
    fake_containerd_create_pod(f.containerd, &fake_pod);
    fake_containerd_create(f.containerd, &fake_web);
    ck_assert(fixture_wait(&f, fixture_complete, ID_A));
    ck_assert_str_eq(fixture_text(&f, ID_A, CMETA_STRING_NAME), "web");
    ck_assert_uint_eq(fixture_flags(&f, ID_A) & CMETA_FLAG_PRIVILEGED, CMETA_FLAG_PRIVILEGED);
    play(&script, f.event, remove_beside_containerd);
    ck_assert(fixture_complete(&f, ID_A));
    ck_assert_str_eq(fixture_text(&f, ID_A, CMETA_STRING_NAME), "web");
    fake_containerd_remove(f.containerd, "k8s.io", ID_A);
    ck_assert(fixture_wait(&f, fixture_lacks, ID_A));
    end(&script);
}
END_TEST

static void tell_of_docker(struct script *script)
{
    fake_nri_admit(&script->nri);
    check_plain(tell(script, NRI_CREATE_CONTAINER, ID_A, "web", 0));
    settle(script, 1);
}

START_TEST(docker_is_left_to_its_own_engine)
{
    struct fixture f;
    struct script script;

    fixture_make(&f);
    begin(&script, &f, "nri: auto\n");
    script.nri.name = "docker";
    play(&script, f.event, tell_of_docker);
    ck_assert(fixture_lacks(&f, ID_A));
    end(&script);
}
END_TEST

CHECK_MAIN("nri", 60, registers_with_events_that_every_runtime_knows,
           is_configured_before_its_registration_is_answered,
           bytes_may_come_one_by_one_and_mixed_with_others, a_loop_that_hangs_holds_nothing_up,
           after_a_hang_nothing_is_missing, odd_requests_are_answered_and_end_nothing,
           what_ends_a_connection_is_said, who_floods_is_left, nobody_there_is_an_error,
           each_answer_comes_after_its_record,
           ten_thousand_records_are_readable_before_their_answers, security_stays_unknown,
           a_list_in_pieces_is_put_together, a_runtime_that_restarts_is_found_again,
           a_plugin_that_was_thrown_out_comes_back, nobody_is_bothered_without_being_asked_to,
           containerd_knows_better_what_nri_knows_first, docker_is_left_to_its_own_engine)
