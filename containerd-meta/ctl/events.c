// SPDX-License-Identifier: Apache-2.0
// events: the region's change log, as it grows.
//
// A follower outlives the region it began with: when the folder names another, what is left in the
// old log is read to its end (the daemon mirrors every change into it for a while), then the new
// one goes on from the same revision.
#include "containerd-meta/cleanup.h"
#include "ctl.h"
#include "lookup.h"
#include "output.h"
#include "session.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

// The path is looked at that often when nothing wakes us.
#define LOOK_MS 1000u

struct follower {
    const struct ctl_options *options;
    struct json_stream stream;
    struct cmeta_region region;
    uint64_t seen;    // revision
    uint64_t printed; // changes
    bool alive;       // the daemon, when last asked
    int refusal;      // of a successor, already told; 0 none
};

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
    (void)signal;
    stopped = 1;
}

static bool is_done(const struct follower *f)
{
    return stopped || (f->options->count && f->printed >= f->options->count) || ferror(stdout);
}

static void say(const char *text)
{
    fflush(stdout);
    fprintf(stderr, "containerd-meta-ctl: %s\n", text);
}

// --- one change
// -------------------------------------------------------------------------------------------

static const char *kind_name(uint32_t kind)
{
    switch (kind) {
    case CMETA_CHANGE_RECORD:
        return "record";
    case CMETA_CHANGE_STATUS:
        return "status";
    case CMETA_CHANGE_REMOVED:
        return "removed";
    case CMETA_CHANGE_FORGOTTEN:
        return "forgotten";
    default:
        return "unknown";
    }
}

static json_t *change_json(const struct follower *f, const char *kind, uint64_t revision,
                           const struct cmeta_status *status, cmeta_handle handle)
{
    json_t *object = json_object();
    struct cmeta_view view;
    bool has_record = cmeta_reader_record(&f->region, handle, &view);
    uint32_t known = has_record ? cmeta_view_known(&view) : 0;
    const char *engine = has_record ? cmeta_type_name(cmeta_view_type(&view)) : "";

    json_object_set_new(object, "seen", json_time(now_realtime_ns()));
    json_object_set_new(object, "revision", json_count(revision));
    json_object_set_new(object, "kind", json_string(kind));
    json_object_set_new(object, "id", json_text(lookup_short_id(status->id)));
    json_object_set_new(object, "full_id", json_text(status->id));
    json_object_set_new(object, "scope", json_text(status->scope));
    json_object_set_new(object, "name",
                        json_text(lookup_string(&f->region, handle, CMETA_STRING_NAME)));
    json_object_set_new(object, "image",
                        json_text(lookup_string(&f->region, handle, CMETA_STRING_IMAGE)));
    json_object_set_new(object, "engine", *engine ? json_string(engine) : json_null());
    json_object_set_new(object, "state",
                        json_string(cmeta_state_name(CMETA_STATUS_STATE(status->word))));
    json_object_set_new(object, "health",
                        json_string(cmeta_health_name(CMETA_STATUS_HEALTH(status->word))));
    json_object_set_new(object, "exit_code",
                        status->word & CMETA_STATUS_HAS_EXIT
                            ? json_integer(CMETA_STATUS_EXIT(status->word))
                            : json_null());
    json_object_set_new(object, "pid", status->pid ? json_integer(status->pid) : json_null());
    json_object_set_new(object, "complete",
                        json_boolean((known & CMETA_GROUPS_COMPLETE) == CMETA_GROUPS_COMPLETE));
    return object;
}

// A line of its own, not a table: the next one isn't known yet.
static void print_line(const struct follower *f, const char *kind, uint64_t revision,
                       const struct cmeta_status *status, cmeta_handle handle)
{
    struct cmeta_str whole = status->id;
    CLEANUP(freep)
    char *id = text_printable(f->options->no_trunc ? whole : lookup_short_id(whole));
    CLEANUP(freep)
    char *name = text_printable(lookup_string(&f->region, handle, CMETA_STRING_NAME));
    CLEANUP(freep)
    char *image = text_printable(lookup_string(&f->region, handle, CMETA_STRING_IMAGE));

    printf("%-8" PRIu64 " %-9s %-12s %-10s name=%s image=%s\n", revision, kind, id,
           cmeta_state_name(CMETA_STATUS_STATE(status->word)), name, image);
}

static void print_change(struct follower *f, const char *kind, uint64_t revision,
                         cmeta_handle handle)
{
    struct cmeta_status status;

    if (!cmeta_reader_status(&f->region, handle, &status))
        return;
    if (f->options->format == CTL_TABLE)
        print_line(f, kind, revision, &status, handle);
    else
        json_stream_value(&f->stream, change_json(f, kind, revision, &status, handle));
    f->printed++;
}

// --- the log
// ----------------------------------------------------------------------------------------------

