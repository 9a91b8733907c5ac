// SPDX-License-Identifier: Apache-2.0
// inspect: all that is known of some containers, as JSON.
#include "containerd-meta/cleanup.h"
#include "ctl.h"
#include "lookup.h"
#include "output.h"
#include "record_json.h"
#include "session.h"

#include <limits.h>

static enum ctl_exit inspect_one(const struct cmeta_region *region, const char *text,
                                 struct json_stream *stream)
{
    enum ctl_exit exit = CTL_OK;
    struct lookup found;
    size_t count = lookup_text(region, text, &found);
    CLEANUP(freep)
    char *shown = text_printable(str_of(text));
    json_t *document = count == 1 ? record_json(region, found.handles[0]) : NULL;

    if (document) {
        json_stream_value(stream, document);
    } else if (count > 1) {
        fprintf(stderr, "containerd-meta-ctl: \"%s\" may be any of:\n", shown);
        lookup_print(region, &found, stderr);
        exit = CTL_AMBIGUOUS;
    } else {
        fprintf(stderr,
                "containerd-meta-ctl: no container of ID or name \"%s\"; `ps -a` lists all, `why` "
                "says why one is missing\n",
                shown);
        exit = CTL_NOT_FOUND;
    }
    lookup_free(&found);
    return exit;
}

static enum ctl_exit inspect_run(const struct ctl_options *options)
{
    struct json_stream stream = {.format = options->format};
    struct cmeta_region region = {0};
    enum ctl_exit exit = session_open(options, &region), first = CTL_OK;

    if (exit != CTL_OK)
        return exit;
    for (int i = 0; i < options->args_count; i++) {
        exit = inspect_one(&region, options->args[i], &stream);
        if (first == CTL_OK)
            first = exit;
    }
    json_stream_end(&stream);
    cmeta_region_unmap(&region);
    return first;
}

const struct ctl_verb ctl_inspect = {
    .name = "inspect",
    .arguments = "ID…",
    .summary = "Shows all that is known of containers, as JSON",
    .help = "An ID may be given by its beginning; a name, or SCOPE/ID, will do as well. Prints an "
            "array,\n"
            "or with -o jsonl a line per container. `container` is the document of the Falco "
            "plugin;\n"
            "properties that aren't known yet are left out of it, `groups` says why. Those that "
            "aren't\n"
            "found are named on stderr, and the first of them sets the exit code.\n",
    .options = "",
    .args_min = 1,
    .args_max = INT_MAX,
    .run = inspect_run,
};
