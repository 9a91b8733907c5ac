// SPDX-License-Identifier: Apache-2.0
// version: of this program, and of the daemon that wrote the region.
#include "containerd-meta/cleanup.h"
#include "ctl.h"
#include "output.h"
#include "session.h"

#include <inttypes.h>
#include <string.h>

static struct cmeta_str writer_version(const struct cmeta_region *region)
{
    const struct cmeta_header *header = session_header(region);

    return (struct cmeta_str){
        header->writer_version,
        (uint32_t)strnlen(header->writer_version, sizeof(header->writer_version))};
}

static json_t *daemon_json(const struct cmeta_region *region, bool alive)
{
    const struct cmeta_header *header = session_header(region);
    json_t *object = json_object();

    json_object_set_new(object, "version", json_text(writer_version(region)));
    json_object_set_new(object, "running", json_boolean(alive));
    json_object_set_new(object, "pid", json_integer(header->writer_pid));
    json_object_set_new(object, "region_created", json_time(header->created_realtime_ns));
    json_object_set_new(object, "layout",
                        json_sprintf("%u.%u", CMETA_LAYOUT_MAJOR, region->layout_minor));
    json_object_set_new(object, "epoch", json_sprintf("%016" PRIx64, region->epoch));
    return object;
}

static void print_text(const struct cmeta_region *region, bool alive)
{
    CLEANUP(freep)
    char *version = NULL;

    printf("containerd-meta-ctl %s, layout %u.%u\n", CMETA_VERSION, CMETA_LAYOUT_MAJOR,
           CMETA_LAYOUT_MINOR);
    if (!region->base)
        return;
    version = text_printable(writer_version(region));
    printf("containerd-meta %s, layout %u.%u, %s\n", version, CMETA_LAYOUT_MAJOR,
           region->layout_minor, alive ? "running" : "not running");
}

// Without a region there is a version all the same.
static enum ctl_exit version_run(const struct ctl_options *options)
{
    struct cmeta_region region = {0};
    int r = cmeta_region_map(options->dir, &region);
    bool alive = session_daemon_alive(options->dir);
    CLEANUP(freep)
    char *refusal = r ? session_refusal(options->dir, r) : NULL;

    if (refusal)
        fprintf(stderr, "containerd-meta-ctl: %s\n", refusal);
    if (options->format == CTL_TABLE) {
        print_text(&region, alive);
    } else {
        json_t *object = json_object();

        json_object_set_new(object, "version", json_string(CMETA_VERSION));
        json_object_set_new(object, "layout",
                            json_sprintf("%u.%u", CMETA_LAYOUT_MAJOR, CMETA_LAYOUT_MINOR));
        json_object_set_new(object, "daemon",
                            region.base ? daemon_json(&region, alive) : json_null());
        json_print(options->format, object);
    }
    cmeta_region_unmap(&region);
    return CTL_OK;
}

const struct ctl_verb ctl_version = {
    .name = "version",
    .arguments = "",
    .summary = "Shows the version of this program and of the daemon",
    .help = "",
    .options = "",
    .args_max = 0,
    .run = version_run,
};