static void print_lapped(struct follower *f, uint64_t from, uint64_t to)
{
    CLEANUP(freep)
    char *text = NULL;

    if (f->options->format != CTL_TABLE) {
        json_stream_value(&f->stream, json_pack("{s:s, s:o, s:o, s:o}", "kind", "lapped", "seen",
                                                json_time(now_realtime_ns()), "after",
                                                json_count(from), "revision", json_count(to)));
        return;
    }
    text = text_format("the log has moved on from revision %" PRIu64 " to %" PRIu64
                       "; what changed meanwhile is shown as it stands now",
                       from, to);
    say(text);
}

// The log no longer has what came after `seen`: whatever is newer is shown as it stands now.
static void catch_up(struct follower *f)
{
    uint64_t head = cmeta_reader_revision(&f->region), cursor = 0;
    struct cmeta_status status;
    cmeta_handle handle;

    // To begin with all there is isn't to have missed something.
    if (f->seen)
        print_lapped(f, f->seen, head);
    while (!is_done(f) && lookup_next(&f->region, &cursor, &handle))
        if (cmeta_reader_status(&f->region, handle, &status) && status.revision > f->seen)
            print_change(f, "present", status.revision, handle);
    f->seen = head;
}

// Whatever the log holds now. A log that is written faster than we print is left at its head of
// the beginning, so that the path is looked at as well.
static void drain(struct follower *f)
{
    uint64_t head = cmeta_reader_revision(&f->region);
    struct cmeta_change change;
    enum cmeta_follow r;

    while (!is_done(f) && f->seen < head) {
        r = cmeta_follow_next(&f->region, &f->seen, &change);
        if (r == CMETA_FOLLOW_CHANGE)
            print_change(f, kind_name(change.kind), change.revision, change.handle);
        else if (r == CMETA_FOLLOW_LAPPED)
            catch_up(f);
        else
            break;
    }
    fflush(stdout);
}

// --- the folder
// -------------------------------------------------------------------------------------------

// Return: true if there is another region to follow now.
static bool renew(struct follower *f)
{
    struct cmeta_region next = {0};
    int r = cmeta_region_is_current(&f->region, f->options->dir);

    if (r != 0)
        return false; // still the same; or none at all, and ours is the last that there was
    r = cmeta_region_map(f->options->dir, &next);
    if (r != 0) {
        CLEANUP(freep)
        char *text = session_refusal(f->options->dir, r);

        if (r != f->refusal)
            say(text);
        f->refusal = r;
        return false;
    }
    f->refusal = 0;
    drain(f); // whatever was changed before the successor got its name is in the old log
    cmeta_region_unmap(&f->region);
    f->region = next;
    if (cmeta_reader_revision(&next) < f->seen) {
        say("the region begins anew: its daemon didn't know the one before; all it has follows");
        f->seen = 0;
    }
    return true;
}

static void look_for_daemon(struct follower *f)
{
    bool alive = session_daemon_alive(f->options->dir);

    if (alive != f->alive)
        say(alive ? "containerd-meta is running again"
                  : "containerd-meta has ended; waiting for it. Start it: systemctl start "
                    "containerd-meta");
    f->alive = alive;
}

static void follow(struct follower *f)
{
    while (!is_done(f)) {
        // Read before looking, so that what comes after the look wakes us.
        uint32_t word = cmeta_follow_word(&f->region);

        drain(f);
        look_for_daemon(f);
        // A successor has a word of its own: it is looked at before anybody waits for it.
        if (!renew(f) && !is_done(f))
            cmeta_follow_wait(&f->region, word, LOOK_MS);
    }
}

static enum ctl_exit events_run(const struct ctl_options *options)
{
    struct follower f = {.options = options, .stream = {.format = options->format}};
    struct sigaction action = {.sa_handler = stop}; // without SA_RESTART: it ends the wait
    enum ctl_exit exit = session_open(options, &f.region);

    if (exit != CTL_OK)
        return exit;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    f.alive = session_daemon_alive(options->dir);
    if (options->all)
        catch_up(&f);
    else
        f.seen = cmeta_reader_revision(&f.region);
    follow(&f);
    if (options->format != CTL_TABLE)
        json_stream_end(&f.stream);
    cmeta_region_unmap(&f.region);
    return CTL_OK;
}

const struct ctl_verb ctl_events = {
    .name = "events",
    .arguments = "",
    .summary = "Follows the changes, until it is interrupted",
    .help = "  -a, --all            begin with the containers that are there (kind \"present\")\n"
            "      --no-trunc       whole IDs\n"
            "  -n, --count N        end after N changes\n"
            "\n"
            "One change each: record (a container, or something new about it), status (state, "
            "health,\n"
            "exit, PID), removed, forgotten (its grace period is over). The region may be "
            "replaced and the\n"
            "daemon restarted meanwhile. Where the log was faster than this program, \"lapped\" "
            "says so,\n"
            "and what changed follows as \"present\". With -o json the array ends when the "
            "program does.\n",
    .options = "atn",
    .args_max = 0,
    .run = events_run,
};
